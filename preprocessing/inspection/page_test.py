import dataclasses
import io
import re

import numpy as np
from absl.testing import absltest
from PIL import Image

from common import testing_pages
from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph
from preprocessing.duplicates.near_duplicates import Pair
from preprocessing.inspection import page
from preprocessing.inspection.sources import Inspection, Look

_ANGLES = (60.0, 48.0, 35.0, 20.0, 0.0, -40.0)  # One of each skin type, 1 to 6.
_SPLITS = ("train", "train", "validation", "test")


def _look(n, condition, skin_type, **fields):
    row = Photograph("c", f"p{n}", f"i{n}", f"{n}.jpg", condition, skin_type, **fields)
    angle = _ANGLES[skin_type - 1] if skin_type else None
    boxes = (Box(0.25, 0.25, 0.75, 0.5),) if skin_type else ()
    thumbnail = np.zeros((48, 48), np.uint8)
    return Look(row, _SPLITS[n % 4], (400, 300), boxes, angle, thumbnail, skin_type)


def _inspection():
    """Twelve photographs of Acne, one of Vitiligo that says nothing of itself."""
    looks = [_look(n, "Acne", 1 + n % 6) for n in range(11)]
    looks.append(_look(11, "Acne", 6, fitzpatrick_source="estimated"))
    looks.append(_look(12, "Vitiligo", None)._replace(size=(90, 120)))
    looks[5] = looks[5]._replace(row=dataclasses.replace(looks[5].row, synthetic=True))
    looks[3] = looks[3]._replace(row=Photograph("c", "<b>p</b>", "i3", "", "Acne", 4))
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(buffer, "JPEG")
    return Inspection(
        source="/home/me/data/cases.csv",
        from_records=False,
        looks=looks,
        rejections=[
            manifest.Rejection(7, "a", "a.jpg", "photograph", "/d/a.jpg: no such file"),
            manifest.Rejection(9, "b", "b.jpg", "photograph", "/d/b.jpg: no such file"),
            manifest.Rejection(8, "c", "c.jpg", "row", "unknown condition 'Akne'"),
        ],
        pairs=[Pair(3, 12, 90, 0.91, True)],
        pictures={look.row.image_id: buffer.getvalue() for look in looks},
        crops={},
    )


class RenderTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.found = _inspection()
        cls.html = page.render(cls.found)

    def test_is_complete_and_needs_nothing_else(self):
        testing_pages.check_page(self.html)
        self.assertNotRegex(self.html, r"https?://|<script")

    def test_marks_what_is_synthetic_and_what_is_estimated(self):
        text = testing_pages.visible_text(self.html)
        self.assertIn("1\nsynthetic images", text)
        self.assertIn("12\nphotographs", text)
        self.assertIn("Synthetic images: 1 of 13 (8%); they are for training only.", text)
        self.assertEqual(self.html.count('class="photo synthetic"'), 1)
        self.assertIn("Type 6 (estimated) · test", text)
        self.assertEqual(text.count("(estimated)"), 1)

    def test_escapes_what_a_manifest_says(self):
        self.assertIn("&lt;b&gt;p&lt;/b&gt;", self.html)
        self.assertNotIn("<b>p</b>", self.html)

    def test_does_not_tell_where_the_data_lies(self):
        self.assertIn("<h1>data/cases.csv</h1>", self.html)
        self.assertNotIn("/home/me", self.html)

    def test_every_picture_has_a_text(self):
        charts = re.findall(r'<img class="chart" [^>]*alt="Chart: (.*?)">', self.html)
        self.assertLen(charts, 7)
        pictures = [one for one in re.findall(r"<img [^>]*>", self.html) if "jpeg" in one]
        self.assertLen(pictures, 12 + 1 + 2)  # Acne, Vitiligo and the pair.
        for picture in pictures:
            self.assertRegex(picture, r'alt="[^"]+, skin type (\d|unknown), photograph \w+"')

    def test_counts_by_split(self):
        row = re.search(r'<th scope="row">Acne</th>(.*?)</tr>', self.html, re.DOTALL)[1]
        cells = [
            tuple(map(int, cell))
            for cell in re.findall(r">(\d+)(?:</strong>)?<small>(\d+) · (\d+) · (\d+)<", row)
        ]
        # Type t has photographs t - 1 and t + 5, whose splits go by fours.
        self.assertEqual(
            cells,
            [
                (2, 1, 1, 0),
                (2, 1, 0, 1),
                (2, 1, 1, 0),
                (2, 1, 0, 1),
                (2, 1, 1, 0),
                (2, 1, 0, 1),
                (12, 6, 3, 3),
            ],
        )

    def test_unknown_values_are_shown(self):
        self.assertIn("Type unknown", self.html)
        self.assertIn('<span title="unknown skin type">?</span>', self.html)

    def test_pairs_and_reasons(self):
        self.assertIn("Conditions differ.", self.html)
        self.assertIn("Mirrored; turned by 90 degrees; correlation 0.91", self.html)
        rows = re.findall(r'<tr><td>(\d+)</td><td class="text">(\w+)</td>', self.html)
        self.assertEqual(rows, [("2", "photograph"), ("1", "row")])

    def test_agreement_leaves_estimated_types_out(self):
        self.assertIn("11 photographs with both: 100% equal", self.html)

    def test_nothing_found_is_said(self):
        html = page.render(self.found._replace(pairs=[], rejections=[]))
        self.assertIn("No pair found among 13 photographs.", html)
        self.assertIn("Every row is used.", html)
        html = page.render(self.found._replace(pairs=None))
        self.assertIn("Not looked for.", html)
        html = page.render(self.found._replace(looks=[self.found.looks[12]], pairs=[]))
        self.assertIn("No photograph has an annotated skin type.", html)
        html = page.render(self.found._replace(looks=[self.found.looks[11]], pairs=[]))
        self.assertIn("skin type; what the manifest holds was estimated on import.", html)

    def test_monk_skin_tones_where_they_are_annotated(self):
        self.assertNotIn("Monk", self.html)
        first = self.found.looks[0]
        row = dataclasses.replace(first.row, monk=7)
        looks = [first._replace(row=row), *self.found.looks[1:]]
        self.assertIn("Annotated Monk skin tone", page.render(self.found._replace(looks=looks)))

    def test_records(self):
        crops = {"train": 5, "validation": 0, "test": 2}
        html = page.render(self.found._replace(from_records=True, crops=crops))
        self.assertIn("Recorded against estimated", html)
        self.assertIn("<strong>7</strong>crops", html)


if __name__ == "__main__":
    absltest.main()

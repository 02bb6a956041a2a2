import base64
import io
import json
import re
from unittest import mock

import numpy as np
from absl.testing import absltest
from PIL import Image
from sklearn.model_selection import permutation_test_score
from sklearn.tree import DecisionTreeClassifier

from common import testing_pages
from evaluation.reader_study import answer_key, page, testing
from evaluation.reader_study.design import Design
from evaluation.reader_study.page import PageText

_DESIGN = Design(real=40, synthetic=40, repeats=8, pairs=4, questions=4, images_per_question=8)


class _Unshuffled:
    """A source of randomness that leaves things in their order."""

    def permutation(self, things):
        return np.arange(things) if isinstance(things, int) else np.array(things)

    def integers(self, low, high=None, size=None, **_):
        return np.random.RandomState(0).randint(low, high, size)


def _data(html):
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', html)
    return json.loads(found[1])


class BlindingTest(absltest.TestCase):
    """Nothing but the look of the pictures tells which are real."""

    def _features(self, key, folder):
        """Returns what a reader's page tells of each picture but its image data, and the truth.

        Sizes, header, what follows the image, where it is listed, and where, how often
        and beside what it is shown.
        """
        reader = next(iter(key.readers.values()))
        data = _data(answer_key.page_path(folder, reader.name).read_text())
        truth = {}
        shown = {number: [] for number in range(len(data["images"]))}
        for place, (trial, entry) in enumerate(zip(reader.trials, data["trials"])):
            for position, (name, number) in enumerate(zip(trial.pictures, entry["images"])):
                truth[number] = key.pictures[name].synthetic
                shown[number].append((place, position))
        rows = []
        for number, encoded in enumerate(data["images"]):
            file = base64.b64decode(encoded)
            header = page.jpeg_header(file)
            rows.append(
                [
                    len(encoded),
                    len(file),
                    len(header),
                    *np.frombuffer(header[:64], np.uint8),
                    *np.frombuffer(file[-8:], np.uint8),
                    number,
                    len(shown[number]),
                    *shown[number][0],
                    *shown[number][-1],
                ]
            )
        return np.array(rows, float), np.array([truth[number] for number in range(len(rows))])

    def _chance(self, key, folder):
        """Returns the p value of a classifier that goes by the features: small if they tell."""
        features, truth = self._features(key, folder)
        classifier = DecisionTreeClassifier(max_depth=3, random_state=0)
        _, _, p_value = permutation_test_score(
            classifier, features, truth, cv=5, n_permutations=39, random_state=0
        )
        return p_value

    def _study(self):
        folder = self.create_tempdir().full_path
        return testing.write_study(folder, asked=_DESIGN, readers=1), folder

    def test_a_classifier_stays_at_chance(self):
        self.assertGreater(self._chance(*self._study()), 0.05)

    # That the check can fail:

    def test_the_classifier_finds_lengths(self):
        # The smooth pictures, which are the synthetic ones, are shorter without the padding.
        self.enter_context(
            mock.patch.object(
                page,
                "encode_alike",
                lambda pixels, size: [page.encode_jpeg(one, size) for one in pixels],
            )
        )
        self.assertEqual(self._chance(*self._study()), 1 / 40)

    def test_the_classifier_finds_an_order(self):
        # That of the key: photographs first.
        self.enter_context(mock.patch.object(np.random, "default_rng", lambda _: _Unshuffled()))
        self.assertEqual(self._chance(*self._study()), 1 / 40)

    def test_headers_that_differ_are_never_written(self):
        encode = page.encode_jpeg

        def encode_by_kind(picture, size):
            quality = 95 if np.ptp(picture, axis=(0, 1)).any() else 94
            with mock.patch.object(page, "JPEG_QUALITY", quality):
                return encode(picture, size)

        self.enter_context(mock.patch.object(page, "encode_jpeg", encode_by_kind))
        self.assertRaises(AssertionError, self._study)

    def test_the_page_does_not_hold_the_key(self):
        key, folder = self._study()
        reader = key.readers["reader_01"]
        html = answer_key.page_path(folder, reader.name).read_text()
        data = _data(html)
        self.assertEqual(
            set(data),
            {"format", "version", "study", "reader", "token", "trials", "images"},
        )
        told = {name for one in data["trials"] for name in one}
        self.assertEqual(told, {"id", "kind", "condition", "images"})
        text = re.sub(r'"images": \[".*?"\]', "", html)
        for name, picture in key.pictures.items():
            self.assertNotIn(name, text)
            self.assertNotIn(picture.source, text)


class RenderTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, pixels = testing.small_study()
        cls.files = dict(zip(pixels, page.encode_alike(list(pixels.values()), 24)))

    def _page(self, reader="reader_01", **text):
        return page.render_page(
            self.key.study, self.key.readers[reader], self.files, PageText(**text)
        )

    def test_shows_each_reader_the_own_order(self):
        reader = self.key.readers["reader_02"]
        data = _data(self._page("reader_02"))
        self.assertEqual(data["reader"], "reader_02")
        self.assertEqual(data["token"], reader.token)
        for trial, entry in zip(reader.trials, data["trials"]):
            self.assertEqual((trial.trial_id, trial.kind), (entry["id"], entry["kind"]))
            self.assertEqual(
                [base64.b64decode(data["images"][number]) for number in entry["images"]],
                [self.files[name] for name in trial.pictures],
            )
        for other in ("reader_01", "reader_03"):
            self.assertNotIn(self.key.readers[other].token, json.dumps(data))

    def test_needs_nothing_else(self):
        html = self._page()
        # "None" is how many years some have worked with skin.
        testing_pages.check_page(html.replace('<option value="0">None</option>', ""))
        self.assertNotRegex(re.sub(r'"images": \[".*?"\]', "", html), r"https?://|src=\"(?!data:)")
        policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', html)[1]
        self.assertIn("default-src &#39;none&#39;", policy)
        self.assertNotIn("unsafe", policy)

    def test_escapes_what_it_is_told(self):
        html = self._page(title="</script><b>", consent=["<i>"], contact='"><img src=x>')
        self.assertNotIn("<b>", html)
        self.assertNotIn("<i>", html)
        self.assertNotIn("<img src", html)
        self.assertIn("&lt;/script&gt;&lt;b&gt;", html)

    def test_describes_only_the_parts_there_are(self):
        asked = Design(real=4, synthetic=4, repeats=0, questions=0)
        key, _ = testing.small_study(asked)
        files = dict.fromkeys(key.pictures, b"jpeg")
        html = page.render_page("s", key.readers["reader_01"], files, PageText())
        self.assertIn("Real or synthetic?</strong> 8 images.", html)
        self.assertNotIn("Which one is real?", html)
        self.assertNotIn("Which images show the condition?", html)
        self.assertIn("About 1 minute in all.", html)


class EncodeAlikeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 256, (40, 40, 3), np.uint8)
        flat = np.full((40, 40, 3), 120, np.uint8)
        self.pictures = [noise, flat, np.flipud(noise)]

    def test_files_differ_in_image_data_alone(self):
        lengths = {len(page.encode_jpeg(one, 64)) for one in self.pictures}
        self.assertGreater(max(lengths), 5 * min(lengths))  # which would tell them apart
        files = page.encode_alike(self.pictures, 64)
        self.assertEqual({len(one) for one in files}, {max(lengths)})
        headers = {page.jpeg_header(one) for one in files}
        self.assertLen(headers, 1)
        header = headers.pop()
        # Markers of a plain JFIF file: no comment, no EXIF, ICC or XMP, two tables of each.
        self.assertTrue(header.startswith(b"\xff\xd8\xff\xe0\x00\x10JFIF"))
        for marker in (b"\xff\xfe", b"\xff\xe1", b"\xff\xe2", b"\xff\xed"):
            self.assertNotIn(marker, header)

    def test_pixels_survive(self):
        files = page.encode_alike(self.pictures, 80)
        for picture, file in zip(self.pictures, files):
            image = Image.open(io.BytesIO(file))
            self.assertEqual((image.format, image.size, image.mode), ("JPEG", (80, 80), "RGB"))
            wanted = Image.fromarray(picture).resize((80, 80), Image.Resampling.LANCZOS)
            error = np.abs(np.asarray(image, float) - np.asarray(wanted, float)).mean()
            self.assertLess(error, 3)  # of 255, for noise

    def test_refuses_pictures_of_several_sizes(self):
        with self.assertRaisesRegex(ValueError, r"sizes would tell them apart: \[\(20, 20, 3\), "):
            page.encode_alike([*self.pictures, self.pictures[0][::2, ::2]], 64)

    def test_nothing_to_encode(self):
        self.assertEqual(page.encode_alike([], 64), [])


if __name__ == "__main__":
    absltest.main()

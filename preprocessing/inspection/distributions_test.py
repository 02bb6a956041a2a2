import numpy as np
from absl.testing import absltest

from preprocessing.data import manifest, skin
from preprocessing.data.manifest import Box, Photograph
from preprocessing.inspection import distributions
from preprocessing.inspection.sources import Inspection, Look


def _look(n=0, boxes=(), skin_type=3, ita=35.0, size=(400, 200), split="train", **fields):
    fields = {"condition": "Acne", **fields}
    row = Photograph("c", f"p{n}", f"i{n}", "", fitzpatrick=skin_type, **fields)
    estimated = None if ita is None else skin.fitzpatrick_from_ita(ita)
    return Look(row, split, size, boxes, ita, np.zeros((48, 48), np.uint8), estimated)


def _findings(looks, pairs=None):
    found = Inspection("cases.csv", False, looks, [], pairs, {}, {})
    return distributions.findings(found)


class BoxesTest(absltest.TestCase):
    def test_per_photograph(self):
        box = Box(0, 0, 1, 1)
        looks = [_look(), _look(boxes=(box,)), _look(boxes=(box,) * 9), _look(boxes=(box,) * 6)]
        found = distributions.boxes_per_photograph(looks)
        self.assertEqual(
            dict(zip(*found[:2])), {**dict.fromkeys("02345", 0), "0": 1, "1": 1, "6+": 2}
        )

    def test_sizes_are_of_the_shorter_side(self):
        # 100 x 50 pixels of 400 x 200: 50 %; the whole photograph: 200 %.
        looks = [_look(boxes=(Box(0, 0, 0.25, 0.25), Box(0, 0, 1, 1)))]
        found = distributions.box_sizes(looks)
        self.assertEqual(np.flatnonzero(found.counts).tolist(), [5, 11])
        self.assertEqual(found.labels[4], "40% to 50%")
        self.assertEqual(found.labels[11], "110% or more")
        self.assertIn((4, "40%"), found.ticks)

    def test_aspects_are_of_pixels(self):
        looks = [_look(boxes=(Box(0, 0, 0.5, 1.0), Box(0, 0, 1, 0.5), Box(0, 0, 0.01, 1)))]
        found = distributions.box_aspects(looks)  # 1:1, 4:1, 1:50
        self.assertEqual(np.flatnonzero(found.counts).tolist(), [0, 4, 8])
        self.assertEqual([found.labels[n] for n in (0, 3, 4, 8)], ["1:4", "1:1.4", "1:1", "4:1"])
        self.assertEqual(found.ticks[2], (4.5, "1:1"))

    def test_places(self):
        looks = [_look(boxes=(Box(0, 0, 0.5, 1), Box(0, 0, 1, 0.5)))]
        places = distributions.box_places(looks)
        quarters = places[::12, ::12]
        np.testing.assert_array_equal(quarters, [[1, 0.5], [0.5, 0]])
        self.assertEqual(distributions.box_places([_look()]).max(), 0)


class SkinTest(absltest.TestCase):
    def test_given_and_estimated(self):
        looks = [
            _look(skin_type=3, ita=35.0),  # type 3
            _look(skin_type=1, ita=50.0),  # type 2
            _look(skin_type=None, ita=-40.0),  # type 6
            _look(skin_type=5, ita=None),
            _look(skin_type=2, ita=60.0, fitzpatrick_source="estimated"),  # type 1
        ]
        self.assertEqual(distributions.annotated_types(looks).counts, [1, 0, 1, 0, 1, 0, 2])
        self.assertEqual(distributions.estimated_types(looks).counts, [1, 1, 1, 0, 0, 1, 1])
        table = distributions.type_agreement(looks)
        self.assertEqual(np.argwhere(table).tolist(), [[0, 1], [2, 2]])

    def test_monk(self):
        looks = [_look(), _look(monk=2), _look(monk=10), _look(monk=2)]
        self.assertEqual(distributions.monk_tones(looks).counts, [0, 2, *[0] * 7, 1])

    def test_marks_lie_between_the_types(self):
        types = distributions.angle_types()
        for mark, kind in zip(distributions.angle_marks(), range(1, 6)):
            self.assertGreaterEqual(types[int(np.floor(mark)) - 1], kind)
            self.assertEqual(types[int(np.ceil(mark))], kind)


class WindowsTest(absltest.TestCase):
    def test_warns_of_crops_that_are_enlarged(self):
        of_records = Inspection("r", True, [_look()], [], None, {}, {"train": 150}, 64, 33)
        of_manifest = of_records._replace(from_records=False, enlarged=1)
        for found, said in (
            (of_records, "enlarged from windows of fewer than 64 pixels: 33 of 150 (22%); a"),
            (of_manifest, "most crops of 64x64 would be enlarged: 1 of 1 (100%); a generator"),
        ):
            (finding,) = [one for one in distributions.findings(found) if "enlarged" in one]
            self.assertIn(said, finding)
            self.assertIn("--max_enlargement=1", finding)
        few = distributions.findings(of_records._replace(enlarged=0))
        self.assertNotIn("enlarged", " ".join(few))

    def test_foresees_photographs_without_a_crop(self):
        looks = [_look(), _look()._replace(no_crop=True)]
        found = distributions.findings(Inspection("m", False, looks, [], None, {}, {}))
        (finding,) = [one for one in found if "background" in one]
        self.assertIn("no crop: about 1 of 2 (50%)", finding)


class ReasonsTest(absltest.TestCase):
    def test_names_and_numbers_do_not_count(self):
        rejections = [
            manifest.Rejection(2, "a", "a.jpg", "photograph", "/d/a.jpg: no such file"),
            manifest.Rejection(3, "", "", "row", "unknown condition 'Akne'"),
            manifest.Rejection(4, "b", "b.jpg", "photograph", "/d/b.jpg: no such file"),
            manifest.Rejection(5, "c", "c.jpg", "photograph", "/d/c.jpg: 9x9 pixels"),
        ]
        found = distributions.reasons(rejections)
        self.assertEqual(
            [(reason.number, reason.example.row) for reason in found], [(2, 2), (1, 3), (1, 5)]
        )


class FindingsTest(absltest.TestCase):
    def test_nothing_to_say(self):
        box = (Box(0.2, 0.2, 0.6, 0.6),)
        looks = [
            _look(n, box, 1 + n % 6, split=split)
            for n, split in enumerate(("train", "validation", "test") * 6)
        ]
        self.assertEqual(_findings([*looks, looks[0]]), [])  # one patient is there twice

    def test_says_what_lacks(self):
        looks = [_look(n, (Box(0, 0, 1, 1),), condition="Cyst") for n in range(12)]
        looks += [_look(20, skin_type=None, split="test")]
        found = _findings(looks)
        self.assertEqual(
            found,
            [
                "Each photograph counts as a patient. Where several show one person, say so in "
                "patient_id: else training and test hold the same people.",
                "Fewer than 10 patients: Acne.",
                "No train photograph: Acne.",
                "No validation photograph: Acne, Cyst.",
                "No test photograph: Cyst.",
                "Skin type unknown: 1 of 13 (8%); these are used like the others, "
                "but not where skin types are compared.",
                "Skin types 5 and 6: only 0 of 12 (0%) of known type.",
                "No ROI: 1 of 13 (8%); these get no crops.",
                "ROI as large as the photograph: 12 of 12 (100%); such a map says nothing about "
                "the place.",
            ],
        )

    def test_long_lists_end(self):
        looks = [_look(n, condition=name) for n, name in enumerate("abcdefgh")]
        self.assertEqual(
            _findings(looks)[0], "Fewer than 10 patients: a, b, c, d, e, f and 2 more."
        )


if __name__ == "__main__":
    absltest.main()

import collections
import dataclasses
import itertools
import json
import pathlib
import shutil
import tempfile
import types
from unittest import mock

import numpy as np
import pandas as pd
from absl.testing import absltest
from PIL import Image
from tensorflow.python.summary.summary_iterator import summary_iterator

from common import testing_pages
from common.report import Report
from evaluation.features import image_sets
from evaluation.fidelity import evaluator, report, testing
from evaluation.fidelity.evaluator import FidelityEvaluator, FidelityProtocol
from evaluation.fidelity.testing import PlantedGenerator
from synthesis import layouts
from synthesis.layouts import Layout
from training import testing_data

_PROTOCOL = FidelityProtocol(num_images=12, replicates=50)


_MEANS = np.array(testing.TONES)
_LAYOUTS = [
    Layout("Melanoma", 1 + index % 6, (box,)) for index, box in enumerate(testing.boxes_at(32, 19))
]


def _paint(asked, seed=3):
    generator = PlantedGenerator(32)
    return list(evaluator.paint_examples(generator, asked, seed))


class MeasurementsTest(absltest.TestCase):
    def test_one_noise_for_all_images_of_a_map(self):
        generator = PlantedGenerator(32)
        for index, example in enumerate(_paint(_LAYOUTS)):
            seed = np.array([index + (3 << 32)], np.int64)  # as image_sets.generated_images
            for skin_type, image in example.images.items():
                layout = dataclasses.replace(_LAYOUTS[index], skin_type=skin_type)
                expected = generator.generate(layouts.draw([layout], 32), seed)[0]
                np.testing.assert_array_equal(image, expected)
            for layout, image in example.moved:
                expected = generator.generate(layouts.draw([layout], 32), seed)[0]
                np.testing.assert_array_equal(image, expected)
            own = example.images[_LAYOUTS[index].skin_type]
            self.assertTrue((own != example.other_noise).any())

    def test_seeds_are_those_of_generated_images(self):
        images = image_sets.generated_images(PlantedGenerator(32), _LAYOUTS, seed=3).pixels()
        for layout, image, example in zip(_LAYOUTS, images, _paint(_LAYOUTS)):
            np.testing.assert_array_equal(image, example.images[layout.skin_type])

    def test_rows_of_a_map(self):
        rows = collections.defaultdict(list)
        means = _MEANS.copy()
        means[[1, 2, 3]] = np.nan  # without photographs: not to be changed to
        for index, example in enumerate(_paint(_LAYOUTS)):
            for kind, measured in evaluator.measure_example(example, index, means, 0).items():
                rows[kind] += measured
        tones, changes = pd.DataFrame(rows["tone"]), pd.DataFrame(rows["changes"])
        self.assertLen(tones, 6 * len(_LAYOUTS))
        self.assertEqual(tones["map"].tolist()[:7], [0, 0, 0, 0, 0, 0, 1])
        self.assertEqual(tones["skin_type"].tolist()[:7], [1, 2, 3, 4, 5, 6, 1])
        self.assertLen(rows["roi"], len(_LAYOUTS))
        self.assertLen(rows["spectrum"], len(_LAYOUTS))
        self.assertTrue(set(changes["to_type"]) <= {4, 5, 6})
        self.assertTrue((changes["to_type"] != changes["from_type"]).all())

    def test_photographs(self):
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, size=32, per_split=(2, 2, 12))
        images = image_sets.real_images(folder, "test")
        tones = evaluator.measure_photographs_tone(images)
        self.assertEqual(tones["patient"].tolist(), list(images.patients))
        expected = [testing.TONES[one] for one in tones["skin_type"]]
        np.testing.assert_allclose(tones["ita"], expected, atol=6.0)
        roi, spectrum = evaluator.measure_photographs_lesions(images)
        self.assertGreater(roi["iou"].min(), 0.6)
        self.assertLen(spectrum, 12)


class FidelityEvaluationTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data_dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.data_dir)
        testing.write_dataset(cls.data_dir, size=32)
        cls.evaluator = FidelityEvaluator(cls.data_dir, ("Melanoma",), _PROTOCOL)
        cls.faithful = cls.evaluator.evaluate(PlantedGenerator(32))

    def test_faithful_generator_reaches_the_ceiling(self):
        numbers = {name: one.value for name, one in self.faithful.estimates().items()}
        self.assertLess(numbers["tone/error/generated"], numbers["tone/error/real"])
        self.assertGreater(numbers["tone/correlation/generated"], 0.98)
        self.assertAlmostEqual(numbers["tone/slope/generated"], 1.0, delta=0.05)
        self.assertAlmostEqual(numbers["roi/iou/generated"], numbers["roi/iou/real"], delta=0.05)
        self.assertAlmostEqual(self.faithful.checkerboard.ratio["share"].value, 1.0, delta=0.4)
        self.assertEqual(numbers["counterfactuals/change_elsewhere"], 0.0)
        (note,) = self.faithful.notes
        self.assertStartsWith(note, "few test patients tell the tone of skin types 1 (3), 2 (3)")

    def test_planted_faults_are_told(self):
        generator = PlantedGenerator(32, slope=0.4, checkerboard=12, fixed_lesion=True)
        faulty = self.evaluator.evaluate(generator)
        self.assertAlmostEqual(faulty.tone.agreement["slope"].value, 0.4, delta=0.05)
        self.assertGreater(
            faulty.tone.agreement["error"].value, 3 * faulty.tone.ceiling["error"].value
        )
        self.assertLess(faulty.roi.ratio["iou"].value, 0.7)
        self.assertGreater(faulty.checkerboard.ratio["share"].low, 2.0)
        self.assertLess(faulty.counterfactuals.numbers["change_inside"].value, 1.0)
        told = "lesions are not where the map says; the tone does not obey the skin type"
        self.assertEqual(faulty.verdict, f"{told}; a faint checkerboard of 2 or 4 pixels")
        board = types.SimpleNamespace(
            generated_numbers={"prominence": types.SimpleNamespace(value=1.6)},
            real_numbers={"prominence": types.SimpleNamespace(value=1.0)},
        )
        standing_out = dataclasses.replace(faulty, checkerboard=board)
        self.assertEqual(standing_out.verdict, f"{told}; a checkerboard of 2 or 4 pixels")
        ours, theirs = (
            {name: types.SimpleNamespace(value=value) for name, value in numbers.items()}
            for numbers in ({"iou": 0.3, "iou_by_chance": 0.1}, {"iou": 0.4, "iou_by_chance": 0.2})
        )
        roi = types.SimpleNamespace(generated_numbers=ours, real_numbers=theirs)
        weak = dataclasses.replace(faulty, roi=roi).verdict
        self.assertStartsWith(weak, "lesions are where the map says, as far as colour tells (it")
        self.assertEqual(
            self.faithful.verdict,
            "lesions are where the map says; the tone obeys the skin type; "
            "no checkerboard of 2 or 4 pixels",
        )

    def _with_sources(self, sources):
        """Evaluates where types of photographs have other sources, by turns."""
        real_images = image_sets.real_images

        def other(*args):
            images = real_images(*args)
            said = tuple(itertools.islice(itertools.cycle(sources), len(images)))
            return dataclasses.replace(images, skin_type_sources=said)

        with mock.patch.object(image_sets, "real_images", other):
            evaluator = FidelityEvaluator(self.data_dir, ("Melanoma",), _PROTOCOL)
        return evaluator.evaluate(PlantedGenerator(32))

    def test_estimated_skin_types_are_told_apart(self):
        # The crops of a patient: one of an annotated and one of an estimated type.
        both = self._with_sources(("annotated", "estimated"))
        self.assertEqual([one.estimated for one in both.tones], [False, True])
        for one in both.tones:
            self.assertEqual([row.real_images for row in one.types], [3] * 6)
        self.assertTrue(np.isfinite(both.tone.ceiling["error"].value))
        self.assertTrue(np.isnan(both.tone_estimated.ceiling["error"].value))
        self.assertIn("the tone obeys the skin type", both.verdict)
        self.assertIn("tone_estimated/error/generated", both.estimates())
        stored = json.loads(json.dumps(both.as_dict(), allow_nan=False))
        self.assertIsNone(stored["tone_estimated"]["real"]["error"]["value"])
        table = report.table(both)
        self.assertIn("Tone (degrees of ITA outside the ROI)", table)
        self.assertIn("Tone by estimated skin types", table)

    def test_estimated_skin_types_alone(self):
        found = self._with_sources(("estimated",))
        self.assertIsNone(found.tone)
        self.assertIn("tone was held against estimated skin types only", found.verdict)
        self.assertGreater(found.tone_estimated.agreement["correlation"].value, 0.98)
        report.draw(found)
        self.assertNotIn("Tone (degrees", report.table(found))

    def test_repeats_exactly(self):
        again = self.evaluator.evaluate(PlantedGenerator(32))
        self.assertEqual(json.dumps(again.as_dict()), json.dumps(self.faithful.as_dict()))

    def test_files(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        results = Report(str(folder), "fidelity", self.faithful.protocol)
        examples = report.write(self.faithful, results)
        self.assertEqual(examples, str(folder / "fidelity_examples.png"))
        stored = json.loads((folder / "fidelity.json").read_text())
        self.assertEqual(stored["protocol"]["num_images"], 12)
        self.assertEqual(stored["step"], 7)
        self.assertEqual(stored["tone"]["skin_types"]["6"]["real_images"], 6)
        rows = pd.read_csv(folder / "fidelity.csv")
        self.assertLen(rows, 12)
        self.assertEqual(rows.columns[0], "map")
        for column in ("iou", "share", "ita_asked_for_type_5", "change_elsewhere", "rois"):
            self.assertIn(column, rows.columns)
        for name in ("fidelity.png", "fidelity_examples.png"):
            with Image.open(folder / name) as picture:
                self.assertGreater(min(picture.size), 800)
                self.assertGreater(np.asarray(picture.convert("L")).std(), 10)
        found = {
            value.tag: event.step
            for events in folder.glob("events.*")
            for event in summary_iterator(str(events))
            for value in event.summary.value
        }
        self.assertEqual(found["fidelity/roi/iou/generated"], 7)
        self.assertEqual(found["fidelity/tone/error/real"], 7)
        self.assertEqual(found["fidelity/verdict"], 7)
        self.assertEqual(found["fidelity/fidelity_examples"], 7)

    def test_table(self):
        text = report.table(self.faithful)
        for part in ("Tone", "Lesion", "Checkerboard", "One change of the map", "planted, step 7"):
            self.assertIn(part, text)
        testing_pages.check_text(text)
        self.assertLess(max(len(line) for line in text.splitlines()), 130)

    def test_too_small_sets(self):
        with self.assertRaisesRegex(ValueError, "num_images 3 is too few; at least 8"):
            FidelityProtocol(num_images=3)
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, per_split=(8, 8, 3))
        with self.assertRaisesRegex(ValueError, "3 test crops of the generator's conditions are"):
            FidelityEvaluator(folder, ("Melanoma",), _PROTOCOL)
        with self.assertRaisesRegex(ValueError, "no test crop of the wanted conditions"):
            FidelityEvaluator(folder, ("Acne",), _PROTOCOL)

    def test_another_taxonomy(self):
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, size=32)
        path = pathlib.Path(folder, "dataset.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "taxonomy": ["Freckle"]}))
        with self.assertRaisesRegex(
            ValueError, "dataset.json: another taxonomy than that of .*: lacks"
        ):
            FidelityEvaluator(folder, ("Melanoma",), _PROTOCOL)

    def test_without_two_known_skin_types_tone_is_left_out(self):
        for skin_type, known in ((3, r"1 \(3\)"), (0, r"0 \(none\)")):
            folder = self.create_tempdir().full_path
            testing.write_dataset(folder, size=32, skin_types=(skin_type,))
            measured = FidelityEvaluator(folder, ("Melanoma",), _PROTOCOL).evaluate(
                PlantedGenerator(32)
            )
            self.assertIsNone(measured.tone)
            self.assertRegex(measured.notes[0], f"tone was not measured: .* there are {known}")
            self.assertEqual(list(measured.examples[0].images), [skin_type])
            self.assertGreater(measured.roi.generated_numbers["iou"].value, 0.5)
            self.assertNotIn("tone/error/real", measured.estimates())
            output = self.create_tempdir().full_path
            report.write(measured, Report(output, "fidelity", measured.protocol))
            text = report.table(measured)
            self.assertNotIn("Tone", text)
            testing_pages.check_text(text)
            self.assertIn("Lesion", text)
        self.assertIn("36 of 36 test crops are of unknown skin type", text)

    def test_size_without_the_frequencies(self):
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder, image_size=30)
        with self.assertRaisesRegex(ValueError, "images of 30x30: the checkerboard needs"):
            FidelityEvaluator(folder, ("Melanoma",), _PROTOCOL)


if __name__ == "__main__":
    absltest.main()

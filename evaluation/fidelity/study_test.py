import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pandas as pd
from absl.testing import absltest
from PIL import Image
from tensorflow.python.summary.summary_iterator import summary_iterator

from evaluation.fidelity import figures, report, study, testing
from evaluation.fidelity.results import Protocol
from evaluation.fidelity.testing import PlantedGenerator
from training import testing_data

_PROTOCOL = Protocol(num_images=12, replicates=50)


class FidelityEvaluationTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.data_dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.data_dir)
        testing.write_dataset(cls.data_dir, size=32)
        cls.evaluator = study.Evaluator(cls.data_dir, ("Melanoma",), _PROTOCOL)
        cls.faithful = cls.evaluator.evaluate(PlantedGenerator(32), progress=False)

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
        faulty = self.evaluator.evaluate(generator, progress=False)
        self.assertAlmostEqual(faulty.tone.agreement["slope"].value, 0.4, delta=0.05)
        self.assertGreater(
            faulty.tone.agreement["error"].value, 3 * faulty.tone.ceiling["error"].value
        )
        self.assertLess(faulty.roi.ratio["iou"].value, 0.7)
        self.assertGreater(faulty.checkerboard.ratio["share"].low, 2.0)
        self.assertLess(faulty.counterfactuals.numbers["change_inside"].value, 1.0)

    def test_repeats_exactly(self):
        again = self.evaluator.evaluate(PlantedGenerator(32), progress=False)
        self.assertEqual(json.dumps(again.as_dict()), json.dumps(self.faithful.as_dict()))

    def test_files(self):
        folder = self.create_tempdir().full_path
        paths = report.write(self.faithful, folder)
        stored = json.loads(pathlib.Path(paths[0]).read_text())
        self.assertEqual(stored["protocol"]["num_images"], 12)
        self.assertEqual(stored["step"], 7)
        self.assertIn("date", stored)
        self.assertIn("scikit-image", stored["packages"])
        self.assertEqual(stored["tone"]["skin_types"]["6"]["real_images"], 6)
        rows = pd.read_csv(paths[1])
        self.assertLen(rows, 12)
        for column in ("iou", "share", "ita_asked_for_type_5", "change_elsewhere", "rois"):
            self.assertIn(column, rows.columns)
        report.write(self.faithful, folder)  # the same numbers
        report.check_output(folder, self.faithful.protocol, overwrite=False)
        other = {**self.faithful.protocol, "seed": 1}
        with self.assertRaisesRegex(ValueError, "fidelity.json: holds a measurement by another"):
            report.check_output(folder, other, overwrite=False)
        report.check_output(folder, other, overwrite=True)
        pathlib.Path(paths[0]).write_text("no JSON")
        with self.assertRaisesRegex(ValueError, "pass --overwrite"):
            report.write(self.faithful, folder)

    def test_scalars(self):
        folder = self.create_tempdir().full_path
        report.log(self.faithful, folder)
        (events,) = pathlib.Path(folder).glob("events.*")
        found = {
            value.tag: event.step
            for event in summary_iterator(str(events))
            for value in event.summary.value
        }
        self.assertEqual(found["fidelity/roi/iou/generated"], 7)
        self.assertEqual(found["fidelity/tone/error/real"], 7)

    def test_pictures(self):
        folder = self.create_tempdir().full_path
        for draw, name in (
            (figures.draw, "fidelity.png"),
            (figures.draw_examples, "examples.png"),
        ):
            path = draw(self.faithful, os.path.join(folder, name))
            with Image.open(path) as picture:
                self.assertGreater(min(picture.size), 800)
                self.assertGreater(np.asarray(picture.convert("L")).std(), 10)

    def test_table(self):
        text = report.table(self.faithful)
        for part in ("Tone", "Lesion", "Checkerboard", "One change of the map", "planted, step 7"):
            self.assertIn(part, text)
        self.assertNotIn("nan", text)
        self.assertLess(max(len(line) for line in text.splitlines()), 130)

    def test_too_small_sets(self):
        with self.assertRaisesRegex(ValueError, "num_images 3 is too few; at least 8"):
            Protocol(num_images=3)
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, per_split=(8, 8, 3))
        with self.assertRaisesRegex(ValueError, "3 test crops of the generator's conditions are"):
            study.Evaluator(folder, ("Melanoma",), _PROTOCOL)
        with self.assertRaisesRegex(ValueError, "no test crop of the wanted conditions"):
            study.Evaluator(folder, ("Acne",), _PROTOCOL)

    def test_another_taxonomy(self):
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, size=32)
        path = pathlib.Path(folder, "dataset.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "taxonomy": ["Freckle"]}))
        with self.assertRaisesRegex(ValueError, "dataset.json: another taxonomy: lacks"):
            study.Evaluator(folder, ("Melanoma",), _PROTOCOL)

    def test_one_skin_type(self):
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, size=32, skin_types=(3,))
        evaluator = study.Evaluator(folder, ("Melanoma",), _PROTOCOL)
        with self.assertRaisesRegex(ValueError, r"there are 1 \(3\): choose another --real_split"):
            evaluator.evaluate(PlantedGenerator(32), progress=False)

    def test_size_without_the_frequencies(self):
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(folder, image_size=30)
        with self.assertRaisesRegex(ValueError, "images of 30x30: the checkerboard needs"):
            study.Evaluator(folder, ("Melanoma",), _PROTOCOL)


if __name__ == "__main__":
    absltest.main()

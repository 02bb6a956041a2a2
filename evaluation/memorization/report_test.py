import dataclasses
import json
import os
import pathlib
import tempfile
from unittest import mock

import numpy as np
import pandas as pd
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from common import figures, pseudonyms, testing_pages
from common.report import Report
from evaluation.memorization import report, testing
from evaluation.uncertainty.intervals import Rate


class ReportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        data_dir = folder.name
        images = testing.write_records(data_dir)
        cls.names = pseudonyms.load_or_create(data_dir)
        painted = np.concatenate([testing.patterns(30, 9), images["train"][:10, :, ::-1]])
        cls.painted, cls.training = painted, images["train"]
        cls.evaluation, cls.generator = testing.audit(
            data_dir, painted, map_splits=("train", "validation"), num_planted=10
        )

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def _write(self):
        results = Report(self.folder, "memorization", self.evaluation.protocol)
        report.write(self.evaluation, 0.05, results)
        return results.paths

    def _with_copies(self, count, total):
        generated = dict(self.evaluation.generated)
        one = generated["validation"]
        generated["validation"] = dataclasses.replace(one, copies=Rate(count, total))
        generated["train"] = dataclasses.replace(one, copies=Rate(0, 1000))
        return dataclasses.replace(self.evaluation, generated=generated)

    def test_refusal(self):
        trial = self._with_copies(10, 1000)
        self.assertIn("random weights show nothing", report.refusal(trial, 0.05))
        named = mock.patch.dict(self.evaluation.protocol, feature_network="/w/inception")
        self.enter_context(named)
        self.assertEqual(report.refusal(self._with_copies(10, 1000), 0.05), "")
        self.assertEqual(report.refusal(self._with_copies(1000, 1000), -1), "")
        reason = report.refusal(self._with_copies(100, 1000), 0.05)
        self.assertStartsWith(
            reason, "the copy rate on validation maps, 10.00% of 1,000 images, may be as high as 12"
        )
        self.assertEndsWith(reason, "above --max_copy_rate=0.05")
        # Nothing found, but too few images to know: 1 - 0.025 ** (1 / 20) is 17 %.
        reason = report.refusal(self._with_copies(0, 20), 0.05)
        self.assertIn("0.00% of 20 images, may be as high as 16.84%", reason)
        self.assertEndsWith(reason, "more --num_images may show that it is lower")

    def test_files(self):
        paths = self._write()
        content = json.loads(pathlib.Path(paths[0]).read_text())
        self.assertEqual(content["protocol"]["feature_network"], "embedded")
        self.assertEqual(content["protocol"]["alpha"], 0.1)
        self.assertGreaterEqual(content["generated"]["train"]["copies"]["count"], 10)
        self.assertEqual(content["generated"]["train"]["identical"], 10)
        self.assertFalse(content["gate"]["passed"])
        self.assertEqual(set(content["thresholds"]), {"features", "thumbnails"})
        rows = pd.read_csv(paths[1])
        self.assertLen(rows, 80)
        self.assertTrue(rows["suspicion"].is_monotonic_increasing)
        copies = rows[rows["index"] >= 30]
        self.assertTrue(copies["flagged"].all())
        self.assertTrue(copies["mirrored"].all())
        named = [self.names.name("photograph", f"train{i - 30}") for i in copies["index"]]
        self.assertEqual(copies["nearest_image_id"].tolist(), named)
        self.assertRegex(copies["nearest_patient_id"].iloc[0], "^patient_[0-9a-f]{16}$")
        self.assertTrue((rows["features_ratio"] <= rows["features_distance"] * 1e9).all())

    def test_table(self):
        text = report.table(self.evaluation, 0.05)
        testing_pages.check_text(text)
        self.assertIn("by random_224 of embedded", text)
        self.assertStartsWith(text.strip(), "Not audited: a trial of the program with features of")
        protocol = {**self.evaluation.protocol, "feature_network": "hub", "layer": "pool_3"}
        real = dataclasses.replace(self.evaluation, protocol=protocol)
        self.assertStartsWith(report.verdict(real, 0.0), "audit by pool_3 of hub: refused: ")
        self.assertEndsWith(report.verdict(real, 1.0), "passed at a limit of 100.00% copies")
        self.assertRegex(text, r"held-out \(test\) +100 ")
        self.assertRegex(text, r"excess on train maps over held-out: \+")
        self.assertRegex(text, r"planted copies found, of 10 each:\n +exact 100.0%, mirrored 100")
        self.assertRegex(text, r"\n  C_T on train maps: [+-]\d+\.\d, (near|far|as near)")
        self.assertRegex(text, r"\n    patient_[0-9a-f]{16} +2 +\d+ ")
        self.assertRegex(text, r"note: as the thresholds come from 100 crops, an honest")
        rows = [line for line in text.splitlines() if not line.startswith("  note: ")]
        self.assertLess(max(len(line) for line in rows), 112)

    def test_scalars(self):
        self._write()
        found = {}
        for path in pathlib.Path(self.folder).glob("events.*"):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                for value in event.summary.value:
                    found[value.tag] = (event.step, tf.make_ndarray(value.tensor).item())
        step, rate = found["memorization/copy_rate/train_maps"]
        self.assertEqual(step, 7)
        share = self.evaluation.generated["train"].copies.share
        self.assertAlmostEqual(rate, share, places=6)
        self.assertIn("memorization/authentic/held_out", found)


class FiguresTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        images = testing.write_records(folder.name)
        honest = testing.patterns(30, 9)
        cls.painted = np.concatenate([honest, images["train"][:10, :, ::-1]])
        cls.evaluation, cls.generator = testing.audit(folder.name, cls.painted)

    def test_pairs_are_the_most_suspicious_ones(self):
        pairs = report.closest_pairs(self.evaluation, self.generator, 12)
        self.assertLen(pairs, 12)
        rows = report.frame(self.evaluation).head(12)
        for index, flagged, pair in zip(rows["index"], rows["flagged"], pairs):
            np.testing.assert_array_equal(pair.generated, self.painted[index])
            self.assertEqual(pair.flagged, flagged)
        # Mirrored copies: the training crop is shown as the copy shows it.
        for pair in pairs[:10]:
            np.testing.assert_array_equal(pair.generated, pair.training)
            self.assertStartsWith(pair.lines[0], "0.00 by ")
            self.assertEndsWith(pair.lines[0], ", mirrored")
            self.assertStartsWith(pair.lines[1], "patient_")
        self.assertEqual(pairs[0].generated.dtype, np.uint8)

    def test_picture(self):
        pairs = report.closest_pairs(self.evaluation, self.generator, 5)
        path = os.path.join(self.create_tempdir().full_path, "memorization.png")
        figures.save(report.draw(self.evaluation, pairs), path)
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        red = np.abs(pixels - [0xB5, 0x47, 0x2F]).sum(axis=-1) < 12
        self.assertGreater(red.sum(), 1000)  # five frames


if __name__ == "__main__":
    absltest.main()

import os
import tempfile

import numpy as np
from absl.testing import absltest
from PIL import Image

from evaluation.memorization import figures, report, testing


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
        pairs = figures.closest_pairs(self.evaluation, self.generator, 12)
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
            self.assertStartsWith(pair.lines[1], "train_")
        self.assertEqual(pairs[0].generated.dtype, np.uint8)

    def test_picture(self):
        pairs = figures.closest_pairs(self.evaluation, self.generator, 5)
        path = os.path.join(self.create_tempdir().full_path, "new", "memorization.png")
        self.assertEqual(figures.draw(self.evaluation, pairs, path), path)
        pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
        red = np.abs(pixels - [0xB5, 0x47, 0x2F]).sum(axis=-1) < 12
        self.assertGreater(red.sum(), 1000)  # five frames
        self.assertEqual(os.listdir(os.path.dirname(path)), ["memorization.png"])


if __name__ == "__main__":
    absltest.main()

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model import modulation
from preprocessing.data import maps
from preprocessing.data.manifest import Box


def _map(skin_type, code, boxes=((4, 4, 12, 12),), size=16):
    drawn = maps.encode(skin_type, code, [Box(*box) for box in boxes], size, size)
    return drawn.astype(np.float32)[None] / 127.5 - 1


class MapStylesTest(absltest.TestCase):
    def _styles(self, layer, semantic, noise):
        return layer([semantic, tf.constant(noise, tf.float32)])

    def test_styles_say_skin_type_condition_and_noise(self):
        layer = modulation.MapStyles(16)
        noise, other_noise = np.zeros((1, 4)), np.ones((1, 4))
        styles, roi = self._styles(layer, _map(2, 5), noise)
        self.assertEqual(styles.shape, (1, 2, 16))
        np.testing.assert_array_equal(np.argwhere(roi.numpy()[0, ..., 0]).min(0), [4, 4])
        self.assertEqual(roi.numpy().sum(), 64)
        moved, _ = self._styles(layer, _map(2, 5, [(0, 0, 3, 3)]), noise)
        np.testing.assert_array_equal(moved, styles)  # place is for the ROI to say
        condition, _ = self._styles(layer, _map(2, 6), noise)
        np.testing.assert_array_equal(condition[:, 0], styles[:, 0])
        self.assertGreater(np.abs(condition[:, 1] - styles[:, 1]).max(), 1e-3)
        for changed in ((_map(3, 5), noise), (_map(2, 5), other_noise)):
            different = np.abs(self._styles(layer, *changed)[0] - styles).max(-1)
            self.assertGreater(different.min(), 1e-3)

    def test_lesion_noise_is_for_the_inside(self):
        layer = modulation.MapStyles(16, lesion_noise=1)
        noise = np.zeros((1, 4), "f")
        styles, _ = self._styles(layer, _map(2, 5), noise)
        for value, moves_skin in ((0, True), (3, False)):
            other = noise.copy()
            other[0, value] = 1.0
            changed = np.abs(self._styles(layer, _map(2, 5), other)[0] - styles).max(-1)[0]
            self.assertEqual(changed[0] > 0, moves_skin)
            self.assertGreater(changed[1], 0)
        tiled = modulation.TiledNoise(1)([_map(2, 5), tf.ones((1, 3))]).numpy()
        self.assertEqual(tiled.shape, (1, 16, 16, 3))
        np.testing.assert_array_equal(tiled[0, 0, 0], [1, 1, 0])
        np.testing.assert_array_equal(tiled[0, 8, 8], [1, 1, 1])

    def test_works_without_noise(self):
        styles, _ = modulation.MapStyles(16)([_map(2, 5)])
        self.assertEqual(styles.shape, (1, 2, 16))


class ModulationTest(absltest.TestCase):
    def test_scales_and_shifts_by_region(self):
        layer = modulation.Modulation()
        roi = np.zeros((1, 8, 8, 1), np.float32)
        roi[0, 2:6, 3:6] = 1.0  # of the last column, half a cell of 2x2
        styles = np.array([[[1.0, 0.0], [0.0, 1.0]]], np.float32)
        x = np.full((1, 4, 4, 3), 2.0, np.float32)
        layer([x, styles, roi])
        kernel = np.zeros((2, 6), np.float32)
        kernel[0] = [0, 0, 0, 10, 20, 30]  # around: shifts
        kernel[1] = [1, 2, 3, 0, 0, 0]  # inside: scales
        layer.set_weights([kernel, np.zeros(6)])
        outputs = layer([x, styles, roi]).numpy()[0]
        around, inside = np.array([12, 22, 32]), np.array([4, 6, 8])
        np.testing.assert_allclose(outputs[0, 0], around)
        np.testing.assert_allclose(outputs[1, 2], inside)
        np.testing.assert_allclose(outputs[1, 1], 2 * (1 + 0.5 * np.array([1, 2, 3])) + [5, 10, 15])

    def test_coarse_boxes_have_soft_edges(self):
        roi = np.zeros((1, 2, 2, 1), np.float32)
        roi[:, :, 1] = 1.0
        layer = modulation.Modulation()
        x, styles = np.zeros((1, 8, 8, 1), np.float32), np.eye(2, dtype=np.float32)[None]
        layer([x, styles, roi])
        layer.set_weights([np.array([[0, 0], [0, 1]], np.float32), np.zeros(2)])
        row = layer([x, styles, roi]).numpy()[0, 3, :, 0]
        np.testing.assert_allclose(row, [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])


if __name__ == "__main__":
    absltest.main()

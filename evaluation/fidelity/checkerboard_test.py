import numpy as np
import pandas as pd
from absl.testing import absltest, parameterized
from scipy import ndimage

from evaluation.fidelity import checkerboard, testing


def _textured(size=64, seed=0):
    """Skin with the falling spectrum that photographs have."""
    rng = np.random.default_rng(seed)
    texture = ndimage.gaussian_filter(rng.normal(0, 60, (size, size)), 1.6)
    image = testing.skin_image(30.0, size, seed=seed) + texture[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _planted(image, period, amplitude, directions):
    image = image.astype(int)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    rows = {"columns": x, "rows": y, "diagonal": x + y}[directions]
    image[rows % period < period // 2] += amplitude
    return np.clip(image, 0, 255).astype(np.uint8)


class CheckerboardTest(parameterized.TestCase):
    @parameterized.product(
        period=checkerboard.PERIODS, directions=["rows", "columns", "diagonal"], size=[32, 64]
    )
    def test_planted_pattern(self, period, directions, size):
        clean = _textured(size)
        before = checkerboard.measure_spectrum(clean)
        after = checkerboard.measure_spectrum(_planted(clean, period, 12, directions))
        self.assertGreater(after["share"], 5 * before["share"])
        self.assertGreater(after["prominence"], 1.3 * before["prominence"])

    def test_other_periods_do_not_count(self):
        clean = _textured()
        before = checkerboard.measure_spectrum(clean)
        after = checkerboard.measure_spectrum(_planted(clean, 16, 12, "rows"))
        self.assertLess(after["share"], 2 * before["share"])

    def test_smooth_and_flat_images(self):
        smooth = testing.skin_image(30.0, noise=0.0)
        self.assertLess(checkerboard.measure_spectrum(smooth)["share"], 0.02)
        flat = np.full((32, 32, 3), 100, np.uint8)
        self.assertLess(checkerboard.measure_spectrum(flat)["share"], 1e-6)

    def test_detail_alone_is_not_prominent(self):
        prominences = []
        for seed in range(20):
            noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 1), dtype=np.uint8)
            prominences.append(
                checkerboard.measure_spectrum(np.repeat(noise, 3, axis=2))["prominence"]
            )
        self.assertAlmostEqual(np.mean(prominences), 1.0, delta=0.1)

    def test_spectrum_of_a_wave(self):
        x = np.arange(32)
        wave = 128 + 100 * np.cos(2 * np.pi * x * 8 / 32)  # period 4 along columns
        image = np.repeat(np.tile(wave, (32, 1))[..., None], 3, axis=2).astype(np.uint8)
        power = checkerboard.power_spectrum(image)
        self.assertEqual(np.unravel_index(power.argmax(), power.shape)[0], 0)
        self.assertIn(np.unravel_index(power.argmax(), power.shape)[1], (8, 24))
        self.assertGreater(checkerboard.measure_spectrum(image)["share"], 0.95)

    def test_ratio_to_photographs(self):
        clean = [checkerboard.measure_spectrum(_textured(seed=seed)) for seed in range(12)]
        bad = [
            checkerboard.measure_spectrum(_planted(_textured(seed=seed), 2, 10, "rows"))
            for seed in range(12, 24)
        ]
        real = pd.DataFrame(clean).assign(patient=range(12))
        generated = pd.DataFrame(bad).assign(map=range(12))
        same = checkerboard.compare_spectra(
            real, real.assign(map=range(12)), replicates=100, seed=0
        )
        self.assertAlmostEqual(same.ratio["share"].value, 1.0)
        worse = checkerboard.compare_spectra(real, generated, replicates=100, seed=0)
        self.assertGreater(worse.ratio["share"].low, 3.0)

    def test_sizes_without_the_frequencies(self):
        for size in (8, 30):
            with self.assertRaisesRegex(ValueError, f"images of {size}x{size}: the checkerboard"):
                checkerboard.measure_spectrum(np.zeros((size, size, 3), np.uint8))


if __name__ == "__main__":
    absltest.main()

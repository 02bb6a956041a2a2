import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.demo import growths
from preprocessing.demo.canvas import Canvas, Element, Patch


def _paint(name, seed):
    axis = (np.arange(120, dtype=np.float32) + 0.5) / 2 - 30
    t, s = np.meshgrid(axis, axis, indexing="ij")
    canvas = Canvas.blank(s, t, 2.0, num_rois=1)
    canvas.hair += 1.0
    getattr(growths, name)(Patch.at(canvas, Element(name, 0.0, 0.0, 12.0, 0.7, seed), 0))
    return canvas


class GrowthsTest(parameterized.TestCase):
    # Means inside the marked part: pigment, relief in millimetres, crust or scale.
    @parameterized.parameters(
        ("melanocytic_nevus", "melanin", 0.8, 9),
        ("lentigo", "melanin", 0.4, 9),
        ("lentigo", "height", -0.01, 0.01),
        ("melanoma", "melanin", 1.2, 9),
        ("seborrheic_keratosis", "height", 1.0, 9),
        ("cyst", "height", 1.0, 9),
        ("scar", "smooth", 0.5, 1),
        ("carcinoma", "cover", 0.3, 1),
        ("hemangioma", "cover", 0.5, 1),
        ("wart", "cover", 0.5, 1),
        ("skin_tag", "height", 1.0, 9),
        ("bruise", "blood", 0.4, 9),
        ("bruise", "height", -0.01, 0.01),
        ("insect_bite", "blood", 0.3, 9),
    )
    def test_has_the_signs_of_its_condition(self, name, layer, low, high):
        for seed in range(4):
            canvas = _paint(name, seed)
            marked = canvas.truth[0] > 0.4
            self.assertBetween(float(getattr(canvas, layer)[marked].mean()), low, high)

    def test_another_seed_is_another_lesion(self):
        first, again, other = (_paint("melanocytic_nevus", seed).truth for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - other).max(), 0.5)


if __name__ == "__main__":
    absltest.main()

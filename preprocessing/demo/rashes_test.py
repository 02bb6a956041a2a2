import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.demo import rashes
from preprocessing.demo.canvas import Canvas, Element, Patch


def _paint(name, seed):
    axis = (np.arange(120, dtype=np.float32) + 0.5) / 2 - 30
    t, s = np.meshgrid(axis, axis, indexing="ij")
    canvas = Canvas.blank(s, t, 2.0, num_rois=1)
    canvas.hair += 1.0
    getattr(rashes, name)(Patch.at(canvas, Element(name, 0.0, 0.0, 12.0, 0.7, seed), 0))
    return canvas


class RashesTest(parameterized.TestCase):
    # Means inside the marked part: redness, pigment, hair, scale, relief in millimetres.
    @parameterized.parameters(
        ("psoriasis", "blood", 0.7, 9),
        ("psoriasis", "cover", 0.1, 1),
        ("alopecia_areata", "hair", 0, 0.2),
        ("alopecia_areata", "melanin", -0.05, 0.05),
        ("androgenetic_alopecia", "hair", 0.1, 0.6),
        ("vitiligo", "cover", 0.6, 1),
        ("wheal", "height", 0.3, 9),
        ("wheal", "cover", 0, 0.01),
        ("hyperpigmentation", "melanin", 0.3, 9),
        ("hyperpigmentation", "blood", -0.01, 0.01),
        ("versicolor_pale", "melanin", -9, -0.2),
        ("versicolor_dark", "melanin", 0.2, 9),
        ("contact_dermatitis", "blood", 0.5, 9),
        ("stasis_dermatitis", "melanin", 0.3, 9),
        ("pustule", "height", 0.8, 9),
    )
    def test_has_the_signs_of_its_condition(self, name, layer, low, high):
        for seed in range(4):
            canvas = _paint(name, seed)
            marked = canvas.truth[0] > 0.4
            self.assertBetween(float(getattr(canvas, layer)[marked].mean()), low, high)

    def test_another_seed_is_another_lesion(self):
        first, again, other = (_paint("psoriasis", seed).truth for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - other).max(), 0.5)


if __name__ == "__main__":
    absltest.main()

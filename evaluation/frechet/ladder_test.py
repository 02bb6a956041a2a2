import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.features.image_sets import ImageSet
from evaluation.frechet import ladder
from evaluation.frechet.ladder import Ladder
from evaluation.frechet.protocol import TrialProtocol
from synthesis.layouts import Layout

_LADDER = Ladder(1.0, 1.2, {2: 3.0, 4: 6.0, 8: 12.0})


class VerdictTest(parameterized.TestCase):
    @parameterized.parameters(
        (1.1, "good", "not told apart from photographs"),
        (2.0, "good", "nearer to photographs than photographs at a half of their resolution"),
        (4.0, "usable", "as far from photographs as photographs at a half to a quarter of their"),
        (6.0, "bad", "as far from photographs as photographs at a quarter to an eighth of their"),
        (99.0, "bad", "farther from photographs than photographs at an eighth of their"),
    )
    def test_where_images_stand(self, distance, grade, expected):
        self.assertStartsWith(_LADDER.verdict(distance), expected)
        self.assertEqual(_LADDER.grade(distance), grade)

    @parameterized.parameters(
        # A half equals the floor; then a half and a quarter equal each other.
        (
            {2: 1.1, 4: 6.0, 8: 12.0},
            2.0,
            "usable",
            "nearer to photographs than photographs at a quarter",
        ),
        (
            {2: 1.1, 4: 6.0, 8: 12.0},
            7.0,
            "bad",
            "as far from photographs as photographs at a quarter",
        ),
        (
            {2: 3.0, 4: 3.1, 8: 12.0},
            3.05,
            "usable",
            "nearer to photographs than photographs at a quarter",
        ),
        (
            {2: 6.0, 4: 3.0, 8: 12.0},
            4.0,
            "bad",
            "as far from photographs as photographs at a quarter",
        ),
    )
    def test_steps_that_are_not_told_apart_are_left_out(self, blurred, distance, grade, expected):
        found = Ladder(1.0, 1.2, blurred)
        self.assertEqual(found.as_dict()["told_apart"], ["1/4", "1/8"])
        self.assertStartsWith(found.verdict(distance), expected)
        self.assertEndsWith(found.verdict(distance), "(a half not told apart here)")
        self.assertEqual(found.grade(distance), grade)

    def test_a_network_that_tells_no_step_has_no_say(self):
        blind = Ladder(1.0, 1.2, {2: 1.0, 4: 1.1, 8: 1.2})
        self.assertStartsWith(blind.verdict(2.0), "no verdict")
        self.assertEqual(blind.grade(2.0), "")
        self.assertEqual(Ladder(1.0, 1.2, {2: 1.0, 4: 1.1, 8: 9.0}).grade(2.0), "")
        self.assertEqual([*_LADDER.steps], [2, 4, 8])


class MeasureTest(absltest.TestCase):
    def test_blurring_loses_detail_and_keeps_the_colour(self):
        pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
        images = ImageSet(
            "test",
            "d",
            (Layout("Acne", 1, ()),) * 3,
            *[("a", "b", "c")] * 2,
            ("annotated",) * 3,
            lambda: tf.data.Dataset.from_tensor_slices(pixels),
        )
        deviations = [pixels.std()]
        for factor in ladder.FACTORS:
            lost = ladder.blur(images, factor)
            self.assertNotEqual(lost.digest, images.digest)
            found = lost.pixels()
            self.assertEqual((found.shape, found.dtype), (pixels.shape, np.uint8))
            self.assertAlmostEqual(found.mean(), pixels.mean(), delta=2.0)
            deviations.append(found.std())
        self.assertEqual(deviations, sorted(deviations, reverse=True))

    def test_held_out_patients_are_the_ones_blurred(self):
        rng = np.random.default_rng(1)
        patients = [f"p{index // 2}" for index in range(80)]
        real = rng.normal(size=(80, 4))
        blurred = {factor: real + factor for factor in ladder.FACTORS}
        found = ladder.measure(real, blurred, patients, 30, TrialProtocol(trials=4, partings=2))
        self.assertEqual([*found.steps], [2, 4, 8])
        # A shift of f in each of four features: 4 f^2 farther, about.
        self.assertAlmostEqual(found.blurred[4] - found.floor, 4 * 16, delta=12)
        # Photographs against themselves would be at 0; others are not.
        self.assertGreater(found.floor, 0.05)


if __name__ == "__main__":
    absltest.main()

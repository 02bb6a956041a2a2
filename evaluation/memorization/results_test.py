import numpy as np
import tensorflow as tf
from absl.testing import absltest

from evaluation.features.image_sets import ImageSet
from evaluation.memorization import audit, results
from evaluation.memorization.audit import Rate
from evaluation.memorization.nearest_neighbours import Neighbours
from evaluation.memorization.results import Protocol
from synthesis.layouts import Layout


def _queries(ratio, conditions):
    ratio = np.array(ratio, np.float64)
    number = len(ratio)
    layouts = tuple(Layout(condition, 1, ()) for condition in conditions)
    names = ("",) * number
    images = ImageSet("images", "0", layouts, names, names, lambda: tf.data.Dataset.range(number))
    ones = np.ones(number)
    found = Neighbours(np.zeros(number, np.int64), ratio, ratio < 0, ones, 1e-3)
    neighbours = {"features": found, "thumbnails": found}
    matches = audit.match(neighbours, {"features": 0.5, "thumbnails": 0.4})
    seeds = np.arange(number)
    return results.judge(images, seeds, neighbours, matches, matches.copy_rate())


class ResultsTest(absltest.TestCase):
    def test_seeds_are_those_of_the_images(self):
        protocol = Protocol(num_images=3, seed=2)
        self.assertEqual(protocol.painting_seed("train"), 4)
        self.assertEqual(
            protocol.image_seeds("validation").tolist(), [5 * 2**32 + i for i in range(3)]
        )

    def test_score(self):
        score = _queries([0.0, 0.5, 0.9, 1.5], ["Acne"] * 4).score
        self.assertEqual(score.copies, Rate(2, 4))
        self.assertEqual(score.authentic, Rate(1, 4))
        self.assertEqual(score.identical, 1)
        self.assertEqual(score.quantiles["features"]["50"], 0.7)
        self.assertEqual(score.as_dict()["copies"]["share"], 0.5)

    def test_conditions(self):
        held_out = _queries([1.2, 0.9], ["Acne", "Acne"])
        first = _queries([0.1, 1.1], ["Acne", "Vitiligo"])
        second = _queries([2.0], ["Acne"])
        found = results.by_condition(held_out, [first, second])
        self.assertEqual(
            found["Acne"],
            {"copies": Rate(1, 2), "authentic": Rate(1, 2), "held_out_authentic": Rate(1, 2)},
        )
        self.assertEqual(found["Vitiligo"]["copies"], Rate(0, 1))
        self.assertIsNone(found["Vitiligo"]["held_out_authentic"])

    def test_misreadings(self):
        near = _queries([0.9] * 20 + [1.1] * 20, ["Acne"] * 40)
        far = _queries([1.9] * 40, ["Acne"] * 40)
        rows = [
            {"patient_id": "a", "p": 0.01, "flagged": 0},
            {"patient_id": "b", "p": 0.01, "flagged": 2},
        ]
        self.assertEmpty(results.misreadings(near, {"train": near}, rows[1:]))
        found = results.misreadings(near, {"train": near, "validation": far}, rows)
        self.assertStartsWith(found[0], "images of validation maps are more often authentic")
        self.assertStartsWith(found[1], "nearest remarkably often without a flagged copy: 1")


if __name__ == "__main__":
    absltest.main()

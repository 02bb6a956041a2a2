import itertools
import random

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics
from statsmodels.stats import inter_rater

from preprocessing.data.manifest import Box
from preprocessing.importers import annotations
from preprocessing.importers.annotations import Mark


class VoteTest(parameterized.TestCase):
    def test_scins_own_example(self):
        # dataset_schema.md: three dermatologists; names as its label column merges them.
        first = annotations.rank_weights({"Eczema": 3, "Dermatitis": 2, "Psoriasis": 1})
        second = annotations.rank_weights({"Eczema": 3})
        third = annotations.rank_weights({"Eczema": 4, "PIH": 3})
        result = annotations.vote([first, second, third])
        self.assertEqual(result.winner, "Eczema")
        rounded = {name: round(share, 2) for name, share in result.share.items()}
        self.assertEqual(
            rounded, {"Eczema": 0.69, "Dermatitis": 0.12, "PIH": 0.12, "Psoriasis": 0.08}
        )

    def test_equal_confidence_shares_ranks(self):
        weights = annotations.rank_weights({"c": 1, "a": 4, "b": 4})
        self.assertEqual(weights, {"a": 0.75, "b": 0.75, "c": 1 / 3})
        self.assertEqual(annotations.rank_weights({}), {})

    def test_ties(self):
        opinions = [{"Acne": 1, "Tinea": 0.5}, {"Eczema": 1.0000004}]
        result = annotations.vote(opinions)
        self.assertIsNone(result.winner)
        self.assertEqual(result.tied, ("Acne", "Eczema"))
        # Confidence decides between the two, not for the third.
        broken = annotations.vote(opinions, [{"Acne": 3, "Eczema": 4, "Tinea": 5}])
        self.assertEqual((broken.winner, broken.tied), ("Eczema", ("Eczema",)))
        still = annotations.vote(opinions, [{"Tinea": 5}])
        self.assertEqual((still.winner, still.tied), (None, ("Acne", "Eczema")))

    @parameterized.parameters(([],), ([{}],), ([{"Acne": 0.0}],))
    def test_nobody_voted(self, opinions):
        with self.assertRaisesRegex(ValueError, "no condition has any weight"):
            annotations.vote(opinions)

    @parameterized.parameters(-1.0, float("nan"), float("inf"))
    def test_impossible_weight(self, weight):
        with self.assertRaisesRegex(ValueError, "of 'Acne' is not a finite number from 0 up"):
            annotations.vote([{"Acne": weight}])


class SkinTypeTest(parameterized.TestCase):
    @parameterized.parameters(
        ([], None),
        ([3], 3),
        ([2, 3], 3),
        ([1, 2, 6], 2),
        ([1, 2, 3, 6], 3),
        ([5, 6], 6),
        ([2, 4], 3),
    )
    def test_median_and_the_darker_of_two(self, types, expected):
        self.assertEqual(annotations.median_step(types), expected)


class BoxesTest(parameterized.TestCase):
    def test_iou(self):
        # 10x10 boxes that share 5x10 of 150.
        self.assertAlmostEqual(annotations.iou(Box(0, 0, 10, 10), Box(5, 0, 15, 10)), 1 / 3)
        self.assertEqual(annotations.iou(Box(0, 0, 10, 10), Box(0, 0, 10, 10)), 1)
        self.assertEqual(annotations.iou(Box(0, 0, 10, 10), Box(10, 0, 20, 10)), 0)
        self.assertEqual(annotations.iou(Box(0, 0, 1, 1), Box(5, 5, 6, 6)), 0)

    def test_mean_weighted_by_confidence(self):
        marks = [Mark("a", Box(0, 0, 10, 10), 3), Mark("b", Box(4, 0, 10, 14), 1)]
        (found,) = annotations.cluster_boxes(marks, 0.3)
        self.assertEqual(found.box, Box(1, 0, 10, 11))
        self.assertEqual([mark.annotator for mark in found.marks], ["a", "b"])

    def test_one_box_of_each_annotator_and_those_alone(self):
        marks = [
            Mark("a", Box(0, 0, 10, 10)),
            Mark("a", Box(1, 0, 11, 10)),
            Mark("b", Box(1, 0, 11, 10)),
            Mark("c", Box(50, 50, 60, 60)),
        ]
        found = annotations.cluster_boxes(marks)
        self.assertEqual([len(one.marks) for one in found], [2, 1, 1])
        self.assertEqual(found[0].box, Box(1, 0, 11, 10))

    def test_complete_linkage_does_not_chain(self):
        # Neighbours overlap by 6/14, the outer two by 2/18.
        marks = [Mark(name, Box(x, 0, x + 10, 1)) for name, x in (("a", 0), ("b", 4), ("c", 8))]
        self.assertEqual([len(one.marks) for one in annotations.cluster_boxes(marks, 0.4)], [2, 1])

    def test_the_order_of_the_marks_does_not_matter(self):
        rng = random.Random(0)
        marks = [
            Mark(name, Box(x, y, x + rng.randint(5, 9), y + rng.randint(5, 9)), rng.choice((1, 2)))
            for name in "abc"
            for x, y in itertools.product((0, 4, 20), (0, 5))
        ]
        marks.append(marks[0])  # Drawn twice by the same hand.
        expected = annotations.cluster_boxes(marks, 0.3)
        self.assertEqual(sum(len(one.marks) for one in expected), len(marks))
        for _ in range(5):
            rng.shuffle(marks)
            self.assertEqual(annotations.cluster_boxes(marks, 0.3), expected)

    def test_out_of_range(self):
        for wrong in (0, 1.1):
            with self.assertRaisesRegex(ValueError, "min_iou must be above 0 and at most 1"):
                annotations.cluster_boxes([], wrong)
        with self.assertRaisesRegex(ValueError, "confidence of 'a' must be above 0, not 0"):
            annotations.cluster_boxes([Mark("a", Box(0, 0, 1, 1), 0)])

    def test_majority(self):
        self.assertEqual([annotations.majority(n) for n in (1, 2, 3, 4, 5)], [1, 2, 2, 3, 3])

    def test_mean_pairwise_iou(self):
        first, half = Box(0, 0, 10, 10), Box(0, 0, 10, 5)
        marks = [Mark("a", first), Mark("b", half)]
        self.assertEqual(annotations.mean_pairwise_iou(marks), 0.5)
        # b drew another one, which has no partner: (0.5 + 0) / 2.
        marks.append(Mark("b", Box(50, 50, 60, 60)))
        self.assertEqual(annotations.mean_pairwise_iou(marks), 0.25)
        # The match of the largest sum, not the first that fits: 1 + 0.5 of two.
        marks = [Mark("a", half), Mark("a", first), Mark("b", first), Mark("b", first)]
        self.assertEqual(annotations.mean_pairwise_iou(marks), 0.75)
        self.assertIsNone(annotations.mean_pairwise_iou(marks[:2]))


class KappaTest(parameterized.TestCase):
    def test_cohens_example(self):
        # Both yes 20, both no 15, apart 5 and 10: (0.7 - 0.5) / (1 - 0.5).
        pairs = [(1, 1)] * 20 + [(1, 0)] * 5 + [(0, 1)] * 10 + [(0, 0)] * 15
        self.assertAlmostEqual(annotations.cohen_kappa(pairs), 0.4)

    @parameterized.parameters(False, True)
    def test_cohen_is_that_of_scikit_learn(self, quadratic):
        rng = np.random.default_rng(0)
        one = rng.integers(1, 7, 200)
        other = np.clip(one + rng.integers(-1, 2, 200), 1, 6)
        expected = metrics.cohen_kappa_score(one, other, weights="quadratic" if quadratic else None)
        found = annotations.cohen_kappa(list(zip(one.tolist(), other.tolist())), quadratic)
        self.assertAlmostEqual(found, expected, places=12)

    def test_fleiss_is_that_of_statsmodels(self):
        ratings = np.random.default_rng(1).integers(1, 5, (60, 4))
        expected = inter_rater.fleiss_kappa(inter_rater.aggregate_raters(ratings)[0])
        self.assertAlmostEqual(annotations.fleiss_kappa(ratings.tolist()), expected, places=12)

    def test_fleiss_of_different_numbers(self):
        # Agreement (1 + 1/3 + 1) / 3 = 7/9; shares of a (1 + 2/3 + 0) / 3 = 5/9, of b
        # 4/9; chance 41/81; (63 - 41) / (81 - 41). The case of one does not count.
        cases = ["aa", "aab", "bbb", "b"]
        self.assertAlmostEqual(annotations.fleiss_kappa(cases), 22 / 40)

    def test_where_kappa_is_not_defined(self):
        self.assertIsNone(annotations.cohen_kappa([]))
        self.assertIsNone(annotations.cohen_kappa([("a", "a")]))
        self.assertIsNone(annotations.fleiss_kappa(["a", "b"]))
        self.assertIsNone(annotations.fleiss_kappa(["aa", "aaa"]))


class AgreementTest(absltest.TestCase):
    def test_two_people(self):
        cases = [{"x": 1, "y": 1}, {"y": 4, "x": 2}, {"x": 3, "y": 4}, {"x": 6}]
        found = annotations.agreement("skin type", cases, numbers=True)
        self.assertEqual((found.cases, found.equal, found.near), (3, 1 / 3, 2 / 3))
        self.assertAlmostEqual(
            found.kappa, metrics.cohen_kappa_score([1, 2, 3], [1, 4, 4], weights="quadratic")
        )
        self.assertRegex(
            str(found),
            r"^skin type: 3 cases with several annotators, 33% of pairs equal, 67% at most one "
            r"apart, Cohen's kappa \(quadratic weights\) 0\.\d\d$",
        )

    def test_more_or_interchangeable_people(self):
        cases = [{"1": "a", "2": "a"}, {"1": "a", "2": "a", "3": "b"}, {"2": "b", "3": "b"}]
        found = annotations.agreement("condition", cases)
        self.assertEqual((found.method, found.near), ("Fleiss' kappa", None))
        self.assertEqual(found.equal, 3 / 5)
        self.assertAlmostEqual(found.kappa, annotations.fleiss_kappa(["aa", "aab", "bb"]))
        two = annotations.agreement("condition", cases[:1], named=False)
        self.assertEqual((two.method, two.kappa), ("Fleiss' kappa", None))
        self.assertIn("kappa not defined", str(two))

    def test_nobody_shared_a_case(self):
        self.assertIsNone(annotations.agreement("x", [{"a": 1}, {}]))


if __name__ == "__main__":
    absltest.main()

import dataclasses
import math

import numpy as np
from absl.testing import absltest
from scipy import stats
from statsmodels.stats import proportion

from evaluation.reader_study import scores, testing
from evaluation.reader_study.answer_key import Answer, Answers
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE, Design

_DESIGN = Design(real=40, synthetic=40, repeats=20, pairs=20, questions=12, images_per_question=8)


def _panel(key, looks_real):
    """A panel of readers who each judge by looks_real(picture, number of the reader)."""
    return [
        testing.answer_all(key, reader, lambda one, n=number: looks_real(one, n))
        for number, reader in enumerate(key.readers)
    ]


class FrameTest(absltest.TestCase):
    def test_has_a_row_for_everything_judged(self):
        key, _ = testing.small_study(readers=2)
        trials = key.readers["reader_01"].trials
        answers = {}
        for trial in trials:
            choice = {REALISM: "real", PAIR: "right_2", RELEVANCE: (0, 3)}[trial.kind]
            answers[trial.trial_id] = Answer(choice, 700)
        one = Answers("reader_01", "research", "0", "now", answers)
        rows = scores.judged_pictures(key, [one])
        self.assertLen(rows, 16 + 4 + 2 * 3 + 3 * 8)
        self.assertTrue(rows[rows["test"] == REALISM]["chosen"].all())
        pairs = rows[rows["test"] == PAIR]
        self.assertEqual(pairs["chosen"].tolist(), [False, True] * 3)
        self.assertEqual(set(pairs["confidence"]), {2})
        questions = rows[rows["test"] == RELEVANCE]
        self.assertEqual(
            questions["chosen"].tolist(), ([True, False, False, True] + [False] * 4) * 3
        )
        for row in questions.itertuples():
            self.assertEqual(row.condition, key.pictures[row.picture].condition)
            self.assertEqual(row.relevant, row.condition == row.asked)
        self.assertEqual(rows["repeat"].sum(), 4)


class MeasuresTest(absltest.TestCase):
    def test_rates_and_sensitivity(self):
        real = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], bool)
        synthetic = np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], bool)
        found = scores.measures_by_reader(REALISM, [real, synthetic])
        np.testing.assert_allclose(found["tpr"], [0.75, 0.25])
        np.testing.assert_allclose(found["fpr"], [0.2, 0.4])
        np.testing.assert_allclose(found["difference"], [0.55, -0.15])
        # Log-linear: (3 + 0.5) / (4 + 1) = 0.7 and (1 + 0.5) / (5 + 1) = 0.25.
        z = stats.norm.ppf
        np.testing.assert_allclose(
            found["d_prime"], [z(0.7) - z(0.25), z(0.3) - z(2.5 / 6)], rtol=1e-12
        )
        np.testing.assert_allclose(found["criterion"][0], -(z(0.7) + z(0.25)) / 2, rtol=1e-12)

    def test_sensitivity_of_perfect_readers_is_finite(self):
        found, criterion = scores.d_prime(np.array([80, 0]), 80, np.array([0, 80]), 80)
        self.assertAlmostEqual(found[0], 2 * stats.norm.ppf(80.5 / 81))
        self.assertAlmostEqual(found[1], -found[0])
        np.testing.assert_allclose(criterion, 0, atol=1e-12)


class ScoreTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key, _ = testing.small_study(_DESIGN, readers=6, per_condition=30)

    def _scores(self, looks_real):
        judged = scores.judged_pictures(self.key, _panel(self.key, looks_real))
        return judged, scores.score_answers(judged, replicates=50)

    def _value(self, found, test, measure, by="all"):
        """Returns the scores of one measure by group."""
        return {
            one.group: one
            for one in found
            if (one.test, one.by, one.measure) == (test, by, measure)
        }

    def _binomial(self, score):
        return score.binomial_low, score.binomial_high

    def test_readers_who_know(self):
        judged, found = self._scores(lambda one, _: not one.synthetic)
        for test, measure, wanted in (
            (REALISM, "tpr", 1.0),
            (REALISM, "fpr", 0.0),
            (PAIR, "correct", 1.0),
            (RELEVANCE, "recall_real", 1.0),
            (RELEVANCE, "recall_synthetic", 0.0),
            (RELEVANCE, "wrong_real", 0.0),
        ):
            score = self._value(found, test, measure)[""]
            self.assertEqual((score.mean, score.sd, score.readers), (wanted, 0.0, 6))
            self.assertEqual(
                (score.readers_and_pictures_low, score.readers_and_pictures_high), (wanted, wanted)
            )
        self.assertEqual(
            scores.self_consistency(judged),
            dict.fromkeys(self.key.readers, (20, 20)),
        )
        agreement = scores.reader_agreement(judged, replicates=50)
        self.assertEqual(agreement[REALISM].value, 1.0)

    def test_groups(self):
        # Readers take Acne for real, and reader 0 everything; nobody else anything.
        _, found = self._scores(lambda one, n: one.condition == "Acne" or n == 0)
        tpr = self._value(found, REALISM, "tpr", "condition")
        self.assertEqual(tpr["Acne"].mean, 1.0)
        self.assertAlmostEqual(tpr["Melanoma"].mean, 1 / 6)
        self.assertAlmostEqual(tpr["Melanoma"].sd, np.std([1, 0, 0, 0, 0, 0], ddof=1))
        self.assertEqual(tpr["Melanoma"].pictures, 10)
        recall = self._value(found, RELEVANCE, "recall_synthetic", "condition")
        self.assertEqual((recall["Acne"].mean, recall["Acne"].pictures), (1.0, 6))
        by_reader = self._value(found, REALISM, "fpr", "reader")
        self.assertEqual(by_reader["reader_01"].mean, 1.0)
        self.assertEqual(by_reader["reader_02"].mean, 0.25)
        exact = proportion.proportion_confint(10, 40, method="beta")
        np.testing.assert_allclose(self._binomial(by_reader["reader_02"]), exact, rtol=1e-9)
        overall = self._value(found, REALISM, "fpr")[""]
        self.assertAlmostEqual(overall.mean, (1 + 5 * 0.25) / 6)
        np.testing.assert_allclose(
            self._binomial(overall),
            proportion.proportion_confint(90, 240, method="wilson"),
            rtol=1e-9,
        )
        skin = self._value(found, REALISM, "tpr", "skin_type")
        self.assertEqual(sum(one.pictures for one in skin.values()), 40)
        estimated = {
            name: dataclasses.replace(one, skin_type_source="estimated")
            for name, one in self.key.pictures.items()
            if one.skin_type < 3
        }
        key = dataclasses.replace(self.key, pictures={**self.key.pictures, **estimated})
        judged = scores.judged_pictures(key, _panel(key, lambda one, n: not one.synthetic))
        apart = self._value(scores.score_answers(judged, 20), REALISM, "tpr", "skin_type")
        names = ["1 (estimated)", "2 (estimated)", "3", "4", "5", "6"]
        self.assertEqual(sorted(apart), names)

    def test_two_readers_have_no_bootstrap(self):
        judged = scores.judged_pictures(
            self.key, _panel(self.key, lambda one, n: bool(one.crop % 2))[:2]
        )
        score = self._value(scores.score_answers(judged, replicates=20), RELEVANCE, "recall_real")[
            ""
        ]
        self.assertTrue(math.isnan(score.readers_and_pictures_low))
        self.assertLess(score.binomial_low, score.mean)

    def test_repeats_count_once(self):
        judged, found = self._scores(lambda one, _: not one.synthetic)
        flipped = judged.copy()
        flipped.loc[flipped["repeat"], "chosen"] ^= True
        again = scores.score_answers(flipped, replicates=20)
        np.testing.assert_array_equal([one.mean for one in again], [one.mean for one in found])
        self.assertEqual(set(scores.self_consistency(flipped).values()), {(0, 20)})


class PanelTest(absltest.TestCase):
    """Panels whose sensitivity is known are found to have it."""

    def test_the_interval_covers_the_truth(self):
        # Readers with d' = 1 and a criterion that puts TPR at 0.7: z(0.7) - z(FPR) = 1.
        tpr, fpr = 0.7, stats.norm.cdf(stats.norm.ppf(0.7) - 1)
        truth = {"tpr": tpr, "fpr": fpr, "difference": tpr - fpr, "d_prime": 1.0}
        rng = np.random.default_rng(1)
        covered = dict.fromkeys(truth, 0)
        studies, pictures = 40, 80
        for _ in range(studies):
            chosen = [rng.random((8, pictures)) < rate for rate in (tpr, fpr)]
            sources = [[f"{kind}{i}" for i in range(pictures)] for kind in "rs"]
            for score in scores.score_matrices(REALISM, chosen, sources, replicates=100):
                if score.measure in truth:
                    low, high = score.readers_and_pictures_low, score.readers_and_pictures_high
                    self.assertLess(high - low, 0.8)
                    covered[score.measure] += low <= truth[score.measure] <= high
        for measure, count in covered.items():
            # 95 % wanted: less than 33 of 40 has a chance of 0.0007.
            self.assertGreaterEqual(count, 33, measure)

    def test_another_panel_is_not_covered(self):
        rng = np.random.default_rng(2)
        chosen = [rng.random((8, 80)) < rate for rate in (0.9, 0.3)]
        sources = [[str(i) for i in range(80)]] * 2
        found = scores.score_matrices(REALISM, chosen, sources, replicates=150)
        d_prime = next(one for one in found if one.measure == "d_prime")
        self.assertGreater(d_prime.readers_and_pictures_low, 1.0)

    def test_pictures_of_one_patient_widen_the_interval(self):
        rng = np.random.default_rng(3)
        common = np.repeat(rng.random(10) < 0.5, 8)  # eight alike pictures of each patient
        chosen = [np.where(rng.random((8, 80)) < 0.9, common, ~common)] * 2
        alone = [[str(i) for i in range(80)]] * 2
        together = [[str(i // 8) for i in range(80)]] * 2
        widths = []
        for sources in (alone, together):
            score = scores.score_matrices(REALISM, chosen, sources, replicates=200)[0]
            widths.append(score.readers_and_pictures_high - score.readers_and_pictures_low)
        self.assertGreater(widths[1], 1.8 * widths[0])


if __name__ == "__main__":
    absltest.main()

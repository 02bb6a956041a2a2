import json
import os

import numpy as np
import pandas as pd
from absl.testing import absltest

from common import testing_pages
from common.report import Report
from evaluation.ablation import report
from evaluation.ablation.study import Measured, Model
from evaluation.frechet.evaluator import FrechetEvaluation
from evaluation.frechet.protocol import METRICS, TrialScores

_PROTOCOL = {
    "trials": 4,
    "real_split": "test",
    "real_images": 90,
    "real_patients": 30,
    "layer": "pool_3",
    "feature_network": "net",
    "resize": "bilinear",
    "input_size": 299,
}


def _measured(variant, seed, distances):
    values = dict.fromkeys(METRICS, (0.5,) * 4)
    scores = TrialScores(40, 45, {**values, "frechet": distances}, values, None)
    evaluation = FrechetEvaluation("r", 100, "FID", _PROTOCOL, scores, {}, {}, None, {}, ("early",))
    return Measured(Model(variant, seed, f"runs/{variant}/{seed}"), 1234567, evaluation)


class ReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.measured = [
            _measured("full", 0, (1.0, 2.0, 3.0, 4.0)),
            _measured("no_roi", 0, (1.5, 2.5, 3.5, 4.5)),
            _measured("full", 1, (2.0, 2.0, 2.0, 2.0)),
            _measured("no_roi", 1, (2.5, 2.5, 2.5, 1.5)),
        ]

    def test_rows(self):
        real, full, no_roi = report.make_rows(self.measured)
        self.assertEqual([real.variant, full.variant, no_roi.variant], ["real", "full", "no_roi"])
        self.assertEqual(full.as_dict()["frechet"], 2.25)
        # Paired: the trials vary by 1, the differences hardly.
        np.testing.assert_allclose(no_roi.difference, [[0.5] * 4, [0.5] * 3 + [-0.5]])
        entry = no_roi.as_dict()
        self.assertEqual(entry["difference"], 0.375)
        self.assertAlmostEqual(entry["difference_interval"], 1.96 * 0.35355, places=3)
        self.assertEqual(entry["seeds"], 2)
        self.assertEqual((entry["frechet_seed_0"], entry["frechet_seed_1"]), (3.0, 2.25))
        self.assertNotIn("difference", full.as_dict())

    def test_the_seeds_decide(self):
        # Means of 0.5 and 0.25 by seed: 0.375 +- 12.706 x 0.125.
        no_roi = report.make_rows(self.measured)[2]
        np.testing.assert_allclose(no_roi.difference_of_seeds(), (-1.2133, 1.9633), atol=1e-3)
        text = report.markdown(self.measured)
        self.assertIn("no ROI loss: not told apart from the full model; mean difference of 2", text)

    def test_seeds_that_agree(self):
        for shift, said in ((1.0, "worse"), (-1.0, "better")):
            measured = [*self.measured[:3:2]]
            for seed, full in enumerate(((1.0, 2.0, 3.0, 4.0), (2.0, 2.0, 2.0, 2.0))):
                by_trial = tuple(value + shift + 0.01 * seed for value in full)
                measured.append(_measured("no_roi", seed, by_trial))
            text = report.markdown(measured)
            self.assertIn(f"- no ROI loss: {said}; mean difference of 2 seeds between ", text)

    def test_one_seed_cannot_tell(self):
        table = report.make_rows(self.measured[:2])
        self.assertEqual(table[2].difference_of_seeds(), (None, None))
        text = report.markdown(self.measured[:2])
        self.assertIn("no ROI loss: one seed cannot tell", text)

    def test_files(self):
        folder = self.create_tempdir().full_path
        results = Report(folder, "ablation", _PROTOCOL)
        report.write(self.measured, results)
        paths = results.paths
        self.assertEqual(
            sorted(os.listdir(folder)),
            ["ablation.csv", "ablation.json", "ablation.md", "ablation.png"],
        )
        with open(paths[0], encoding="utf-8") as file:
            lines = file.read().splitlines()
        testing_pages.check_text("\n".join(lines))
        self.assertLen([line for line in lines if line.startswith("|")], 5)
        self.assertIn("| no ROI loss | 1,234,567 | 2.625 ± ", lines[4])
        self.assertIn("| 3.000, 2.250 | 0.375 ± 0.693 | +0.500, +0.250 |", lines[4])
        self.assertIn("2 training seed(s) (0, 1)", "\n".join(lines))
        self.assertIn("Note: early.", lines)
        frame = pd.read_csv(paths[1])
        self.assertEqual(frame["variant"].tolist(), ["real", "full", "no_roi"])
        with open(paths[2], encoding="utf-8") as file:
            self.assertLen(json.load(file)["models"], 4)

    def test_a_table_so_far(self):
        table = report.make_rows(self.measured[:1])
        self.assertLen(table, 2)
        self.assertIn("| DermGAN |", report.markdown(self.measured[:1]))


if __name__ == "__main__":
    absltest.main()

import os

import pandas as pd
from absl.testing import absltest
from PIL import Image

from evaluation.frechet import figures
from evaluation.frechet.evaluator import Evaluation
from evaluation.frechet.protocol import METRICS, Scores


def _scores(distance):
    values = dict.fromkeys(METRICS, (1.0, 1.5))
    generated = {**values, "frechet": (distance - 0.1, distance + 0.1)}
    return Scores(50, 60, generated, values, None)


def _evaluation(step, distance):
    return Evaluation(
        "runs/r",
        step,
        "FID",
        {"trials": 2},
        _scores(distance),
        {"Acne": _scores(9.0)},
        {},
        None,
        {},
        (),
    )


class FiguresTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.evaluations = [_evaluation(10, 5.0), _evaluation(20, 3.0), _evaluation(30, 4.0)]

    def test_picture(self):
        path = figures.draw(self.evaluations[0], os.path.join(self.folder, "fid.png"))
        self.assertGreater(Image.open(path).width, 500)

    def test_training_curve(self):
        frame = figures.training_frame(self.evaluations)
        path = figures.write_training_curve(frame, "FID", self.folder, "fid_over_training")
        self.assertGreater(Image.open(path).width, 500)
        frame = pd.read_csv(os.path.join(self.folder, "fid_over_training.csv"))
        self.assertEqual(frame["step"].tolist(), [10, 20, 30])
        self.assertEqual(frame["generated"].tolist(), [5.0, 3.0, 4.0])
        self.assertEqual(frame["floor"].tolist(), [1.25] * 3)

    def test_the_least_is_marked(self):
        lines = figures.training_table(self.evaluations).splitlines()
        self.assertEqual([line.endswith("least") for line in lines[2:]], [False, True, False])


if __name__ == "__main__":
    absltest.main()

import dataclasses
import json
import os
import pathlib

import numpy as np
import pandas as pd
import tensorflow as tf
from absl.testing import absltest
from PIL import Image
from tensorboard.backend.event_processing import event_accumulator

from common import testing_pages
from common.report import Report
from evaluation.frechet import report
from evaluation.frechet.evaluator import FrechetEvaluation
from evaluation.frechet.ladder import Ladder
from evaluation.frechet.protocol import METRICS, TrialScores

_PROTOCOL = {
    "feature_network": "hub",
    "trials": 2,
    "real_split": "test",
    "real_images": 99,
    "real_patients": 33,
    "generated_images": 198,
}


def _scores(distance):
    values = dict.fromkeys(METRICS, (1.0, 1.5))
    generated = {**values, "frechet": (distance - 0.1, distance + 0.1)}
    return TrialScores(50, 60, generated, values, None)


def _evaluation(step, distance):
    return FrechetEvaluation(
        "runs/r",
        step,
        "FID",
        _PROTOCOL,
        _scores(distance),
        {"Acne": _scores(9.0)},
        {},
        None,
        {},
        (),
    )


class ReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.evaluations = [_evaluation(10, 5.0), _evaluation(20, 3.0), _evaluation(30, 4.0)]

    def _report(self):
        return Report(self.folder, "fid", _PROTOCOL)

    def test_numbers_and_picture(self):
        results = self._report()
        report.write(self.evaluations[0], results)
        stored = json.loads(pathlib.Path(results.paths[0]).read_text())
        self.assertEqual(stored["step"], 10)
        self.assertEqual(stored["protocol"], _PROTOCOL)
        self.assertEqual(stored["overall"]["generated"]["frechet"]["mean"], 5.0)
        self.assertEqual(stored["conditions"]["Acne"]["num_images"], 50)
        self.assertGreater(Image.open(os.path.join(self.folder, "fid.png")).width, 500)

    def test_further_networks(self):
        alone, first = report.protocol([_PROTOCOL]), {"layer": "a", **_PROTOCOL}
        self.assertEqual(alone, _PROTOCOL)
        together = report.protocol([first, {"layer": "b"}])
        self.assertEqual(together, {**first, "further": [{"layer": "b"}]})
        singular = dataclasses.replace(
            self.evaluations[0], distance_name="Frechet distance (by b)", dimension=384
        )
        results = self._report()
        report.write(self.evaluations[1], results, [singular])
        stored = json.loads(pathlib.Path(results.paths[0]).read_text())
        (further,) = stored["further"]
        self.assertEqual(stored["overall"]["generated"]["frechet"]["mean"], 3.0)
        self.assertEqual(further["overall"]["generated"]["frechet"]["mean"], 5.0)
        self.assertEqual(further["leading"], "kernel")
        text = report.table(self.evaluations[1:2], [singular])
        testing_pages.check_text(text)
        _, below = text.split("  Frechet distance (by b)\n")
        kernel, frechet = below.splitlines()[:2]
        self.assertRegex(kernel, r"kernel distance +1.25 ± ")
        self.assertRegex(frechet, r"Frechet distance, unreliable: N < d +5 ± ")

    def test_scalars(self):
        report.write_scalars(self.evaluations[0], self._report())
        events = event_accumulator.EventAccumulator(os.path.join(self.folder, "test"))
        events.Reload()
        tags = [f"{metric}/{side}" for metric in METRICS for side in ("generated", "floor")]
        tags += [f"{metric}/Acne/{side}" for metric in METRICS for side in ("generated", "floor")]
        self.assertCountEqual(events.Tags()["tensors"], tags)
        (event,) = events.Tensors("frechet/generated")
        self.assertEqual((event.step, tf.make_ndarray(event.tensor_proto)), (10, 5.0))

    def test_training_curve(self):
        frame = report.training_frame(self.evaluations)
        results = self._report()
        report.write_training_curve(frame, "FID", results, report.OVER_TRAINING)
        self.assertGreater(Image.open(results.paths[0]).width, 500)
        frame = pd.read_csv(os.path.join(self.folder, "fid_over_training.csv"))
        self.assertEqual(
            frame.columns.tolist(),
            ["step", "generated", "generated_interval", "floor", "floor_interval"],
        )
        self.assertEqual(frame["step"].tolist(), [10, 20, 30])
        self.assertEqual(frame["generated"].tolist(), [5.0, 3.0, 4.0])
        self.assertEqual(frame["floor"].tolist(), [1.25] * 3)

    def _check_picture(self, evaluation):
        """Generated images stand between the steps that the verdict names."""
        shades = {0: 200, 1: 0, 2: 40, 4: 80, 8: 120}
        examples = {row: np.full((3, 32, 32, 3), shade, np.uint8) for row, shade in shades.items()}
        figure = report.draw_ladder(dataclasses.replace(evaluation, examples=examples))
        (axes,) = figure.axes
        (sheet,) = axes.images
        shown = np.asarray(sheet.get_array())[16::34, 16, 0]
        self.assertEqual(shown.tolist(), [0, 40, 80, 200, 120])
        texts = [label.get_text().split("\n")[0] for label in axes.get_yticklabels()]
        self.assertEqual(texts, ["photographs", "at 1/2", "at 1/4", "generated", "at 1/8"])
        report.figures.pyplot.close(figure)

    def test_verdict(self):
        ladder = Ladder(1.2, 1.4, {2: 2.0, 4: 4.0, 8: 9.0})
        evaluation = dataclasses.replace(self.evaluations[0], ladder=ladder)
        table = report.table([evaluation])
        self.assertStartsWith(
            table.strip(),
            "Verdict: bad: as far from photographs as photographs at a quarter to an eighth of",
        )
        self.assertIn("at 1/2, 1/4, 1/8 of their resolution: 2, 4, 9\n", table)
        self.assertIn("precision", table)
        self.assertEqual(evaluation.as_dict()["ladder"]["blurred"]["1/8"], 9.0)
        self._check_picture(evaluation)
        near = dataclasses.replace(evaluation, overall=_scores(1.9))
        self.assertEqual(
            near.verdict,
            "good: nearer to photographs than photographs at a half of their resolution",
        )
        for name, grade, said in (
            ("recall", "usable", "they show few kinds of photographs (recall 0.00, theirs 1.25)"),
            ("precision", "bad", "few lie among photographs (precision 0.00, theirs 1.25)"),
        ):
            overall = near.overall
            overall = dataclasses.replace(
                overall, generated={**overall.generated, name: (0.0, 0.0)}
            )
            found = dataclasses.replace(near, overall=overall).verdict
            self.assertStartsWith(found, f"{grade}: nearer to photographs")
            self.assertEndsWith(found, said)
        random = dataclasses.replace(
            self.evaluations[0], protocol={**_PROTOCOL, "feature_network": "embedded"}
        )
        table = report.table([random])
        self.assertStartsWith(table.strip(), "A TRIAL OF THE PROGRAM")
        for hidden in ("precision", "recall", "density", "coverage"):
            self.assertNotIn(hidden, table)

    def test_table(self):
        testing_pages.check_text(report.table(self.evaluations))
        lines = report.table(self.evaluations[:1]).splitlines()
        self.assertEqual(lines[:3], ["", "FID", "  of runs/r, step 10"])
        # Two trials, at 0.1 to both sides: 1.96 x 0.1 x sqrt(2).
        numbers = "        5 ± 0.28           1.25 ± 0.69          50"
        self.assertEqual(lines[6], f"  {'Frechet distance':38}{numbers}")
        self.assertIn("  Frechet distance of", lines)
        self.assertEqual(lines[-1], f"    {'Acne':36}{numbers}".replace("5", "9", 1))

    def test_the_least_is_marked(self):
        lines = report.table(self.evaluations).splitlines()[-4:]
        self.assertStartsWith(lines[0], "        step       generated  ")
        self.assertEqual([line.endswith("least") for line in lines[1:]], [False, True, False])


if __name__ == "__main__":
    absltest.main()

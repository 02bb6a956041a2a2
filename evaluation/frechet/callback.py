"""Measures the distance to photographs during training and keeps the best checkpoint."""

import json
import pathlib
import shutil
from typing import Any, Callable, Mapping, Optional

import pandas as pd

from common import files
from common.report import Report
from evaluation.frechet import report
from evaluation.frechet.evaluator import FrechetEvaluation, FrechetEvaluator
from synthesis import trained_generator
from training import run_directory


class FidCallback:
    """Evaluates checkpoints as they are saved.

    Each evaluation goes to TensorBoard and to `evaluation/fid_over_training.*`. The
    checkpoint with the least mean distance is copied to `best/checkpoints/`, beside
    the run's description, so that `--run_dir=RUN_DIR/best` is a run of its own; it
    outlives the run's last few. A resumed run goes on where it was, first with
    checkpoints that were saved and not measured.
    """

    def __init__(self, run_dir: str, make_evaluator: Callable[[], FrechetEvaluator], every: int):
        """Makes the callback.

        Args:
          run_dir: of the run that is training.
          make_evaluator: makes what measures, when training begins.
          every: steps from one evaluation to the next; those at which no checkpoint is
            saved are passed over.

        Raises:
          ValueError: `every` is not positive.
        """
        if every < 1:
            raise ValueError(f"fid_every {every} is not positive")
        self._run = pathlib.Path(run_dir)
        self._table = self._run / "evaluation" / f"{report.OVER_TRAINING}.csv"
        self._best = self._run / "best"
        self._replaced = self._run / "best.old"
        self._make_evaluator = make_evaluator
        self._evaluator: Optional[FrechetEvaluator] = None
        self._every = every

    def on_begin(self) -> None:
        """Finds out, before anything is trained, whether and what there is to measure.

        Raises:
          ValueError: too few photographs, or earlier measurements by another protocol.
        """
        self.measure_missing()

    def on_checkpoint(self, step: int) -> None:
        """Evaluates the checkpoint that has just been saved, where it is time to."""
        if step % self._every == 0:
            self._evaluate(step)

    def measure_missing(self) -> None:
        """Evaluates kept checkpoints that a run was stopped before it measured.

        Raises:
          ValueError: too few photographs, or earlier measurements by another protocol.
        """
        measured = pd.read_csv(self._table)["step"].max() if self._table.exists() else 0
        run_dir = str(self._run)
        kept = run_directory.find_checkpoints(run_dir) and run_directory.whole_checkpoints(run_dir)
        for step, _ in sorted(kept):
            if step > measured and step % self._every == 0:
                self._evaluate(step)
        self._ready_evaluator()

    def _ready_evaluator(self) -> FrechetEvaluator:
        if self._evaluator is None:
            if self._replaced.exists() and not self._best.exists():
                self._replaced.replace(self._best)  # stopped between two renamings
            for left in (self._replaced, self._run / "best.tmp"):
                shutil.rmtree(left, ignore_errors=True)
            self._evaluator = self._make_evaluator()
            record = self._best / "best.json"
            if record.exists():
                stored = json.loads(record.read_text(encoding="utf-8"))
                if stored.get("protocol") != json.loads(json.dumps(self._evaluator.protocol)):
                    raise ValueError(
                        f"{record}: measured by another protocol (feature network, photographs or "
                        "trials); continue with the same flags or choose another --workdir"
                    )
        return self._evaluator

    def _evaluate(self, step: int) -> None:
        evaluator = self._ready_evaluator()
        evaluation = evaluator.evaluate(trained_generator.load(str(self._run), step))
        results = Report(str(self._table.parent), "fid", evaluation.protocol, overwrite=True)
        report.write_scalars(evaluation, results)
        self._keep_if_best(evaluation, evaluator.protocol)
        # Last: a step that is in the table has been dealt with.
        frame = report.training_frame([evaluation])
        if self._table.exists():
            earlier = pd.read_csv(self._table)
            frame = pd.concat([earlier[earlier["step"] < step], frame], ignore_index=True)
        name = evaluation.distance_name
        report.write_training_curve(frame, name, results, report.OVER_TRAINING)

    def _keep_if_best(self, evaluation: FrechetEvaluation, protocol: Mapping[str, Any]) -> None:
        distance = evaluation.overall.summary()["generated"]["frechet"]["mean"]
        record = self._best / "best.json"
        if record.exists() and json.loads(record.read_text())["frechet"] <= distance:
            return
        temporary = self._run / "best.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / "checkpoints").mkdir(parents=True)
        for path in (self._run / "checkpoints").glob(f"ckpt-{evaluation.step}.*"):
            shutil.copy2(path, temporary / "checkpoints")
        shutil.copy2(self._run / "config.json", temporary)
        files.write_json(
            temporary / "best.json",
            {
                "step": evaluation.step,
                "frechet": distance,
                "name": evaluation.distance_name,
                "protocol": protocol,
            },
        )
        if self._best.exists():
            shutil.rmtree(self._replaced, ignore_errors=True)
            self._best.replace(self._replaced)
        temporary.replace(self._best)
        shutil.rmtree(self._replaced, ignore_errors=True)

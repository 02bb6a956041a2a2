"""Measures the distance to photographs during training and keeps the best checkpoint."""

import json
import pathlib
import shutil
from typing import Any, Callable, Mapping, Optional

import pandas as pd
import tensorflow as tf

from evaluation import fid_figures, frechet_evaluation
from evaluation.frechet_evaluation import Evaluation, Evaluator
from synthesis import trained_generator
from training import callbacks, run_directory


class FidCallback(tf.keras.callbacks.Callback):
    """Evaluates checkpoints as they are saved.

    Each evaluation goes to TensorBoard and to `evaluation/fid_over_training.*`. The
    checkpoint with the least mean distance is copied to `best/checkpoints/`, beside
    the run's description, so that `--run_dir=RUN_DIR/best` is a run of its own; it
    outlives the run's last few. A resumed run goes on where it was.
    """

    def __init__(self, run_dir: str, make_evaluator: Callable[[], Evaluator], every: int):
        """Makes the callback.

        Args:
          run_dir: of the run that is training.
          make_evaluator: makes what measures, when first needed.
          every: steps from one evaluation to the next; those at which no checkpoint is
            saved are passed over.

        Raises:
          ValueError: `every` is not positive.
        """
        super().__init__()
        if every < 1:
            raise ValueError(f"fid_every {every} is not positive")
        self._supports_tf_logs = True
        self._run = pathlib.Path(run_dir)
        self._make_evaluator = make_evaluator
        self._evaluator: Optional[Evaluator] = None
        self._every = every

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Evaluates the checkpoint that has just been saved, where it is time to."""
        step = callbacks.current_step(self.model)
        if step % self._every == 0:
            self._evaluate(step)

    def _evaluate(self, step: int) -> None:
        if self._evaluator is None:
            self._evaluator = self._make_evaluator()
        generator = trained_generator.load(str(self._run), step)
        evaluation = self._evaluator.evaluate(generator)
        folder = self._run / "evaluation"
        frechet_evaluation.log(evaluation, str(folder))
        frame = fid_figures.training_frame([evaluation])
        table = folder / fid_figures.TRAINING_TABLE
        if table.exists():
            earlier = pd.read_csv(table)
            frame = pd.concat([earlier[earlier["step"] < step], frame], ignore_index=True)
        fid_figures.write_training_curve(frame, evaluation.distance_name, str(folder))
        self._keep_if_best(evaluation)

    def _keep_if_best(self, evaluation: Evaluation) -> None:
        distance = evaluation.overall.summary()["generated"]["frechet"]["mean"]
        best = self._run / "best"
        record = best / "best.json"
        if record.exists() and json.loads(record.read_text())["frechet"] <= distance:
            return
        temporary = self._run / "best.tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        (temporary / "checkpoints").mkdir(parents=True)
        for path in (self._run / "checkpoints").glob(f"ckpt-{evaluation.step}.*"):
            shutil.copy2(path, temporary / "checkpoints")
        shutil.copy2(self._run / "config.json", temporary)
        run_directory.write_json(
            temporary / "best.json",
            {"step": evaluation.step, "frechet": distance, "name": evaluation.distance_name},
        )
        shutil.rmtree(best, ignore_errors=True)
        temporary.replace(best)

"""Keras callbacks: progress, metrics, samples, checkpoints.

They take step numbers from the optimizer, not from Keras' epochs, which are only
the stretches between checkpoints here.
"""

import json
import math
import pathlib
import sys
import time
from typing import Any, Dict, Mapping, Optional

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from model.dermgan import DermGAN


class DivergenceError(ValueError):
    """A loss is NaN or infinite."""


def current_step(model: DermGAN) -> int:
    """Returns the number of training steps the model has taken."""
    return int(model.generator_optimizer.iterations.numpy())


class _StepCallback(tf.keras.callbacks.Callback):
    """Counts steps without reading a variable each time.

    Logs stay tensors, so that the host waits for the device only where a callback
    really reads a number.
    """

    def __init__(self) -> None:
        super().__init__()
        self._supports_tf_logs = True
        self.step = 0

    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        self.step = current_step(self.model)

    def on_train_batch_end(self, batch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        self.step += 1
        self.on_step(self.step, logs or {})

    def on_step(self, step: int, logs: Mapping[str, Any]) -> None:
        """Called after every step with its number, from 1, and the running means."""


class MetricsLogger(_StepCallback):
    """Writes losses, accuracies, learning rates and speed; stops on NaN.

    Every `every` steps: TensorBoard scalars, one line of `metrics.jsonl`, and the
    progress bar. The numbers are means over those steps.
    """

    def __init__(self, workdir: str, writer: Any, every: int, total_steps: int, batch_size: int):
        """Makes the callback.

        Args:
          workdir: run directory.
          writer: `tf.summary` writer.
          every: steps between lines.
          total_steps: of the whole run, for the bar.
          batch_size: examples per step, for images/s.
        """
        super().__init__()
        self._path = pathlib.Path(workdir) / "metrics.jsonl"
        self._writer = writer
        self._every = every
        self._total = total_steps
        self._batch_size = batch_size
        self._bar: Optional[tqdm] = None
        self._since = (0, 0.0)

    def on_train_begin(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Starts the bar at the current step and drops lines after it."""
        super().on_train_begin(logs)
        _truncate_metrics(self._path, self.step)
        self._since = (self.step, time.monotonic())
        self._bar = tqdm(
            total=self._total,
            initial=self.step,
            desc="training",
            unit="step",
            smoothing=0.05,
            file=sys.stderr,
            mininterval=1.0 if sys.stderr.isatty() else 15.0,
        )

    def on_step(self, step: int, logs: Mapping[str, Any]) -> None:
        """Logs where it is time to."""
        if self._bar is not None:
            self._bar.update(1)
        if step % self._every == 0:
            self._log(step, logs)

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Checks the losses before a checkpoint is written."""
        check_finite(self.step, _numbers(logs or {}, training_only=True))

    def on_train_end(self, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Closes the bar."""
        self.close()

    def close(self) -> None:
        """Closes the bar; also when training ends with an error."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._writer.flush()

    def _log(self, step: int, logs: Mapping[str, Any]) -> None:
        values = _numbers(logs)
        check_finite(step, values)
        steps, now = step - self._since[0], time.monotonic()
        values["images_per_second"] = steps * self._batch_size / (now - self._since[1])
        values.update(_learning_rates(self.model))
        self._since = (step, now)
        with self._writer.as_default(step=step):
            for name, value in values.items():
                tf.summary.scalar(_tag(name), value)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        if self._bar is not None:
            self._bar.set_postfix_str(
                f"G {values['generator']:.2f} D {values['discriminator']:.2f} l1 {values['l1']:.3f}"
            )
        self.model.reset_metrics()


def _numbers(logs: Mapping[str, Any], training_only: bool = False) -> Dict[str, float]:
    return {
        name: float(value)
        for name, value in logs.items()
        if not (training_only and name.startswith("val_"))
    }


def check_finite(step: int, values: Mapping[str, float]) -> None:
    """Raises `DivergenceError` naming the step and what is not finite."""
    bad = [f"{name} = {value}" for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise DivergenceError(
            f"training diverged at or shortly before step {step}: {', '.join(bad)}"
        )


def _tag(name: str) -> str:
    if name.startswith("accuracy"):
        return f"discriminator/{name}"
    if name.endswith("learning_rate"):
        return f"learning_rate/{name[: -len('_learning_rate')]}"
    return f"speed/{name}" if name == "images_per_second" else f"loss/{name}"


def _learning_rates(model: DermGAN) -> Dict[str, float]:
    return {
        "generator_learning_rate": float(model.generator_optimizer.learning_rate),
        "discriminator_learning_rate": float(model.discriminator_optimizer.learning_rate),
    }


def _truncate_metrics(path: pathlib.Path, step: int) -> None:
    """Drops lines of steps that a resumed run will take again."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError):  # a line cut short by a kill
            continue
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(kept), encoding="utf-8")
    temporary.replace(path)


class Samples(_StepCallback):
    """Draws (map | photograph | generated) grids of fixed examples.

    Written to `samples/step_<step>.png` and to TensorBoard.
    """

    def __init__(self, workdir: str, writer: Any, every: int, fixed: Mapping[str, tf.Tensor]):
        """Makes the callback.

        Args:
          workdir: run directory.
          writer: `tf.summary` writer.
          every: steps between grids.
          fixed: `map` and `image`, uint8 [N, S, S, 3].
        """
        super().__init__()
        self._folder = pathlib.Path(workdir) / "samples"
        self._writer = writer
        self._every = every
        self._fixed = fixed

    def on_step(self, step: int, logs: Mapping[str, Any]) -> None:
        """Draws where it is time to."""
        if step % self._every == 0:
            self.draw(step)

    def draw(self, step: int) -> str:
        """Draws the grid of a step; returns the PNG's path."""
        maps = self._fixed["map"]
        generated = [
            self.model.generate(maps[i : i + 8], tf.range(i, min(i + 8, len(maps)), dtype=tf.int64))
            for i in range(0, len(maps), 8)
        ]
        grid = sample_grid(
            maps.numpy(),
            self._fixed["image"].numpy(),
            np.concatenate([g.numpy() for g in generated]),
        )
        path = self._folder / f"step_{step:07d}.png"
        self._folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        Image.fromarray(grid).save(temporary, format="PNG")
        temporary.replace(path)
        with self._writer.as_default(step=step):
            tf.summary.image("samples/map_photograph_generated", grid[None])
        return str(path)


def sample_grid(
    maps: np.ndarray, images: np.ndarray, generated: np.ndarray, columns: int = 4
) -> np.ndarray:
    """Arranges triples (map, photograph, generated) in a grid.

    Args:
      maps: uint8 [N, S, S, 3].
      images: uint8 [N, S, S, 3].
      generated: uint8 [N, S, S, 3].
      columns: triples per row.

    Returns:
      uint8 [rows * (S + gap) + gap, columns * (3 S + 3 gap) + gap, 3].
    """
    count, size = maps.shape[:2]
    gap = max(size // 32, 2)
    rows = -(-count // columns)
    grid = np.full((rows * (size + gap) + gap, columns * 3 * (size + gap) + gap, 3), 255, np.uint8)
    for index in range(count):
        top = gap + (index // columns) * (size + gap)
        for part, source in enumerate((maps, images, generated)):
            left = gap + (3 * (index % columns) + part) * (size + gap)
            grid[top : top + size, left : left + size] = source[index]
    return grid


class Checkpoints(tf.keras.callbacks.Callback):
    """Saves a checkpoint at the end of each stretch of steps."""

    def __init__(self, manager: tf.train.CheckpointManager):
        """Makes the callback.

        Args:
          manager: of the run's `checkpoints/`.
        """
        super().__init__()
        self._supports_tf_logs = True
        self._manager = manager

    def on_epoch_end(self, epoch: int, logs: Optional[Mapping[str, Any]] = None) -> None:
        """Saves."""
        self._manager.save(checkpoint_number=current_step(self.model))

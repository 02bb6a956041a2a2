"""What a run shows of itself: losses, speed, sample pictures; and when it must stop."""

import contextlib
import json
import math
import pathlib
import sys
import time
from typing import Any, Iterator, Mapping

import ml_collections
import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from common import files, progress
from model.dermgan import DermGAN
from model.serving import Painter
from preprocessing.data import maps, taxonomy
from training import run_directory


class DivergenceError(ValueError):
    """A loss is NaN or infinite."""


def check_finite(step: int, values: Mapping[str, Any]) -> dict[str, float]:
    """Returns losses as numbers.

    Raises:
      DivergenceError: names the step and what is not finite.
    """
    numbers = {name: float(value) for name, value in values.items()}
    bad = [f"{name} = {value}" for name, value in numbers.items() if not math.isfinite(value)]
    if bad:
        raise DivergenceError(
            f"training diverged at or shortly before step {step}: {', '.join(bad)}"
        )
    return numbers


class MetricsLog:
    """Writes losses, accuracies, learning rates and speed.

    Every `log_every` steps: TensorBoard scalars, one line of `metrics.jsonl`, and the
    progress bar. The numbers are means over those steps.
    """

    def __init__(
        self,
        workdir: str,
        writer: Any,
        model: DermGAN,
        training: ml_collections.ConfigDict,
        total_steps: int,
    ):
        """Starts the bar at the model's step and drops lines after it.

        Args:
          workdir: run directory.
          writer: `tf.summary` writer.
          model: what is trained; its running means start anew after each line.
          training: has `log_every`, steps between lines, and `batch_size`, for images/s.
          total_steps: of the whole run.
        """
        self._path = pathlib.Path(workdir) / run_directory.METRICS
        self._writer = writer
        self._model = model
        self._every = training.log_every
        self._batch_size = training.batch_size
        self._since = (model.step, time.monotonic())
        self._compiling = True
        _drop_lines_after(self._path, model.step)
        self._bar = progress.bar(
            total=total_steps,
            initial=model.step,
            what="training",
            unit="steps",
            smoothing=0.05,
            # In a log file, a line every now and then.
            disable=False,
            mininterval=1.0 if sys.stderr.isatty() else 15.0,
            postfix="compiling the first step",
        )

    def step(self, step: int, values: Mapping[str, Any]) -> None:
        """Notes that a step, from 1, was taken; writes the running means where due.

        Raises:
          DivergenceError: one of them is not finite.
        """
        if self._compiling:  # the first step compiles, which says nothing of the others
            self._bar.unpause()
            self._bar.set_postfix_str("")
            self._compiling = False
        self._bar.update(step - self._bar.n)
        if step % self._every:
            return
        numbers = check_finite(step, values)
        steps, now = step - self._since[0], time.monotonic()
        numbers["images_per_second"] = steps * self._batch_size / (now - self._since[1])
        for player in ("generator", "discriminator"):
            optimizer = getattr(self._model, f"{player}_optimizer")
            numbers[f"{player}_learning_rate"] = float(optimizer.learning_rate.numpy())
        self._since = (step, now)
        with self._writer.as_default(step=step):
            for name, number in numbers.items():
                tf.summary.scalar(_tag(name), number)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **numbers}) + "\n")
        self._bar.set_postfix_str(
            f"G {numbers['generator']:.2f} D {numbers['discriminator']:.2f} l1 {numbers['l1']:.3f}"
        )
        self._model.reset_metrics()

    def close(self) -> None:
        """Closes the bar; also when training ends with an error."""
        self._bar.close()
        self._writer.flush()


def _tag(name: str) -> str:
    if name.startswith("accuracy"):
        return f"discriminator/{name}"
    if name.endswith("_learning_rate"):
        return f"learning_rate/{name.removesuffix('_learning_rate')}"
    return f"speed/{name}" if name == "images_per_second" else f"loss/{name}"


def last_step(workdir: str) -> int:
    """Returns the last step in `metrics.jsonl`; 0 where there is none."""
    path = pathlib.Path(workdir) / run_directory.METRICS
    if not path.exists():
        return 0
    return max((step for step, _ in _whole_lines(path)), default=0)


def _whole_lines(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Yields step and text of all whole lines; a kill cuts the last one short."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            yield int(json.loads(line)["step"]), line


def _drop_lines_after(path: pathlib.Path, step: int) -> None:
    """Drops lines of steps that a resumed run will take again."""
    if path.exists():
        kept = [f"{line}\n" for taken, line in _whole_lines(path) if taken <= step]
        files.write_text(path, "".join(kept))


class Samples:
    """Draws (map | photograph | generated) grids of fixed examples by the averaged generator.

    Written to `samples/step_<step>.png` and to TensorBoard. The examples are `map` and
    `image`, uint8 [N, S, S, 3].
    """

    def __init__(self, workdir: str, writer: Any, model: DermGAN, fixed: Mapping[str, tf.Tensor]):
        self._workdir = workdir
        self._writer = writer
        self.painter = Painter(model.ema_generator)
        self._maps, self._images = fixed["map"].numpy(), fixed["image"].numpy()

    def draw(self, step: int) -> None:
        """Draws the grid of a step."""
        seeds = np.arange(len(self._maps))
        generated = [*self.painter.paint_batches(self._maps, seeds, batch_size=8)]
        grid = sample_grid(self._maps, self._images, np.concatenate(generated))
        with files.replacing(samples_path(self._workdir, step)) as temporary:
            Image.fromarray(grid).save(temporary, format="PNG")
        with self._writer.as_default(step=step):
            tf.summary.image("samples/map_photograph_generated", grid[None])


def samples_path(workdir: str, step: int) -> str:
    """Returns where the grid of a step lies."""
    return str(pathlib.Path(workdir) / run_directory.SAMPLES / f"step_{step:07d}.png")


_PARTS = ("map", "photograph", "generated")
_LINE = 13  # pixels of a line of text


def _caption(drawn: np.ndarray) -> str:
    """What a map asks for."""
    decoded = maps.decode(drawn)
    code = decoded.condition_code
    condition = "no box" if code is None else taxonomy.name_of(code)
    return f"{condition}, {taxonomy.type_name(decoded.skin_type)}"


def _lines(text: str, room: int) -> list[str]:
    """Breaks a text into lines of at most `room` pixels, between words where that can be."""
    font, lines = ImageFont.load_default(), [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room:
            lines[-1] = longer
            continue
        lines += [""] if lines[-1] else []
        for letter in word:
            if font.getlength(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def sample_grid(
    semantic_maps: np.ndarray, images: np.ndarray, generated: np.ndarray, columns: int = 4
) -> np.ndarray:
    """Arranges triples (map, photograph, generated), each uint8 [N, S, S, 3], in a grid.

    What is what stands above the columns, condition and skin type below each triple, in as
    many lines as the longest needs.

    Returns:
      uint8 [above + rows * (S + gap + below) + gap, columns * (3 S + 3 gap) + gap, 3], above
      and below multiples of _LINE.
    """
    count, size = semantic_maps.shape[:2]
    gap = max(size // 32, 2)
    rows, step = -(-count // columns), size + gap
    heads = [_lines(name, size) for name in _PARTS]
    captions = [_lines(_caption(drawn), 3 * step - gap) for drawn in semantic_maps]
    above, below = (_LINE * max(map(len, lines)) for lines in (heads, captions))
    height = above + rows * (step + below) + gap
    grid = Image.new("RGB", (columns * 3 * step + gap, height), "white")
    draw = ImageDraw.Draw(grid)

    def write(lines: list[str], left: int, top: int) -> None:
        for number, line in enumerate(lines):
            draw.text((left, top + number * _LINE), line, fill="black")

    for column in range(min(columns, count)):
        for part, head in enumerate(heads):
            write(head, gap + (3 * column + part) * step, 0)
    for index in range(count):
        left, top = gap + 3 * (index % columns) * step, above + gap
        top += index // columns * (step + below)
        for part, source in enumerate((semantic_maps, images, generated)):
            grid.paste(Image.fromarray(source[index]), (left + part * step, top))
        write(captions[index], left, top + size)
    return np.asarray(grid)

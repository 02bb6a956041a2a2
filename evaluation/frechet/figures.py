"""Tables and pictures of Frechet distances."""

import pathlib
from typing import Sequence, Tuple

import pandas as pd

from common import figures, files
from evaluation.frechet.evaluator import Evaluation, best
from evaluation.frechet.protocol import Scores

# Measured during training, with validation photographs, and after it.
OVER_TRAINING = "fid_over_training"
EVERY_CHECKPOINT = "fid_every_checkpoint"


def _points(scores: Scores) -> Sequence[figures.Point]:
    """Mean and half interval of generated and floor."""
    summary = scores.summary()
    sides = (summary["generated"]["frechet"], summary["floor"]["frechet"])
    return [
        (one["mean"], one["mean"] - one["interval"], one["mean"] + one["interval"]) for one in sides
    ]


def draw(evaluation: Evaluation, path: str) -> str:
    """Draws the distances of all images and of every group, with intervals."""
    groups = evaluation.groups()
    points = [_points(scores) for _, scores in groups]
    figure = figures.compared_intervals(
        [f"{name}  (N = {scores.num_images})" for name, scores in groups],
        [point[0] for point in points],
        [point[1] for point in points],
        f"step {evaluation.step:,}, {evaluation.protocol['trials']} trials, ± 1.96 SD",
        evaluation.distance_name,
    )
    return figures.save(figure, path)


def _halved(point: figures.Point) -> Tuple[float, float]:
    """Returns a number and half its interval."""
    return point[0], point[2] - point[0]


def _ends(values: pd.Series, halves: pd.Series) -> Sequence[figures.Point]:
    return list(zip(values, values - halves, values + halves))


def training_frame(evaluations: Sequence[Evaluation]) -> pd.DataFrame:
    """Returns step, distance and floor, each with its half interval, by checkpoint."""
    rows = []
    for one in evaluations:
        generated, floor = _points(one.overall)
        rows.append((one.step, *_halved(generated), *_halved(floor)))
    columns = ["step", "generated", "generated_interval", "floor", "floor_interval"]
    return pd.DataFrame(rows, columns=columns)


def write_training_curve(
    frame: pd.DataFrame, distance_name: str, output_dir: str, name: str
) -> str:
    """Writes a table and a picture of distances by step.

    Args:
      frame: from `training_frame`.
      distance_name: for the axis.
      output_dir: folder.
      name: of the .csv and .png: `OVER_TRAINING` or `EVERY_CHECKPOINT`.

    Returns:
      The picture's path.
    """
    table = pathlib.Path(output_dir) / f"{name}.csv"
    files.write_text(table, frame.to_csv(index=False))
    figure = figures.over_training(
        frame["step"].tolist(),
        _ends(frame["generated"], frame["generated_interval"]),
        _ends(frame["floor"], frame["floor_interval"]),
        distance_name,
    )
    return figures.save(figure, str(table.with_suffix(".png")))


def training_table(evaluations: Sequence[Evaluation]) -> str:
    """Returns the distances by checkpoint, the least marked."""
    least = best(list(evaluations))
    lines = ["", f"  {'step':>10}  {'generated':^20}  {'real vs. real':^20}"]
    for one in evaluations:
        numbers = ["{:9.4g} ± {:<8.2g}".format(*_halved(point)) for point in _points(one.overall)]
        mark = "  least" if one is least else ""
        lines.append(f"  {one.step:10,}  {numbers[0]}  {numbers[1]}{mark}")
    return "\n".join(lines)

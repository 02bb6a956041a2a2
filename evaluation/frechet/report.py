"""What is written and printed of Frechet distances."""

import pathlib
from typing import Any, Dict, Mapping, Sequence

import numpy as np
import pandas as pd

from common import figures
from common.report import Report, render
from evaluation.frechet.evaluator import FrechetEvaluation
from evaluation.frechet.protocol import METRICS

# Measured during training, with validation photographs, and after it.
OVER_TRAINING = "fid_over_training"
EVERY_CHECKPOINT = "fid_every_checkpoint"
_TABLE = pathlib.Path(__file__).with_name("fid.txt.jinja")


def protocol(described: Sequence[Mapping[str, Any]]) -> Dict[str, Any]:
    """Returns the protocol of an evaluation by one network or more.

    Args:
      described: by network, what its numbers depend on; the first leads.
    """
    first, *others = described
    further = [dict(one) for one in others]
    return {**first, **({"further": further} if further else {})}


def write(
    evaluation: FrechetEvaluation, report: Report, further: Sequence[FrechetEvaluation] = ()
) -> None:
    """Writes `fid.json`, `fid.png`, and both for TensorBoard; with a ladder `fid_ladder.png`.

    That and what TensorBoard shows of it hold photographs.

    Args:
      evaluation: by the first network, which is shown.
      report: of the folder.
      further: of the same images by further networks, for the JSON.
    """
    by_others = [one.as_dict() for one in further]
    report.write_json({**evaluation.as_dict(), **({"further": by_others} if further else {})})
    report.write_figure(draw(evaluation))
    if evaluation.ladder:
        report.write_figure(draw_ladder(evaluation), "fid_ladder")
    report.write_verdict(evaluation.step, evaluation.verdict)


def write_scalars(evaluation: FrechetEvaluation, report: Report) -> None:
    """Writes TensorBoard scalars at the checkpoint's step.

    They go to a folder of the photographs' split: a distance to validation
    photographs, measured during training, is another curve than one to test
    photographs.
    """
    values: Dict[str, float] = {}
    for name, scores in evaluation.groups():
        tag = "" if name == "all" else f"/{name.replace('/', '-').replace(' ', '_')}"
        for side, trials in (("generated", scores.generated), ("floor", scores.floor)):
            for metric in METRICS:
                values[f"{metric}{tag}/{side}"] = float(np.mean(trials[metric]))
    report.write_scalars(evaluation.step, values, evaluation.protocol["real_split"])


def draw(evaluation: FrechetEvaluation) -> figures.pyplot.Figure:
    """Draws the distances of all images and of every group, with intervals."""
    summaries = {name: scores.summary() for name, scores in evaluation.groups()}
    return figures.compared_intervals(
        [f"{name}  (N = {one['num_images']})" for name, one in summaries.items()],
        [figures.plus_minus(**one["generated"]["frechet"]) for one in summaries.values()],
        [figures.plus_minus(**one["floor"]["frechet"]) for one in summaries.values()],
        f"step {evaluation.step:,}, {evaluation.protocol['trials']} trials, ± 1.96 SD",
        evaluation.distance_name,
    )


def draw_ladder(evaluation: FrechetEvaluation) -> figures.pyplot.Figure:
    """Draws photographs of less and less resolution, and generated images where they stand."""
    ladder, examples = evaluation.ladder, evaluation.examples
    assert ladder is not None
    distances = {1: ladder.floor, **ladder.blurred}
    if 0 in examples:
        distances[0] = float(np.mean(evaluation.overall.generated["frechet"]))
    rows = sorted(distances, key=lambda factor: (factor != 1, distances[factor]))
    names = {0: "generated", 1: "photographs"}
    size, columns = examples[1].shape[1], max(len(examples[row]) for row in rows)
    gap = max(size // 16, 1)
    sheet = np.full(
        (len(rows) * (size + gap) - gap, columns * (size + gap) - gap, 3), 255, np.uint8
    )
    for row, factor in enumerate(rows):
        for column, image in enumerate(examples[factor]):
            top, left = row * (size + gap), column * (size + gap)
            sheet[top : top + size, left : left + size] = image
    figure, axes = figures.pyplot.subplots(figsize=(1.2 * columns, 1.2 * len(rows)))
    axes.imshow(sheet, interpolation="nearest" if size < 128 else "antialiased")
    axes.set_yticks(
        [row * (size + gap) + size / 2 for row in range(len(rows))],
        [f"{names.get(row, f'at 1/{row}')}\n{distances[row]:.3g}" for row in rows],
        fontsize=9,
    )
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"{evaluation.distance_name}; photographs at 1/n of their resolution", fontsize=9
    )
    return figure


def training_frame(evaluations: Sequence[FrechetEvaluation]) -> pd.DataFrame:
    """Returns step, distance and floor, each with its half interval, by checkpoint."""
    rows = []
    for one in evaluations:
        summary = one.overall.summary()
        row = {"step": one.step}
        for side in ("generated", "floor"):
            distance = summary[side]["frechet"]
            row |= {side: distance["mean"], f"{side}_interval": distance["interval"]}
        rows.append(row)
    return pd.DataFrame(rows)


def write_training_curve(
    frame: pd.DataFrame, distance_name: str, report: Report, name: str
) -> None:
    """Writes a table and a picture of distances by step.

    Args:
      frame: from `training_frame`.
      distance_name: for the axis.
      report: of the folder.
      name: of the .csv and .png: `OVER_TRAINING` or `EVERY_CHECKPOINT`.
    """
    generated, floor = (
        list(map(figures.plus_minus, frame[side], frame[f"{side}_interval"]))
        for side in ("generated", "floor")
    )
    steps = frame["step"].tolist()
    report.write_figure(figures.over_training(steps, generated, floor, distance_name), name)
    report.write_csv(frame, name)


def table(
    evaluations: Sequence[FrechetEvaluation], further: Sequence[FrechetEvaluation] = ()
) -> str:
    """Returns the table for the screen: of the last checkpoint, and the distances of all.

    Args:
      evaluations: by checkpoint.
      further: of the last checkpoint by further networks.
    """
    frame = training_frame(evaluations)
    return render(
        _TABLE,
        evaluation=evaluations[-1],
        groups={name: scores.summary() for name, scores in evaluations[-1].groups()},
        further=[(one, one.overall.summary()) for one in further],
        metrics=METRICS,
        checkpoints=frame.to_dict("records"),
        least=int(frame["generated"].idxmin()),
    )

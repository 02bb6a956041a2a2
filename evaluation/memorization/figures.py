"""Pictures of an audit for copies."""

import dataclasses
from typing import Any, List, Sequence

import numpy as np

from common import figures
from common.figures import pyplot
from evaluation.memorization import plants, report
from evaluation.memorization.results import TRAINING_SPLIT, Evaluation
from synthesis import layouts as map_sampler
from synthesis.trained_generator import TrainedGenerator

_COLUMNS = 4
_FLAGGED, _PASSED = "#b5472f", "#444444"
_MAP_COLORS = (figures.GENERATED, "#d9a441", "#7a9a4f")
_LARGEST_RATIO = 2.5


@dataclasses.dataclass(frozen=True)
class Pair:
    """A generated image beside its nearest training crop.

    Attributes:
      generated: uint8 [S, S, 3].
      training: uint8 [S, S, 3], mirrored where that is nearer.
      flagged: whether it counts as a copy.
      lines: what to write under it.
    """

    generated: np.ndarray
    training: np.ndarray
    flagged: bool
    lines: Sequence[str]


def closest_pairs(evaluation: Evaluation, generator: TrainedGenerator, number: int) -> List[Pair]:
    """Returns the most suspicious generated images, painted again, by ratio.

    Args:
      evaluation: what was measured.
      generator: that it was measured of.
      number: how many.
    """
    rows = report.frame(evaluation).head(number)
    layouts = [
        evaluation.generated[split].images.layouts[index]
        for split, index in zip(rows["map_split"], rows["index"])
    ]
    maps = map_sampler.draw(layouts, generator.image_size)
    painted = np.concatenate(list(generator.batches(maps, rows["seed"].to_numpy())))
    originals = plants.pick(evaluation.training, rows["nearest_index"].tolist())
    pairs = []
    for row, image, original in zip(rows.itertuples(), painted, originals):
        lines = (
            f"{row.ratio:.2f} by {row.criterion}" + (", mirrored" if row.mirrored else ""),
            str(row.nearest_patient_id),
            f"{row.condition}, {row.map_split} map",
        )
        training = original[:, ::-1] if row.mirrored else original
        pairs.append(Pair(image, training, bool(row.flagged), lines))
    return pairs


def _draw_pair(axes: "pyplot.Axes", pair: Pair) -> None:
    gap = np.full((len(pair.generated), max(len(pair.generated) // 32, 1), 3), 255, np.uint8)
    axes.imshow(np.concatenate([pair.generated, gap, pair.training], axis=1))
    axes.set_xticks([])
    axes.set_yticks([])
    color = _FLAGGED if pair.flagged else _PASSED
    for spine in axes.spines.values():
        spine.set(color=color, linewidth=2.5 if pair.flagged else 0.8)
    axes.set_xlabel("\n".join(pair.lines), fontsize=7, color=color, labelpad=3)


def _draw_histogram(axes: "pyplot.Axes", evaluation: Evaluation, criterion: str) -> None:
    sets = [("held-out photographs", evaluation.held_out, figures.REAL)]
    for color, (split, one) in zip(_MAP_COLORS, evaluation.generated.items()):
        kind = "as they are" if split == TRAINING_SPLIT else "varied"
        sets.append((f"generated, {split} maps {kind}", one, color))
    edges = np.linspace(0, _LARGEST_RATIO, 51)
    for name, one, color in sets:
        ratio = np.minimum(one.neighbours[criterion].ratio, _LARGEST_RATIO)
        share = np.full(len(ratio), 1 / len(ratio))
        style: Any = {"histtype": "stepfilled", "alpha": 0.35} if one is sets[0][1] else {}
        axes.hist(
            ratio, edges, weights=share, color=color, label=name, **(style or {"histtype": "step"})
        )
    threshold = evaluation.thresholds[criterion]
    label = f"copies: ratio up to {threshold:.2f}"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=label)
    axes.set_xlim(0, _LARGEST_RATIO)
    axes.set_title(f"by {criterion}", fontsize=9)
    axes.set_xlabel(
        "distance to nearest training crop / its distance to another patient", fontsize=8
    )
    axes.set_ylabel("share of images")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper right")


def draw(evaluation: Evaluation, pairs: Sequence[Pair], path: str) -> str:
    """Draws the closest pairs and, beside them, the ratios of all images.

    Args:
      evaluation: what was measured.
      pairs: from `closest_pairs`, generated image on the left, training crop on the
        right; flagged ones have a thick red frame.
      path: of the PNG.
    """
    rows = max(-(-len(pairs) // _COLUMNS), 1)
    figure = pyplot.figure(figsize=(15.5, max(1.6 * rows + 0.9, 6.0)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(2.1, 1))
    left.suptitle("closest pairs: generated | training, ratio and training patient", fontsize=10)
    grid = left.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, pair in zip(grid, pairs):
        axes.set_axis_on()
        _draw_pair(axes, pair)
    title = f"step {evaluation.step:,}, {evaluation.protocol['layer']}"
    right.suptitle(f"all images, {title}", fontsize=10)
    for axes, name in zip(right.subplots(len(evaluation.thresholds)), evaluation.thresholds):
        _draw_histogram(axes, evaluation, name)
    return figures.save(figure, path)

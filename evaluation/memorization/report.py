"""What an audit for copies writes, prints and draws, and whether it lets images out."""

import dataclasses
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from common import figures
from common.figures import pyplot
from common.report import Report, render
from evaluation.features import networks
from evaluation.memorization import nearest_neighbours, plants
from evaluation.memorization.auditor import TRAINING_SPLIT, Audit
from evaluation.uncertainty.intervals import Rate
from synthesis import layouts
from synthesis.trained_generator import TrainedGenerator

_TABLE = pathlib.Path(__file__).with_name("memorization.txt.jinja")
_COLUMNS = 4
_FLAGGED, _PASSED = "#b5472f", "#444444"
_MAP_COLORS = (figures.GENERATED, "#d9a441", "#7a9a4f")
_LARGEST_RATIO = 2.5


def refusal(audit: Audit, max_copy_rate: float) -> str:
    """Says why images of this generator should not leave the house; "" if they may.

    They may if the copy rate of every split of maps is shown, by a trained network, to be at most
    `max_copy_rate`: the upper end of its 95 % interval is. The point estimate, or the
    lower end, would let a generator pass for lack of images to judge it by.

    Args:
      audit: of the generator.
      max_copy_rate: between 0 and 1; below 0 lets everything pass.
    """
    if max_copy_rate < 0:
        return ""
    rates = {split: one.copies for split, one in audit.generated.items()}
    split, worst = max(
        ((split, rate) for split, rate in rates.items() if rate is not None),
        key=lambda item: item[1].interval[1],
    )
    high = worst.interval[1]
    if high <= max_copy_rate:
        trial = audit.protocol["feature_network"] == networks.EMBEDDED_NETWORK
        return "features of random weights show nothing, so nothing is audited" if trial else ""
    advice = "" if worst.share > max_copy_rate else "; more --num_images may show that it is lower"
    return (
        f"the copy rate on {split} maps, {worst.share:.2%} of {worst.total:,} images, may be as "
        f"high as {high:.2%}, above --max_copy_rate={max_copy_rate:g}{advice}"
    )


def frame(audit: Audit) -> pd.DataFrame:
    """Returns one row per generated image, the most suspicious first."""
    image_ids, patients = np.array(audit.training.image_ids), np.array(audit.training.patients)
    parts = []
    for split, one in audit.generated.items():
        found = one.matches
        columns = {
            "map_split": split,
            "index": np.arange(len(one.images)),
            "seed": one.seeds,
            "condition": one.images.conditions,
            "skin_type": one.images.skin_types,
            "nearest_image_id": image_ids[found.index],
            "nearest_patient_id": patients[found.index],
            "nearest_index": found.index,
            "mirrored": found.view % 2 == 1,
            "turned": found.view // 2 * 90,
            "criterion": found.criterion,
            "ratio": found.ratio,
            "suspicion": found.suspicion,
            "flagged": found.flagged,
        }
        for name, neighbours in one.neighbours.items():
            for field in ("distance", "scale", "ratio"):
                columns[f"{name}_{field}"] = getattr(neighbours, field)
        parts.append(pd.DataFrame(columns))
    rows = pd.concat(parts, ignore_index=True)
    return rows.sort_values("suspicion", kind="stable", ignore_index=True)


def _excess(audit: Audit) -> Dict[str, Tuple[float, float, float]]:
    """By split of the maps, the copy rate over that of held-out photographs."""
    held_out = audit.held_out.copies
    return {
        split: one.copies.excess(held_out)
        for split, one in audit.generated.items()
        if held_out is not None and one.copies is not None
    }


def _rates(rates: Mapping[str, Optional[Rate]]) -> Dict[str, Any]:
    return {name: rate and rate.as_dict() for name, rate in rates.items()}


def _numbers(audit: Audit, max_copy_rate: float) -> Dict[str, Any]:
    """Returns the contents of `memorization.json`."""
    generated = {split: one.as_dict() for split, one in audit.generated.items()}
    for split, excess in _excess(audit).items():
        generated[split]["excess"] = dict(zip(("share", "low", "high"), excess))
    for split, one in audit.copying.items():
        generated[split]["data_copying"] = one.as_dict()
    reason = refusal(audit, max_copy_rate)
    return {
        "run_dir": audit.run_dir,
        "step": audit.step,
        "verdict": verdict(audit, max_copy_rate),
        "thresholds": dict(audit.thresholds),
        "held_out": audit.held_out.as_dict(),
        "generated": generated,
        "planted_copies_found": _rates(audit.planted),
        "membership": audit.membership and audit.membership.as_dict(),
        "conditions": {name: _rates(rates) for name, rates in audit.conditions.items()},
        "patients": [dict(row) for row in audit.patients],
        "gate": {"max_copy_rate": max_copy_rate, "passed": not reason, "reason": reason},
        "notes": list(audit.notes),
    }


def write(audit: Audit, max_copy_rate: float, report: Report) -> None:
    """Writes `memorization.json`, `memorization.csv` and TensorBoard scalars.

    Args:
      audit: what was measured.
      max_copy_rate: of `refusal`.
      report: by the audit's protocol.
    """
    report.write_json(_numbers(audit, max_copy_rate))
    report.write_csv(frame(audit))
    scalars: Dict[str, float] = {}
    sets = {f"{split}_maps": one for split, one in audit.generated.items()}
    for name, one in {**sets, "held_out": audit.held_out}.items():
        scalars[f"memorization/authentic/{name}"] = one.authentic.share
        scalars[f"memorization/median_ratio/{name}"] = one.quantiles("features")["50"]
        if one.copies is not None:
            scalars[f"memorization/copy_rate/{name}"] = one.copies.share
    for split, test in audit.copying.items():
        scalars[f"memorization/c_t/{split}_maps"] = test.statistic
    if audit.membership:
        scalars["memorization/membership"] = audit.membership.value
    report.write_scalars(audit.step, scalars)


def verdict(audit: Audit, max_copy_rate: float) -> str:
    """Returns the first line: audited by what, and whether it passed."""
    network = audit.protocol["feature_network"]
    if network == networks.EMBEDDED_NETWORK:
        return "not audited: a trial of the program with features of random weights"
    if max_copy_rate < 0:
        return f"not judged: --max_copy_rate={max_copy_rate:g} lets everything pass"
    reason = refusal(audit, max_copy_rate)
    said = f"refused: {reason}" if reason else f"passed at a limit of {max_copy_rate:.2%} copies"
    return f"audit by {audit.protocol['layer']} of {network}: {said}"


def table(audit: Audit, max_copy_rate: float) -> str:
    """Returns the table for the screen."""
    return render(_TABLE, audit=audit, verdict=verdict(audit, max_copy_rate), excess=_excess(audit))


@dataclasses.dataclass(frozen=True)
class Pair:
    """A generated image beside its nearest training crop.

    Attributes:
      generated: uint8 [S, S, 3].
      training: uint8 [S, S, 3], mirrored and turned as that is nearest.
      flagged: whether it counts as a copy.
      lines: what to write under it.
    """

    generated: np.ndarray
    training: np.ndarray
    flagged: bool
    lines: Sequence[str]


def _how(row: Any) -> str:
    turned = f", turned {row.turned}°" if row.turned else ""
    return (", mirrored" if row.mirrored else "") + turned


def closest_pairs(audit: Audit, generator: TrainedGenerator, number: int) -> List[Pair]:
    """Returns the most suspicious generated images, painted again, by ratio.

    Args:
      audit: what was measured.
      generator: that it was measured of.
      number: how many.
    """
    rows = frame(audit).head(number)
    chosen = [
        audit.generated[split].images.layouts[index]
        for split, index in zip(rows["map_split"], rows["index"])
    ]
    maps = layouts.draw(chosen, generator.image_size)
    painted = np.concatenate(list(generator.batches(maps, rows["seed"].to_numpy())))
    originals = plants.pick(audit.training, rows["nearest_index"].tolist())
    pairs = []
    for row, image, original in zip(rows.itertuples(), painted, originals):
        lines = (
            f"{row.ratio:.2f} by {row.criterion}{_how(row)}",
            str(row.nearest_patient_id),
            f"{row.condition}, {row.map_split} map",
        )
        view = row.turned // 90 * 2 + row.mirrored
        training = nearest_neighbours.as_seen(original, view)
        pairs.append(Pair(image, training, bool(row.flagged), lines))
    return pairs


def _draw_pair(axes: pyplot.Axes, pair: Pair) -> None:
    gap = np.full((len(pair.generated), max(len(pair.generated) // 32, 1), 3), 255, np.uint8)
    axes.imshow(np.concatenate([pair.generated, gap, pair.training], axis=1))
    axes.set_xticks([])
    axes.set_yticks([])
    color = _FLAGGED if pair.flagged else _PASSED
    for spine in axes.spines.values():
        spine.set(color=color, linewidth=2.5 if pair.flagged else 0.8)
    axes.set_xlabel("\n".join(pair.lines), fontsize=7, color=color, labelpad=3)


def _draw_histogram(axes: pyplot.Axes, audit: Audit, criterion: str) -> None:
    filled: Dict[str, Any] = {"histtype": "stepfilled", "alpha": 0.35}
    sets = [("held-out photographs", audit.held_out, figures.REAL, filled)]
    for color, (split, one) in zip(_MAP_COLORS, audit.generated.items()):
        kind = "as they are" if split == TRAINING_SPLIT else "varied"
        sets.append((f"generated, {split} maps {kind}", one, color, {"histtype": "step"}))
    edges = np.linspace(0, _LARGEST_RATIO, 51).tolist()
    for name, one, color, style in sets:
        ratio = np.minimum(one.neighbours[criterion].ratio, _LARGEST_RATIO)
        share = np.full(len(ratio), 1 / len(ratio))
        axes.hist(ratio, edges, weights=share, color=color, label=name, **style)
    threshold = audit.thresholds[criterion]
    label = f"copies: ratio up to {threshold:.2f}"
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label=label)
    axes.set_xlim(0, _LARGEST_RATIO)
    axes.set_title(f"by {criterion}", fontsize=9)
    axes.set_xlabel(
        "distance to nearest training crop / its distance to another patient", fontsize=8
    )
    axes.set_ylabel("share of images")
    figures.finish(axes, grid=None, loc="upper right")


def draw(audit: Audit, pairs: Sequence[Pair]) -> pyplot.Figure:
    """Draws the closest pairs and, beside them, the ratios of all images.

    Args:
      audit: what was measured.
      pairs: from `closest_pairs`, generated image on the left, training crop on the
        right; flagged ones have a thick red frame.
    """
    rows = max(-(-len(pairs) // _COLUMNS), 1)
    figure = pyplot.figure(figsize=(15.5, max(1.6 * rows + 0.9, 6.0)), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(2.1, 1))
    left, right = parts
    left.suptitle("closest pairs: generated | training, ratio and training patient", fontsize=10)
    grid = left.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes, pair in zip(grid, pairs):
        _draw_pair(axes, pair)
    for axes in grid[len(pairs) :]:
        axes.set_axis_off()
    title = f"step {audit.step:,}, {audit.protocol['layer']}"
    right.suptitle(f"all images, {title}", fontsize=10)
    for axes, name in zip(right.subplots(len(audit.thresholds)), audit.thresholds):
        _draw_histogram(axes, audit, name)
    return figure

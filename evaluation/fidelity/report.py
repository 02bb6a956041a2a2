"""What is written, printed and drawn of a generator's fidelity."""

import pathlib
from typing import Any, List, Mapping, Sequence, Tuple

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from common import figures
from common.figures import GENERATED, REAL, pyplot
from common.report import Report, render
from evaluation.fidelity.evaluator import Example, Fidelity
from evaluation.fidelity.tone import Tone
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import taxonomy
from preprocessing.data.manifest import Box

_TABLE = pathlib.Path(__file__).with_name("fidelity.txt.jinja")
_ASKED, _FOUND = "#2fbf4f", "#f2d21f"


def frame(fidelity: Fidelity) -> pd.DataFrame:
    """Returns one row per map: what was asked for and measured of the generated images."""
    roi = fidelity.roi.generated
    rois = [";".join(" ".join(f"{x:g}" for x in box) for box in boxes) for boxes in roi["boxes"]]
    rows = roi.drop(columns=["boxes", "region", "chance"])
    others = [fidelity.checkerboard.generated, fidelity.counterfactuals.rows]
    if fidelity.tones:
        tones = fidelity.tones[0].generated.pivot(index="map", columns="skin_type", values="ita")
        others.insert(1, tones.add_prefix("ita_asked_for_type_").reset_index())
    for other in others:
        rows = rows.merge(other, on="map")
    return rows.assign(rois=rois)


def write(fidelity: Fidelity, report: Report) -> str:
    """Writes `fidelity.json`, `.csv`, `.png`, `fidelity_examples.png` and TensorBoard scalars.

    Returns:
      The path of the examples.
    """
    report.write_json(fidelity.as_dict())
    report.write_csv(frame(fidelity), float_format="%.6g")
    values = {f"fidelity/{name}": one.value for name, one in fidelity.estimates().items()}
    report.write_scalars(fidelity.step, values)
    report.write_figure(draw(fidelity))
    examples = report.write_figure(draw_examples(fidelity), "fidelity_examples")
    report.write_verdict(fidelity.step, fidelity.verdict)
    return examples


def table(fidelity: Fidelity) -> str:
    """Returns the table for the screen."""
    return render(_TABLE, fidelity=fidelity)


def draw(fidelity: Fidelity) -> pyplot.Figure:
    """Draws all headline numbers beside those of photographs."""
    rows = 2 if fidelity.tones else 1
    figure, axes = pyplot.subplots(rows, 3, figsize=(13.5, 4.1 * rows))
    if fidelity.tones:
        (tone, types, lesion), (spectrum, type_change, move) = axes
        _draw_tone(tone, fidelity.tones[0])
        _draw_types(types, fidelity.tones[0])
        _draw_type_change(type_change, fidelity)
    else:
        lesion, spectrum, move = axes
    _draw_lesion(lesion, fidelity)
    _draw_spectrum(spectrum, fidelity)
    _draw_move(move, fidelity)
    for one in axes.ravel():
        one.title.set_fontsize(10)
        figures.finish(one, grid=None)
    protocol = fidelity.protocol
    figure.suptitle(
        f"step {fidelity.step:,}; {protocol['num_images']:,} {protocol['map_split']} maps; "
        f"{protocol['interval']}{'' if fidelity.tones else '; tone was not measured'}",
        fontsize=10,
    )
    figure.tight_layout()
    return figure


def _bars(
    axes: Any,
    names: Sequence[str],
    groups: Sequence[Tuple[str, str, Sequence[Estimate]]],
    spec: str = ".2f",
) -> None:
    """Draws bars with intervals: groups of (label, colour, one number per name)."""
    width = 0.8 / len(groups)
    for index, (label, color, numbers) in enumerate(groups):
        places = np.arange(len(names)) + (index - (len(groups) - 1) / 2) * width
        points = [(one.value, one.low, one.high) for one in numbers]
        axes.bar(
            places,
            [value for value, _, _ in points],
            0.92 * width,
            yerr=figures.whiskers(points),
            color=color,
            label=label,
            error_kw={"ecolor": "black", "capsize": 2, "lw": 1},
        )
        for place, (value, _, high) in zip(places, points):
            if np.isfinite(value):
                top = high if np.isfinite(high) else value
                style = {"textcoords": "offset points", "ha": "center", "fontsize": 7.5}
                axes.annotate(f"{value:{spec}}", (place, top), (0, 2), **style)
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.margins(y=0.22)


def _draw_tone(axes: Any, tone: Tone) -> None:
    rng = np.random.default_rng(0)
    sides = (
        ("real crops", REAL, tone.real, tone.ceiling, "s", 0.25),
        ("generated", GENERATED, tone.generated, tone.agreement, "o", 0.25),
    )
    ends: List[float] = []
    for label, color, frame, numbers, marker, alpha in sides:
        x, y = frame["requested"].to_numpy(float), frame["ita"].to_numpy(float)
        known = np.isfinite(x) & np.isfinite(y)
        if not known.any():
            continue
        label = f"{label}: r = {numbers['correlation'].value:.2f}, "
        label += f"slope {numbers['slope'].value:.2f}, error {numbers['error'].value:.1f}°"
        jitter = rng.uniform(-1.2, 1.2, known.sum())
        axes.scatter(x[known] + jitter, y[known], s=9, c=color, alpha=alpha, marker=marker, lw=0)
        axes.scatter([], [], s=20, c=color, marker=marker, label=label)
        ends.extend(x[known])
    ends = [min(ends, default=0.0), max(ends, default=0.0)]
    axes.plot(ends, ends, color="black", lw=0.8, ls="--")
    axes.set_xlabel("requested: mean ITA of real crops of the type (degrees)")
    axes.set_ylabel("measured ITA outside the ROI (degrees)")
    axes.set_title("Tone: measured against requested")
    axes.grid(alpha=0.25)


def _draw_types(axes: Any, tone: Tone) -> None:
    for side, color, marker, shift in (
        ("real", REAL, "s", -0.12),
        ("generated", GENERATED, "o", 0.12),
    ):
        rows = [one for one in tone.types if getattr(one, f"{side}_images")]
        deviations = [np.nan_to_num(getattr(one, f"{side}_sd")) for one in rows]
        axes.errorbar(
            [one.skin_type + shift for one in rows],
            [getattr(one, f"{side}_mean") for one in rows],
            yerr=deviations,
            fmt=marker,
            color=color,
            capsize=3,
            markersize=5,
            label="real crops" if side == "real" else side,
        )
    axes.set_xticks(taxonomy.FITZPATRICK_TYPES)
    estimated = "; of real crops, estimated" if tone.estimated else ""
    axes.set_xlabel(f"Fitzpatrick skin type asked for{estimated}")
    axes.set_ylabel("ITA (degrees), mean ± 1 SD of images")
    axes.set_title("Tone by skin type")
    axes.grid(axis="y", alpha=0.25)


def _draw_lesion(axes: Any, fidelity: Fidelity) -> None:
    roi = fidelity.roi
    names = ("found", "iou", "iou_by_chance")
    labels = ("found", "IoU with\nits boxes", "IoU with boxes\nof other images")
    sides: Tuple[Tuple[str, str, Mapping[str, Estimate]], ...] = (
        ("generated", GENERATED, roi.generated_numbers),
        ("real crops", REAL, roi.real_numbers),
    )
    groups = [(label, color, [numbers[name] for name in names]) for label, color, numbers in sides]
    _bars(axes, labels, groups)
    ratios = [f"{numbers['contrast_ratio'].value:.1f}" for _, _, numbers in sides]
    axes.set_ylim(0, 1.35)
    axes.set_ylabel("share")
    axes.set_title(
        "Lesion: the region unlike the skin, against the boxes\n"
        f"contrast inside / outside: generated {ratios[0]}, real {ratios[1]}"
    )


def _draw_spectrum(axes: Any, fidelity: Fidelity) -> None:
    board = fidelity.checkerboard
    both = np.concatenate([board.generated["prominence"], board.real["prominence"]])
    bins = np.geomspace(both.min() * 0.95, both.max() * 1.05, 25)
    for label, color, frame in (
        ("real crops", REAL, board.real),
        ("generated", GENERATED, board.generated),
    ):
        weights = np.full(len(frame), 1 / len(frame))
        axes.hist(frame["prominence"], bins, weights=weights, color=color, alpha=0.6, label=label)
    axes.axvline(1.0, color="black", lw=0.8, ls="--")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.set_xlabel("energy at periods of 2 and 4 pixels over nearby frequencies")
    axes.set_ylabel("share of images")
    axes.set_title(
        f"Checkerboard: prominence, generated / real {board.ratio['prominence'].value:.2f}\n"
        f"(share of all energy {board.ratio['share'].value:.2f}; blur alone lowers it)"
    )


def _draw_type_change(axes: Any, fidelity: Fidelity) -> None:
    rows, numbers = fidelity.counterfactuals.rows, fidelity.counterfactuals.numbers
    x, y = rows["expected"].to_numpy(float), rows["tone_change"].to_numpy(float)
    axes.scatter(x, y, s=12, c=GENERATED, alpha=0.5, lw=0)
    if np.isfinite(x).any():
        ends = np.array([np.nanmin(x), np.nanmax(x)])
        axes.plot(ends, ends, color="black", lw=0.8, ls="--", label="as between real crops")
        axes.plot(ends, numbers["tone_gain"].value * ends, color=GENERATED, lw=1, label="fitted")
    axes.axhline(0, color="black", lw=0.5)
    axes.set_xlabel("difference of the two types' real crops (degrees of ITA)")
    axes.set_ylabel("change of the skin's tone (degrees of ITA)")
    axes.set_title(
        f"Only the skin type changes: gain {numbers['tone_gain']:.2f}\n"
        f"lesion stays: IoU before and after {numbers['type_region_iou']:.2f}"
    )
    axes.grid(alpha=0.25)


def _draw_move(axes: Any, fidelity: Fidelity) -> None:
    numbers = fidelity.counterfactuals.numbers
    names = ("inside old and\nnew boxes", "elsewhere", "elsewhere, had\nnoise changed")
    changes = [numbers[name] for name in ("change_inside", "change_elsewhere", "change_by_noise")]
    _bars(axes, names, [("", GENERATED, changes)], ".1f")
    axes.set_xlim(-0.8, 2.8)
    axes.set_ylabel("mean change of colour (Delta E)")
    axes.set_title(
        f"Only the boxes move: tone drifts {numbers['tone_drift'].value:.1f}°; lesion\n"
        f"follows: IoU {numbers['iou_new_box'].value:.2f} with new, "
        f"{numbers['iou_old_box'].value:.2f} with old boxes"
    )


def _outline(axes: Any, boxes: Sequence[Box], color: str, style: str = "-") -> None:
    for box in boxes:
        size = (box.x1 - box.x0, box.y1 - box.y0)
        corner = (box.x0 - 0.5, box.y0 - 0.5)
        axes.add_patch(Rectangle(corner, *size, fill=False, ec=color, lw=1.1, ls=style))


def draw_examples(fidelity: Fidelity) -> pyplot.Figure:
    """Draws the first maps in all skin types that were painted, and with moved boxes.

    One noise per row. Green: boxes asked for; yellow: what the finder found.
    """
    rows = fidelity.examples
    types = taxonomy.FITZPATRICK_TYPES if fidelity.tones else ()
    columns = 2 + len(types)
    size = (1.5 * columns, 1.62 * len(rows))
    figure, axes = pyplot.subplots(len(rows), columns, figsize=size, squeeze=False)
    for line, example in zip(axes, rows):
        for one in line:
            one.set_xticks([])
            one.set_yticks([])
        _draw_example(line, example, types)
    titles = ["asked for (solid),\nfound (dashed)", *map(taxonomy.type_name, types), "boxes moved"]
    for one, title in zip(axes[0], titles):
        one.set_title(title, fontsize=8)
    figure.tight_layout(pad=0.4)
    return figure


def _draw_example(axes: Sequence[Any], example: Example, types: Sequence[int]) -> None:
    own = example.layout.skin_type
    axes[0].imshow(example.images[own])
    _outline(axes[0], example.layout.boxes, _ASKED)
    _outline(axes[0], example.region.boxes, _FOUND, "--")
    axes[0].set_ylabel(f"{example.layout.condition}\n{taxonomy.type_name(own)}", fontsize=7)
    for one, skin_type in zip(axes[1:-1], types):
        one.imshow(example.images[skin_type])
    if example.moved:
        (layout, image) = example.moved[0]
        axes[-1].imshow(image)
        _outline(axes[-1], layout.boxes, _ASKED)
    else:
        axes[-1].axis("off")

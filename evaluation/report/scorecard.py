"""The seven criteria of synthetic medical data, filled from what was measured.

Source: "Scorecard for synthetic medical data evaluation", Communications Engineering 2025,
doi 10.1038/s44172-025-00450-1, which names them and asks for evidence for each. What is
evidence here is our choice; a criterion for which nothing was measured says so.
"""

import dataclasses
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

from common import results
from common.results import Result
from evaluation.report.contents import Contents, crops_by_kind
from preprocessing.data import manifest


@dataclasses.dataclass(frozen=True)
class Line:
    """One criterion.

    Attributes:
      criterion: its name.
      asks: its question.
      found: sentences without full stops; empty where nothing was measured.
      by: programs that would measure it, and have not been run.
    """

    criterion: str
    asks: str
    found: Sequence[str]
    by: Sequence[str]

    @property
    def measured(self) -> bool:
        """Whether there is any evidence."""
        return bool(self.found)


def _beside(result: Result, metric: str, what: str) -> str:
    overall = result.content["overall"]
    ours, theirs = (results.plus_minus(overall[side][metric]) for side in ("generated", "floor"))
    return f"{what} {ours} (photographs {theirs})"


def _congruence(found: Mapping[str, Result]) -> List[str]:
    said = [found[name].verdict for name in ("fid", "reader_study") if found[name].counts]
    if found["fid"].counts:
        said.append(
            _beside(found["fid"], "precision", "share of images that lie among photographs")
        )
    return said


def _coverage(found: Mapping[str, Result]) -> List[str]:
    fid = found["fid"]
    if not fid.counts:
        return []
    said = [
        _beside(fid, "recall", "share of photographs that lie among generated images"),
        _beside(fid, "coverage", "share of photographs with a generated image near them"),
    ]
    if diversity := fid.content.get("diversity"):
        ratio = results.estimate(diversity["ratio"])
        said.append(f"images of one map differ by {ratio} of what photographs of a condition do")
    return said


def _constraint(found: Mapping[str, Result]) -> List[str]:
    return [found["fidelity"].verdict] if found["fidelity"].counts else []


def _compliance(found: Mapping[str, Result]) -> List[str]:
    return [found["memorization"].verdict] if found["memorization"].counts else []


def _comprehension(found: Mapping[str, Result]) -> List[str]:
    fidelity = found["fidelity"]
    if not fidelity.counts:
        return []
    names = {
        "tone_gain": "asked for another skin type, the tone changes by {} of what it should",
        "iou_new_box": "when boxes move, the lesion follows: IoU {} with the new ones",
        "change_elsewhere": "and colours elsewhere change by {} (Delta E)",
    }
    numbers = {name: fidelity.content["counterfactuals"].get(name) for name in names}
    return [
        names[name].format(results.estimate(one))
        for name, one in numbers.items()
        if one and one["value"] is not None
    ]


def _worst(groups: Mapping[str, Any], what: str) -> List[str]:
    if len(groups) < 2:
        return []
    above = {name: one["above_floor"] for name, one in groups.items()}
    order = sorted(above, key=lambda name: above[name]["mean"])
    ends = [f"{name} {results.plus_minus(above[name])}" for name in (order[0], order[-1])]
    return [f"distance above that of photographs by {what}: {ends[0]} to {ends[1]}"]


def _consistency(found: Mapping[str, Result]) -> List[str]:
    said: List[str] = []
    if found["fid"].counts:
        said += _worst(found["fid"].content["conditions"], "condition")
        types = found["fid"].content.get("skin_types", {})
        estimated = {name: one for name, one in types.items() if manifest.is_estimated_group(name)}
        annotated = {name: one for name, one in types.items() if name not in estimated}
        said += _worst(annotated, "skin type") + _worst(estimated, "skin type")
    if found["ablation"].counts:
        full = found["ablation"].content["rows"]
        seeds = max((row["seeds"] for row in full), default=0)
        said.append(f"{seeds} trainings of each model were compared (ablation)")
    return said


def _completeness(contents: Contents) -> List[str]:
    if not contents.cells:
        return []
    what, crops = crops_by_kind(contents)
    facts = dict(contents.facts)
    return [
        f"{sum(map(bool, crops))} of {len(crops)} {what} have training crops",
        facts["Skin types"],
        "every image carries condition, skin type, boxes, seed and the generator's digest",
    ]


_Evidence = Callable[[Mapping[str, Result]], List[str]]
_CRITERIA: Dict[str, Tuple[str, _Evidence, Sequence[str]]] = {
    "Congruence": ("Are they like photographs?", _congruence, ("fid", "reader_study")),
    "Coverage": ("Are they as varied as photographs?", _coverage, ("fid",)),
    "Constraint": ("Do they obey what is asked for?", _constraint, ("fidelity",)),
    "Compliance": ("Do they give away patients?", _compliance, ("memorization",)),
    "Comprehension": ("Is it understood what changes what?", _comprehension, ("fidelity",)),
    "Consistency": (
        "Is it the same for all groups, and again?",
        _consistency,
        ("fid", "ablation"),
    ),
}
_ORDER = (
    *("Congruence", "Coverage", "Constraint", "Completeness"),
    *("Compliance", "Comprehension", "Consistency"),
)


def fill(contents: Contents) -> List[Line]:
    """Returns the seven criteria, in the order of the source."""
    lines = {
        name: Line(
            *(name, asks, evidence(contents.results)),
            [program for program in by if not contents.results[program].counts],
        )
        for name, (asks, evidence, by) in _CRITERIA.items()
    }
    asks = "Is all there that a user of the data needs?"
    lines["Completeness"] = Line("Completeness", asks, _completeness(contents), ())
    return [lines[name] for name in _ORDER]

"""Two runs side by side, paired: the same trials, the same maps."""

import dataclasses
import pathlib
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import pandas as pd

from common import results
from common.results import Result
from evaluation.uncertainty import cluster_bootstrap, intervals

# What may differ between two measurements that are compared.
_OF_THE_RUN = {
    *("generator_digest", "generated_digest", "generated_digests"),
    *("dataset_digest", "code_revision"),
}
_BY_MAP = {
    "iou": "lesion: IoU with the boxes asked for",
    "center_error": "lesion: its centre is off by, of the side",
    "prominence": "checkerboard: energy over nearby frequencies",
}


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What one evaluation says of two runs.

    Attributes:
      title: of the evaluation.
      rows: (measure, first, second, second less first with its interval or "").
      remark: why nothing is compared, or what pairs; "" for nothing.
    """

    title: str
    rows: Sequence[Tuple[str, str, str, str]]
    remark: str


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> List[str]:
    """Returns in what two protocols differ."""
    names = (set(first) | set(second)) - _OF_THE_RUN
    return sorted(name for name in names if first.get(name) != second.get(name))


def _by_trial(first: Result, second: Result) -> str:
    """Returns the mean difference of distances above the floor, of the same trials."""
    above = []
    for one in (first, second):
        trials = one.content["frechet_by_trial"]
        above.append(np.subtract(trials["generated"], trials["floor"]))
    return results.plus_minus(intervals.mean_of_trials(above[1] - above[0]))


def _by_map(first: Result, second: Result) -> Dict[str, str]:
    """Returns mean differences over maps that both painted, from the tables of fidelity."""
    tables = [pathlib.Path(one.path).with_suffix(".csv") for one in (first, second)]
    if not all(path.is_file() for path in tables):
        return {}
    one, other = (pd.read_csv(path).set_index("map") for path in tables)
    same = one.index.intersection(other.index)
    found = {}
    for column in _BY_MAP:
        if column in one and column in other:
            difference = (other.loc[same, column] - one.loc[same, column]).dropna().to_numpy()
            (mean,) = cluster_bootstrap.estimate(
                lambda rows, values=difference: [values[rows].mean()], range(len(difference))
            )
            found[column] = results.estimate(mean.as_dict(), "+.3f")
    return found


def compare(first: Mapping[str, Result], second: Mapping[str, Result]) -> List[Comparison]:
    """Compares what was measured of two generators.

    Args:
      first: results by evaluation, from `common.results.read`.
      second: those of the other run.
    """
    return [_compare(first[name], second[name]) for name in first if name != "ablation"]


def _compare(first: Result, second: Result) -> Comparison:
    lacking = [which for which, one in (("first", first), ("second", second)) if not one.counts]
    if lacking:
        return Comparison(first.title, (), f"not measured of the {' and the '.join(lacking)} run")
    protocols = first.content["protocol"], second.content["protocol"]
    if first.name in ("fid", "fidelity", "memorization"):
        differences = _differences(*protocols)
        if differences:
            remark = f"not compared: measured differently ({', '.join(differences)})"
            return Comparison(first.title, (), remark)
    paired, remark = {}, ""
    same_records = protocols[0].get("dataset_digest") == protocols[1].get("dataset_digest")
    if first.name == "fid" and same_records:
        paired = {"Frechet distance above the floor, by trial": _by_trial(first, second)}
        remark = "the same photographs and trials for both: differences are paired"
    if first.name == "fidelity" and same_records:
        by_map = _by_map(first, second)
        paired = {_BY_MAP[column]: text for column, text in by_map.items()}
        remark = "differences are paired by map, 95 %" if by_map else ""
    # The column after the name is that of the generator.
    theirs = {row[0]: row[1] for row in second.rows}
    ours = {row[0]: row[1] for row in first.rows}
    names = [*ours, *(name for name in theirs if name not in ours)]
    names += [name for name in paired if name not in names]
    rows = [
        (name, ours.get(name, "-"), theirs.get(name, "-"), paired.get(name, "")) for name in names
    ]
    return Comparison(first.title, rows, remark)

"""What is known of a trained generator: the results of all evaluations beside its run.

    found = results.read(run_dir, digest, dataset_digest)
    found["fid"].verdict       # "nearer to photographs than photographs at a half of ..."
    found["fidelity"].state    # one of `STATES`

The report on a run and the model card of its export say the same, because both say it from
here. Nothing is computed: words and numbers are those that the evaluations wrote.
"""

import dataclasses
import json
import os
import pathlib
import shlex
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from common import addresses, files

# Of this generator and its records; a trial of the program by random features; of another
# checkpoint or other records; not to be read; not there; not there and never to be.
STATES = MEASURED, TRIAL, OTHER, DAMAGED, MISSING, POINTLESS = (
    *("measured", "trial", "other", "damaged", "not measured", "does not apply"),
)
_UNRELIABLE = ", unreliable: fewer images than dimensions"
_EMBEDDED = "embedded"  # the feature network of random weights


@dataclasses.dataclass(frozen=True)
class Result:
    """What one evaluation says.

    Attributes:
      name: of the program, and of its JSON.
      title: for people.
      state: one of `STATES`.
      verdict: one sentence, without a full stop; why there is no number where there is none.
      head: names of the columns of the table.
      rows: its cells, as text.
      protocol: one line: of what, how many, what the intervals are.
      notes: what a reader should know.
      command: that measures it.
      path: of the JSON; "" where there is none.
      content: of the JSON; {} where it cannot be used.
    """

    name: str
    title: str
    state: str
    verdict: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    protocol: str = ""
    notes: Sequence[str] = ()
    command: str = ""
    path: str = ""
    content: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def counts(self) -> bool:
        """Whether it may be told as a result of this generator."""
        return self.state == MEASURED


class _Said(NamedTuple):
    """What a JSON says, for a `Result`."""

    verdict: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    protocol: str


def number(value: Optional[float], spec: str = ".3g") -> str:
    """Returns a number as text, "-" for one that could not be told."""
    return "-" if value is None else format(value, spec)


def plus_minus(trials: Mapping[str, float]) -> str:
    """Returns the mean of trials and its half interval as text."""
    return f"{trials['mean']:.3g} ± {trials['interval']:.2g}"


def estimate(one: Mapping[str, Optional[float]], spec: str = ".2f") -> str:
    """Returns a number and the ends of its interval as text."""
    if one.get("low") is None:
        return number(one["value"], spec)
    return (
        f"{number(one['value'], spec)} ({number(one['low'], spec)} to {number(one['high'], spec)})"
    )


def share(rate: Optional[Mapping[str, Any]]) -> str:
    """Returns a share of images and its interval as text."""
    if rate is None:
        return "-"
    low, high = rate["interval"]
    return f"{rate['share']:.1%} ({low:.1%} to {high:.1%})"


def _by_network(protocol: Mapping[str, Any]) -> str:
    network = protocol["feature_network"]
    if os.path.isabs(network):  # where it lies says nothing to others
        network = os.path.basename(os.path.normpath(network))
    return f"by {protocol['layer']} of {network}"


def _fid(content: Mapping[str, Any]) -> _Said:
    overall, protocol = content["overall"], content["protocol"]
    generated, floor = overall["generated"], overall["floor"]
    names = {
        "frechet": "Frechet distance (0: alike)",
        "kernel": "kernel distance (0: alike)",
        "precision": "precision: images that lie among photographs",
        "recall": "recall: photographs that lie among images",
        "density": "density",
        "coverage": "coverage",
    }
    first = content.get("leading", "frechet")
    order = sorted(names, key=lambda name: name != first)
    rows = [[names[name], plus_minus(generated[name]), plus_minus(floor[name])] for name in order]
    above = ["Frechet distance above the floor, by trial", plus_minus(overall["above_floor"]), ""]
    rows.insert(order.index("frechet") + 1, above)
    if first == "kernel":
        rows[order.index("frechet")][0] += _UNRELIABLE
    if diversity := content.get("diversity"):
        what = "distance between images of one map, of that between photographs"
        rows.append([what, estimate(diversity["ratio"]), "1"])
    for one in content.get("further", ()):
        if one["protocol"]["feature_network"] == _EMBEDDED:
            continue
        sides = one["overall"]["generated"], one["overall"]["floor"]
        for name in sorted(("frechet", "kernel"), key=lambda name: name != one["leading"]):
            title = f"{names[name]}, {_by_network(one['protocol'])}"
            if name == "frechet" != one["leading"]:
                title += _UNRELIABLE
            rows.append([title, *(plus_minus(side[name]) for side in sides)])
    return _Said(
        content["verdict"] or "no verdict: photographs of lower resolution were not measured",
        ("", "generated", "photographs"),
        rows,
        f"{content['distance']}, {_by_network(protocol)}; N = {overall['num_images']}, "
        f"{protocol['real_split']} photographs of {protocol['real_patients']:,} patients; "
        f"{protocol['trials']} trials, ± 1.96 SD",
    )


def _fidelity(content: Mapping[str, Any]) -> _Said:
    protocol = content["protocol"]
    rows = []
    wanted = (
        ("tone", "error", "tone: mean error, degrees of ITA", ".1f"),
        ("tone", "correlation", "tone: correlation with what was asked for", ".2f"),
        ("tone_estimated", "error", "tone by estimated types: mean error, degrees of ITA", ".1f"),
        ("roi", "iou", "lesion: IoU with the boxes asked for", ".2f"),
        ("roi", "iou_by_chance", "lesion: IoU with the boxes of other images", ".2f"),
        ("roi", "contrast_ratio", "lesion: contrast inside / outside the boxes", ".1f"),
        ("checkerboard", "prominence", "checkerboard: energy over nearby frequencies", ".2f"),
    )
    for part, name, title, spec in wanted:
        if sides := content.get(part):
            found = [sides[side].get(name) for side in ("generated", "real")]
            cells = ["-" if one is None else estimate(one, spec) for one in found]
            rows.append([title, *cells])
    return _Said(
        content["verdict"],
        ("", "generated", "photographs"),
        rows,
        f"{protocol['num_images']:,} {protocol['map_split']} maps, varied; {protocol['interval']}",
    )


def _memorization(content: Mapping[str, Any]) -> _Said:
    protocol, held_out = content["protocol"], content["held_out"]
    rows = []
    for split, one in content["generated"].items():
        name = f"copies, of images of {split} maps"
        rows.append([name, share(one["copies"]), share(held_out["copies"])])
        name = f"farther than other patients are, of images of {split} maps"
        rows.append([name, share(one["authentic"]), share(held_out["authentic"])])
        test = one["data_copying"]
        name = f"C_T: above 0 farther than photographs, of images of {split} maps"
        rows.append([name, number(test["c_t"], "+.1f"), "0"])
    if content["membership"]:
        name = "AUC of its own discriminator, training against other photographs"
        rows.append([name, estimate(content["membership"]), "0.5"])
    for kind, found in content["planted_copies_found"].items():
        rows.append([f"planted copies found: {kind}", share(found), ""])
    return _Said(
        content["verdict"],
        ("", "generated", "held-out photographs"),
        rows,
        f"{protocol['training_images']:,} training crops of {protocol['training_patients']:,} "
        f"patients, {_by_network(protocol)}; 95 % intervals",
    )


def _by_test_set(found: Mapping[str, Any]) -> List[Tuple[str, Any]]:
    """Returns what was found on the test photographs and then on another data set's."""
    names = {"test": "", "extra": "Another data set: "}
    return [(names[name], found[name]) for name in names if name in found]


def _augmentation(content: Mapping[str, Any]) -> _Said:
    measures = ("top_1", "balanced_accuracy", "macro_f1")
    arms = [
        (name + arm["arm"], arm)
        for name, found in _by_test_set(content["results"])
        for arm in found["arms"]
    ]
    return _Said(
        " ".join(name + said for name, said in _by_test_set(content["verdict"])).rstrip("."),
        ("classifier trained on", "top-1", "balanced accuracy", "macro F1"),
        [[name, *(estimate(arm["overall"][one], ".3f") for one in measures)] for name, arm in arms],
        f"MobileNet, {len(arms[0][1]['seeds'])} seeds; 95 % intervals of a bootstrap of patients "
        f"({content['protocol']['replicates']:,} replicates)",
    )


def _ablation(content: Mapping[str, Any]) -> _Said:
    rows = []
    for row in content["rows"]:
        difference = "-"
        if "difference" in row:
            ends = [number(row[f"difference_{end}"], "+.3f") for end in ("low", "high")]
            difference = f"{row['difference']:+.3f} ({' to '.join(ends)})"
        distance = plus_minus({"mean": row["frechet"], "interval": row["frechet_interval"]})
        rows.append([row["title"], str(row["seeds"] or ""), distance, difference])
    return _Said(
        " ".join(content["verdicts"]).rstrip("."),
        ("model", "seeds", "Frechet distance", "less the full model's (95 % of seeds)"),
        rows,
        f"{_by_network(content['protocol'])}; {content['protocol']['trials']} trials, ± 1.96 SD",
    )


def _reader_study(content: Mapping[str, Any]) -> _Said:
    rows = []
    for score in content["scores"]:
        if score["by"] == "all":
            ends = {
                end: score[f"readers_and_pictures_{end}"] or score[f"readers_{end}"]
                for end in ("low", "high")
            }
            cell = estimate({"value": score["mean"], **ends})
            rows.append([score["test"], score["measure"].replace("_", " "), cell])
    return _Said(
        " ".join(content["findings"]).rstrip("."),
        ("test", "measure", "mean of readers"),
        rows,
        f"{len(content['readers'])} readers; {content['protocol']['intervals']}",
    )


class Kind(NamedTuple):
    """An evaluation.

    Attributes:
      title: for people.
      say: what its JSON says; KeyError, TypeError, AttributeError where it is not one.
      generator: path of keys to the generator's digest; () where it is of no one generator.
      dataset: to that of the records.
      of_run: whether its program writes beside the run.
      command: what its program is given; RUN stands for the run.
      conditions: the least that the generator must know for it to make sense.
    """

    title: str
    say: Callable[[Mapping[str, Any]], _Said]
    generator: Tuple[str, ...] = ("protocol", "generator_digest")
    dataset: Tuple[str, ...] = ("protocol", "dataset_digest")
    of_run: bool = True
    command: str = "--run_dir=RUN"
    conditions: int = 1


KINDS: Dict[str, Kind] = {
    "fid": Kind("Distance to photographs", _fid),
    "fidelity": Kind("Tone and place", _fidelity),
    "memorization": Kind("Memorisation", _memorization),
    "augmentation": Kind(
        "Does it help a classifier?",
        _augmentation,
        ("protocol", "study", "synthetic", "generator_digest"),
        ("protocol", "study", "dataset_digest"),
        conditions=2,
    ),
    "ablation": Kind(
        "What each part is worth", _ablation, (), of_run=False, command="--data_dir=RECORDS"
    ),
    "reader_study": Kind(
        "Readers",
        _reader_study,
        ("protocol", "made_from", "synthetic", "digest"),
        ("protocol", "made_from", "real", "digest"),
        of_run=False,
        command="build --run_dir=RUN --output_dir=study",
    ),
}


def _dig(content: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _places(name: str, run_dir: files.PathLike, elsewhere: Sequence[str]) -> List[pathlib.Path]:
    """Returns where the JSON of an evaluation may lie; what the user named comes first."""
    folders = [pathlib.Path(folder) for folder in elsewhere]
    folders.append(pathlib.Path(run_dir, "evaluation"))
    below = ("", name, "results", os.path.join(name, "results"))
    return [folder / sub / f"{name}.json" for folder in folders for sub in below]


def _notes(found: Any) -> List[str]:
    """Returns the notes of an evaluation, or of those of its test sets."""
    if isinstance(found, Mapping):
        return [name + str(note) for name, notes in _by_test_set(found) for note in notes]
    return [str(note) for note in found]


def _read(name: str, path: pathlib.Path, digest: str, dataset_digest: Optional[str]) -> Result:
    kind = KINDS[name]
    empty = Result(name, kind.title, DAMAGED, "", path=str(path))
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        said = kind.say(content)
    except OSError as error:
        return dataclasses.replace(empty, verdict=f"cannot be read: {error.strerror}")
    except ValueError as error:
        return dataclasses.replace(empty, verdict=f"damaged: not valid JSON ({error})")
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        lacks = f"it lacks {error}" if isinstance(error, KeyError) else "not what it should be"
        return dataclasses.replace(empty, verdict=f"damaged, or of another version: {lacks}")
    state, verdict = MEASURED, said.verdict
    records = _dig(content, kind.dataset)
    if kind.generator and _dig(content, kind.generator) != digest:
        step = content.get("step")
        at = f", of step {step:,}" if isinstance(step, int) else ""
        state, verdict = OTHER, f"of another checkpoint or run{at}; it said: {verdict}"
    elif dataset_digest and records != dataset_digest:
        state, verdict = OTHER, f"by other records ({str(records)[:12]}); it said: {verdict}"
    elif _dig(content, ("protocol", "feature_network")) == _EMBEDDED:
        state, verdict = TRIAL, "a trial of the program, with features of random weights"
    return dataclasses.replace(
        empty,
        state=state,
        verdict=verdict,
        head=said.head,
        rows=said.rows,
        protocol=said.protocol,
        notes=_notes(content.get("notes") or ()),
        content=content,
    )


def _network_of(fid: Result) -> List[str]:
    """Returns the flags that have the first of its feature networks used again."""
    flags = []
    for text in map(str, fid.content.get("flags") or ()):
        name, _, value = text.partition("=")
        if name in ("--feature_network", "--layer"):
            flags.append(f"{name}={value.split(',')[0]}")
        elif name.startswith("--network_") or name.endswith(("resize", "antialias")):
            flags.append(text)
    return flags


def read(
    run_dir: files.PathLike,
    digest: str,
    dataset_digest: Optional[str] = None,
    elsewhere: Sequence[str] = (),
    conditions: int = 2,
) -> Dict[str, Result]:
    """Reads the results of all evaluations.

    Args:
      run_dir: of the generator; its folder `evaluation` is looked through.
      digest: of the generator, which results must be of to count.
      dataset_digest: of the records they must be by; None takes any.
      elsewhere: further folders: of ablations, experiments and reader studies.
      conditions: how many the generator knows.

    Returns:
      A result for each of `KINDS`, also where there is none.
    """
    found: Dict[str, Result] = {}
    for name, kind in KINDS.items():
        paths = [path for path in _places(name, run_dir, elsewhere) if path.exists()]
        if paths:
            readings = [_read(name, path, digest, dataset_digest) for path in paths]
            # One that counts is better than one that does not.
            result = min(readings, key=lambda one: STATES.index(one.state))
        elif conditions < kind.conditions:
            result = Result(name, kind.title, POINTLESS, "does not apply: of one condition")
        else:
            result = Result(name, kind.title, MISSING, "not measured")
        words = [word.replace("RUN", addresses.told(run_dir)) for word in kind.command.split()]
        given = result.content.get("flags") or ()
        if name == "memorization" and not given:
            given = _network_of(found["fid"])
        words += map(str, given)
        command = f"bazel run //evaluation:{name} -- {shlex.join(words)}"
        found[name] = dataclasses.replace(result, command=command)
    return found

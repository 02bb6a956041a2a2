"""A run directory: what lies where, what it records of its run, who may continue there."""

import json
import os
import pathlib
import platform
import re
import subprocess
from importlib import metadata
from typing import Any, Iterator, Mapping, Optional, Sequence

import ml_collections
import tensorflow as tf
from absl import logging

from common import addresses, files
from model import noise
from preprocessing.data import records
from training.configs import paper

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
SAMPLES = "samples"
GENERATOR = "generator"

# What shows `events.*`. Bazel's environment puts no program on PATH.
_TENSORBOARD = "tensorboard --logdir {}   (pip install tensorboard, where there is none)"

_CHECKPOINT = re.compile(r"^ckpt-(\d+)\.index$")
_PACKAGES = [
    "tensorflow",
    "keras",
    "tensorflow-addons",
    "tensorflow-gan",
    "numpy",
    "ml-collections",
]
_ASKED_PRECISION = "config.training.precision "
_LENGTH = ("config.training.steps ", "config.training.epochs ")


def tensorboard(folder: str) -> str:
    """Returns, for people, the command that shows a folder of runs, or one of them."""
    return _TENSORBOARD.format(folder)


def describe(
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: records.DatasetInfo,
    conditions: Sequence[str],
    precision: str,
) -> dict[str, Any]:
    """Returns the contents of `config.json`: what it takes to repeat the run.

    `conditions` are those the model is trained on, `precision` the policy in use.
    """
    return {
        "config": config.to_dict(),
        "seed": config.seed,
        "precision": precision,
        "noise": noise.GENERATOR,
        "dataset": {
            "directory": os.path.abspath(data_dir),
            "digest": info.digest,
            "image_size": info.image_size,
            "taxonomy": list(info.taxonomy),
            "aliases": dict(info.aliases),
            "conditions": list(conditions),
        },
        "git_revision": _git_revision(),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
    }


def _git_revision() -> str:
    folder = os.environ.get("BUILD_WORKSPACE_DIRECTORY") or os.path.dirname(
        os.path.abspath(__file__)
    )
    command = ["git", "-C", folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def differences_between(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = ""
) -> list[str]:
    """Returns a line for each entry, of entries too, in which two descriptions differ."""
    lines = []
    for key in sorted(set(ours) | set(theirs)):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            lines += differences_between(mine, other, f"{prefix}{key}.")
        elif mine != other:
            lines.append(f"{prefix}{key} was {other!r}, is {mine!r}")
    return lines


def read_description(run_dir: str) -> dict[str, Any]:
    """Reads `config.json` of a run.

    Raises:
      ValueError: missing, not such a file, or a field of a wrong type.
    """
    path = pathlib.Path(run_dir) / CONFIG
    if not path.is_file():
        raise ValueError(
            f"{addresses.address_of(run_dir)}: not a run directory; it has no {CONFIG}"
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description, dict):
            raise ValueError("it is no object")
        _check_types(description)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not the description of a run ({error})") from error
    return description


def _kind(value: Any) -> str:
    """Returns what JSON calls a value's type."""
    for kind, types in (
        ("true or false", (bool,)),
        ("a number", (int, float)),
        ("a text", (str,)),
        ("a list", (list, tuple)),
        ("an object", (Mapping,)),
    ):
        if isinstance(value, types):
            return kind
    return "nothing"


def _expect(found: Any, like: Any, name: str) -> None:
    """Checks a value against one that is right, and what is inside of objects.

    Raises:
      ValueError: missing, of another type, or not whole where it is to be.
    """
    if _kind(found) != _kind(like):
        raise ValueError(f"{name} is {str(found)[:40]!r}, where {_kind(like)} is wanted")
    if isinstance(like, int) and not isinstance(found, int):
        raise ValueError(f"{name} is {found}, where a whole number is wanted")
    if isinstance(like, Mapping):
        for key, value in like.items():
            _expect(found.get(key), value, f"{name}.{key}")


def _check_types(description: Mapping[str, Any]) -> None:
    """Raises ValueError for a field that is missing or of a wrong type."""
    config = paper.get_config().to_dict()
    dataset: dict[str, Any] = {"directory": "", "digest": "", "image_size": 0}
    dataset.update(taxonomy=[], conditions=[])
    like = {"config": config, "dataset": dataset, "precision": "", "seed": 0}
    for key, value in like.items():
        _expect(description.get(key), value, key)
    for name in ("taxonomy", "conditions"):
        for entry in description["dataset"][name]:
            _expect(entry, "", f"an entry of dataset.{name}")
    _expect(description["dataset"].get("aliases", {}), {}, "dataset.aliases")
    for alias, condition in description["dataset"].get("aliases", {}).items():
        _expect(condition, "", f"dataset.aliases.{alias}")


def stored_precision(run_dir: str) -> Optional[str]:
    """Returns the precision that "auto" meant when a run began; None of other runs.

    A run continues in it on whatever hardware: its weights and the state of its
    optimizers are of that precision.
    """
    if not (pathlib.Path(run_dir) / CONFIG).exists():
        return None
    stored = read_description(run_dir)
    asked = stored["config"]["training"]["precision"]
    return stored["precision"] if asked == "auto" else None


def check_trainable(run_dir: str, description: Mapping[str, Any]) -> None:
    """Raises ValueError if only the averaged generator of a run came back from a program."""
    if description.get("averaged_generator_only"):
        raise ValueError(
            f"{run_dir}: the averaged generator alone came back from a program; it paints, and "
            "cannot be trained on"
        )


def may_continue(
    run_dir: str, description: Mapping[str, Any], resume: Optional[bool], extend: bool = False
) -> bool:
    """Returns whether a run continues, rather than starts anew.

    Args:
      run_dir: run directory, existing or not.
      description: of the run that is asked for, from `describe`.
      resume: None continues what is there if it is the same run, True insists
        on something to continue, False insists on an empty directory.
      extend: whether a run may become longer than it was to be.

    Raises:
      ValueError: the directory holds a run that differs (and how), or does not
        hold what `resume` asks for.
    """
    if not (pathlib.Path(run_dir) / CONFIG).exists():
        if find_checkpoints(run_dir):
            raise ValueError(
                f"{run_dir}: holds checkpoints, but no {CONFIG} that says what they are of; "
                "restore it, or choose another --workdir"
            )
        if resume:
            raise ValueError(f"{run_dir}: nothing to resume; it has no {CONFIG}")
        return False
    if resume is False:
        raise ValueError(
            f"{run_dir}: holds a run; choose another --workdir or leave out --noresume"
        )
    stored = read_description(run_dir)
    check_trainable(run_dir, stored)

    def compared(one: Mapping[str, Any]) -> dict[str, Any]:
        dataset = {key: one["dataset"].get(key) for key in ("digest", "image_size", "taxonomy")}
        settings = {key: one.get(key) for key in ("config", "precision", "noise", "init_from")}
        return {**settings, "dataset": dataset}

    differences = [
        line
        for line in differences_between(compared(description), compared(stored))
        # Whether the precision was asked for or chosen makes no difference.
        if not line.startswith(_ASKED_PRECISION)
    ]
    longer = [line for line in differences if line.startswith(_LENGTH)]
    if extend:
        differences = [line for line in differences if line not in longer]
    if differences:
        hint = ", or make the run longer with --extend" if differences == longer else ""
        raise ValueError(
            f"{run_dir}: holds a run that differs ({'; '.join(differences)}); "
            f"choose another --workdir{hint}"
        )
    return True


def begin(run_dir: str, description: Mapping[str, Any], step: int) -> None:
    """Writes `config.json` of a new run.

    A run that goes on with another version of the program or of its packages, or is
    extended, notes that, and from which step, in a list "continued".
    """
    path = pathlib.Path(run_dir) / CONFIG
    if not path.exists():
        files.write_json(path, description)
        return
    stored = read_description(run_dir)
    continued = stored.setdefault("continued", [])
    versions = {name: description[name] for name in ("git_revision", "packages", "python")}
    latest = continued[-1] if continued else stored
    length = {name: description["config"]["training"][name] for name in ("steps", "epochs")}
    extended = any(stored["config"]["training"][name] != value for name, value in length.items())
    if extended or any(latest.get(name) != value for name, value in versions.items()):
        continued.append({"step": step, **versions, **(length if extended else {})})
        stored["config"]["training"].update(length)
        files.write_json(path, stored)


def newest_run(folder: str) -> str:
    """Returns the run under a folder whose `config.json` is the youngest.

    Raises:
      ValueError: there is none.
    """
    runs = sorted(pathlib.Path(folder).glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise ValueError(f"{folder}: no run there; train one with //training:train, or --run_dir=R")
    return str(runs[-1].parent)


def find_checkpoints(run_dir: str) -> list[tuple[int, str]]:
    """Returns (step, path) of a run's checkpoints, oldest first; there may be none.

    They are found by their files, of which the index is written last; TensorFlow's own
    list beside them (`checkpoints/checkpoint`) may be missing.
    """
    found = []
    for path in (pathlib.Path(run_dir) / CHECKPOINTS).glob("ckpt-*.index"):
        match = _CHECKPOINT.match(path.name)
        if match:
            found.append((int(match[1]), str(path.with_suffix(""))))
    return sorted(found)


def list_checkpoints(run_dir: str) -> list[tuple[int, str]]:
    """Returns (step, path) of a run's checkpoints, oldest first.

    Raises:
      ValueError: there is none.
    """
    found = find_checkpoints(run_dir)
    if not found:
        raise ValueError(f"{run_dir}: no checkpoint yet; train on, or pass another --run_dir")
    return found


def whole_checkpoints(run_dir: str) -> Iterator[tuple[int, str]]:
    """Yields (step, path) of a run's checkpoints, newest first, but for damaged ones.

    A full disk or a loss of power may cut off the newest. To know it, all of a checkpoint is
    read, with its checksums; what is damaged is logged in a line.

    Raises:
      ValueError: there is none, or all are damaged.
    """
    found = list_checkpoints(run_dir)
    whole = 0
    for step, path in reversed(found):
        if reason := _damage(path):
            logging.warning("%s: damaged (%s); step %d is lost", path, reason, step)
        else:
            whole += 1
            yield step, path
    if not whole:
        raise ValueError(f"{run_dir}: none of its {len(found)} checkpoints can be read")


def newest_checkpoint(run_dir: str) -> tuple[int, str]:
    """Returns the first of `whole_checkpoints`."""
    return next(whole_checkpoints(run_dir))


def _damage(path: str) -> str:
    """Returns why a checkpoint cannot be read, or ""."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""

"""A run directory: what it records of a run, and whether a run may continue there."""

import json
import os
import pathlib
import platform
import subprocess
from importlib import metadata
from typing import Any, Dict, List, Mapping, Optional, Sequence

import ml_collections

from common import files
from preprocessing.data import records
from training.configs import paper

_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-addons",
    "tensorflow-gan",
    "numpy",
    "ml-collections",
)
_ASKED_PRECISION = "config.training.precision "


def describe(
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: records.DatasetInfo,
    conditions: Sequence[str],
    precision: str,
) -> Dict[str, Any]:
    """Returns the contents of `config.json`: what it takes to repeat the run.

    Args:
      config: as in `training/configs`.
      data_dir: the records.
      info: their description.
      conditions: those the model is trained on.
      precision: the Keras dtype policy in use.
    """
    return {
        "config": config.to_dict(),
        "seed": config.seed,
        "precision": precision,
        "dataset": {
            "directory": os.path.abspath(data_dir),
            "digest": info.digest,
            "image_size": info.image_size,
            "taxonomy": list(info.taxonomy),
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
    try:
        command = [
            "git",
            "-C",
            folder,
            "describe",
            "--always",
            "--dirty",
            "--abbrev=40",
            "--exclude=*",
        ]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def differences_between(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = ""
) -> List[str]:
    """Returns a line for each entry, of entries too, in which two descriptions differ."""
    lines = []
    for key in sorted(set(ours) | set(theirs)):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            lines += differences_between(mine, other, f"{prefix}{key}.")
        elif mine != other:
            lines.append(f"{prefix}{key} was {other!r}, is {mine!r}")
    return lines


def stored_precision(workdir: str) -> Optional[str]:
    """Returns the precision that "auto" meant when a run began; None of other runs.

    A run continues in it on whatever hardware: its weights and the state of its
    optimizers are of that precision.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.exists():
        return None
    stored = _read(path)
    asked = completed_config(stored["config"])["training"]["precision"]
    return stored.get("precision") if asked == "auto" else None


def _read(path: pathlib.Path) -> Dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("config"), dict):
        raise ValueError(f"{path}: not the description of a run")
    return stored


def begin(workdir: str, description: Mapping[str, Any], step: int) -> None:
    """Writes `config.json` of a new run.

    A run that goes on with another version of the program or of its packages notes
    that, and from which step, in a list "continued".

    Args:
      workdir: run directory, existing or not.
      description: from `describe`.
      step: at which training begins or goes on.
    """
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.json"
    if not path.exists():
        files.write_json(path, description)
        return
    stored = _read(path)
    continued = stored.setdefault("continued", [])
    versions = {name: description[name] for name in ("git_revision", "packages", "python")}
    latest = continued[-1] if continued else stored
    if any(latest.get(name) != value for name, value in versions.items()):
        continued.append({"step": step, **versions})
        files.write_json(path, stored)


def may_continue(workdir: str, description: Mapping[str, Any], resume: Optional[bool]) -> bool:
    """Decides whether a run starts anew or continues.

    Args:
      workdir: run directory, existing or not.
      description: of the run that is asked for, from `describe`.
      resume: None continues what is there if it is the same run, True insists
        on something to continue, False insists on an empty directory.

    Returns:
      Whether to continue.

    Raises:
      ValueError: the directory holds a run that differs (and how), or does not
        hold what `resume` asks for.
    """
    path = pathlib.Path(workdir) / "config.json"
    if not path.exists():
        if resume:
            raise ValueError(f"{workdir}: nothing to resume; it has no config.json")
        return False
    if resume is False:
        raise ValueError(
            f"{workdir}: holds a run; choose another --workdir or leave out --noresume"
        )
    stored = _read(path)
    stored["config"] = completed_config(stored["config"])
    differences: List[str] = []
    for key in ("config", "precision"):
        differences += differences_between({key: description[key]}, {key: stored.get(key)})
    # Whether the precision was asked for or chosen makes no difference.
    differences = [line for line in differences if not line.startswith(_ASKED_PRECISION)]
    for key in ("digest", "image_size", "taxonomy"):
        ours, theirs = description["dataset"][key], stored.get("dataset", {}).get(key)
        differences += differences_between({f"dataset.{key}": ours}, {f"dataset.{key}": theirs})
    if differences:
        raise ValueError(
            f"{workdir}: holds a run that differs ({'; '.join(differences)}); "
            "choose another --workdir"
        )
    return True


def completed_config(stored: Any) -> Any:
    """Returns a stored configuration with the fields that it did not have in its time.

    They get the paper's values, with which a new field changes nothing.
    """
    return _completed(stored, paper.get_config().to_dict())


def _completed(stored: Any, neutral: Any) -> Any:
    if not isinstance(stored, dict) or not isinstance(neutral, dict):
        return stored
    missing = {name: value for name, value in neutral.items() if name not in stored}
    return {**missing, **{name: _completed(stored[name], neutral.get(name)) for name in stored}}

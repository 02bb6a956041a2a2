"""A run directory: what it records of a run, and whether a run may continue there."""

import json
import os
import pathlib
import platform
import subprocess
from importlib import metadata
from typing import Any, Dict, List, Mapping, Optional, Sequence

import ml_collections

from preprocessing import examples
from training.configs import paper

_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-addons",
    "tensorflow-gan",
    "numpy",
    "ml-collections",
)


def describe(
    config: ml_collections.ConfigDict,
    data_dir: str,
    info: examples.DatasetInfo,
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
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not valid JSON ({error})") from error
    stored["config"] = _completed(stored.get("config"), paper.get_config().to_dict())
    differences: List[str] = []
    for key in ("config", "precision"):
        differences += differences_between({key: description[key]}, {key: stored.get(key)})
    for key in ("digest", "image_size", "taxonomy"):
        ours, theirs = description["dataset"][key], stored.get("dataset", {}).get(key)
        differences += differences_between({f"dataset.{key}": ours}, {f"dataset.{key}": theirs})
    if differences:
        raise ValueError(
            f"{workdir}: holds a run that differs ({'; '.join(differences)}); "
            "choose another --workdir"
        )
    return True


def _completed(stored: Any, neutral: Any) -> Any:
    """Adds fields that a configuration of before did not have; the paper's are neutral."""
    if not isinstance(stored, dict) or not isinstance(neutral, dict):
        return stored
    missing = {name: value for name, value in neutral.items() if name not in stored}
    return {**missing, **{name: _completed(stored[name], neutral.get(name)) for name in stored}}


def write_json(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file that appears under its name only when complete."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(path)

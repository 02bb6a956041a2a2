"""Finds configurations by name, and completes them."""

import difflib
import pathlib
import runpy
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import ml_collections

from common import command_line

# Side of the images that a configuration was made for and measured with.
MEASURED_SIZES = {"clinical": 256, "demo": 64, "paper": 256, "paper26": 256, "pix2pix": 256}
# The least and the most that numbers may be, by field; whole numbers where these are.
_LIMITS: Mapping[str, Tuple[float, float]] = {
    "seed": (0, command_line.LARGEST_SEED),
    "data.balance": (0.0, 1.0),
    "data.shuffle_buffer": (1, 10_000_000),
    "model.base_filters": (1, 1024),
    "encoder.base_filters": (0, 1024),
    "discriminator.base_filters": (1, 1024),
    "discriminator.moves_images": (1, 1_000_000_000),
    "optimizer.generator_learning_rate": (0.0, 1.0),
    "optimizer.discriminator_learning_rate": (0.0, 1.0),
    "training.batch_size": (1, 4096),
    "training.epochs": (0, 1_000_000),
    "training.steps": (0, 1_000_000_000),
    "training.log_every": (1, 1_000_000_000),
    "training.checkpoint_every": (1, 1_000_000_000),
    "training.keep_checkpoints": (1, 1_000_000),
    "training.sample_every": (1, 1_000_000_000),
    "training.num_samples": (1, 1000),
}
FOLDER = pathlib.Path(__file__).parent / "configs"


def names(folder: pathlib.Path = FOLDER) -> List[str]:
    """Returns the names of the configurations that come with DermGAN."""
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def path_of(value: str, folder: pathlib.Path = FOLDER) -> str:
    """Returns the file of a configuration.

    Args:
      value: a name, e.g. "paper", or the path of a Python file with
        `get_config()`, optionally followed by ":" and its argument.
      folder: of the configurations that have names.

    Raises:
      ValueError: neither.
    """
    if value in names(folder):
        return str(folder / f"{value}.py")
    path, colon, argument = value.partition(":")
    resolved = command_line.user_path(path)
    if not resolved.endswith(".py") or not pathlib.Path(resolved).is_file():
        raise ValueError(
            f"config {value!r} is neither a file nor one of {', '.join(names(folder))}"
        )
    return f"{resolved}{colon}{argument}"


_named: List[str] = []


def is_named() -> bool:
    """Tells whether the command line that was expanded had a `--config` of its own."""
    return bool(_named)


def expand_names(argv: List[str], folder: pathlib.Path = FOLDER) -> Dict[str, Any]:
    """Replaces the value of `--config` in a command line by its file, in place.

    The last one counts and goes first, since the flags library wants it before the
    overrides. Where there is none, the demo's is added: a default of the flag itself
    would be read, with the overrides, before they can be checked.

    Args:
      argv: the command line.
      folder: of the configurations that have names.

    Returns:
      The configuration's values by field, "config.training.steps" say.

    Raises:
      ValueError: `path_of` does, or an override names a field that the
        configuration does not have.
    """
    given: List[str] = []
    for index in reversed(range(1, len(argv))):
        flag, equals, value = argv[index].partition("=")
        if flag in ("--config", "-config") and (equals or index + 1 < len(argv)):
            given.append(value if equals else argv.pop(index + 1))
            del argv[index]
    _named[:] = given
    path = path_of(given[0] if given else "demo", folder)
    argv.insert(1, f"--config={path}")
    if ":" in path:  # the fields may depend on the argument; the flags library checks
        return {}
    fields = dict(flat(runpy.run_path(path)["get_config"]()))
    _check_overrides(argv, fields)
    return fields


def _check_overrides(argv: List[str], fields: Mapping[str, Any]) -> None:
    for word in argv:
        field = word.partition("=")[0].lstrip("-")
        if word.startswith("-") and field.startswith("config.") and field not in fields:
            close = difflib.get_close_matches(field, fields, n=1, cutoff=0.0)
            raise ValueError(f"the config has no field {field}; closest is {close[0]}")


def flat(config: Mapping[str, Any], prefix: str = "config.") -> Iterator[Tuple[str, Any]]:
    """Yields the fields of all groups, "config.training.steps" say, and their values."""
    for key, value in config.items():
        if isinstance(value, (Mapping, ml_collections.ConfigDict)):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def check_numbers(config: Mapping[str, Any]) -> None:
    """Raises ValueError for a number that no training can have."""
    for name, (least, most) in _LIMITS.items():
        group, _, field = name.rpartition(".")
        value = (config[group] if group else config).get(field)
        if value is None:
            raise ValueError(f"config.{name} is missing")
        if not least <= value <= most:
            raise ValueError(f"config.{name} {value} is not in {least:,}..{most:,}")


def complete(config: ml_collections.ConfigDict, image_size: int) -> ml_collections.FrozenConfigDict:
    """Returns the configuration of a training, in which nothing is left to be derived.

    Args:
      config: as in `training/configs`.
      image_size: of the records, for a `model.image_size` of 0. What depends on the size
        follows: the fields that say "0 is ..." in `configs/paper.py`, `model.largest_skip`,
        `model.roi_side` and `discriminator.scales`.

    Raises:
      ValueError: a number that no training can have.
    """
    check_numbers(config)
    completed = ml_collections.ConfigDict(config.to_dict())
    model, discriminator = completed.model, completed.discriminator
    size = model.image_size = model.image_size or image_size
    model.largest_skip = model.largest_skip or size // 4
    if model.modulation:
        model.roi_side = model.roi_side or size // 4
    discriminator.scales = discriminator.scales or max(int(size).bit_length() - 4, 1)
    return ml_collections.FrozenConfigDict(completed)


def about_size(config: ml_collections.ConfigDict) -> str:
    """Returns what is known of a configuration at its size of images, in a line."""
    size, measured = config.model.image_size, MEASURED_SIZES.get(config.name)
    known = f"images of {size}x{size}"
    if not measured or size == measured:
        return known
    if config.name.startswith("paper"):
        return f"{known}: not the paper's recipe, which is for {measured}x{measured}"
    return f"{known}; {config.name} was measured at {measured}x{measured} only"

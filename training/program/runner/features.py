"""Features of painted images: what a distance to photographs is measured by, elsewhere.

  features/painting.json    which maps are painted, by which seeds
  features/NAME/            a network: network.json, network.hlo.pb.gz, weights.npz

`//evaluation:export_features` wrote them; `//evaluation:fid --generated_features=` takes
what comes back.
"""

import hashlib
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np

from .crops import draw_map
from .device import Program, ProgramError, compile_hlo, say

FOLDER = "features"
PAINTING = "painting.json"
KINDS = ("generated", "same_map")  # for distances; for the diversity of one map's images
_AT_ONCE = 64  # images painted before the networks see them


class Network:
    """A feature network on a device."""

    def __init__(self, folder: pathlib.Path, device: Any):
        """Reads a network."""
        self.name, self._folder, self._device = folder.name, folder, device
        self.meta = json.loads((folder / "network.json").read_text(encoding="utf-8"))
        with np.load(folder / "weights.npz") as stored:
            arrays = [stored[f"w{number}"] for number in range(len(stored.files))]
        # Half floats are how they travel; the network is computed in single ones.
        self._weights = [jax.device_put(np.float32(array), device) for array in arrays]
        self._execute: Any = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Returns the features, float32 [N, d], of images, uint8 [N, S, S, 3]."""
        if self._execute is None:
            self._execute = compile_hlo(self._folder / "network.hlo.pb.gz", self._device)
        size, found = self.meta["batch"], []
        for start in range(0, len(images), size):
            rows = np.minimum(np.arange(start, start + size), len(images) - 1)
            batch = jax.device_put(images[rows], self._device)
            found.append(np.asarray(self._execute([batch, *self._weights])[0]))
        return np.concatenate(found)[: len(images)]


def networks(program: Program) -> list[Network]:
    """Returns the networks beside a program; none where it was exported without."""
    found = sorted((program.folder / FOLDER).glob("*/network.json"))
    return [Network(path.parent, program.device) for path in found]


def generator_digest(program: Program) -> str:
    """Returns the digest of the averaged generator, as the project's `TrainedGenerator`."""
    description = program.meta["description"]
    architecture = dict(description["config"]["model"])
    architecture.pop("ema_decay")
    named = json.dumps([architecture, program.meta["precision"]], sort_keys=True)
    digest = hashlib.sha256(named.encode())
    for name in program.names:
        if name.startswith("ema_generator/"):
            digest.update(program.get(name).tobytes())
    return digest.hexdigest()


def measure(program: Program, output: pathlib.Path) -> list[pathlib.Path]:
    """Paints the images of a program's painting and writes their features.

    Args:
      program: with the variables that are to be measured.
      output: receives `features_NAME.npz` for every network.

    Returns:
      The files.

    Raises:
      ProgramError: there is no network, or features are not finite.
    """
    found = networks(program)
    if not found:
        raise ProgramError(
            f"{program.folder}: has no feature network; //evaluation:export_features adds one"
        )
    painting = json.loads((program.folder / FOLDER / PAINTING).read_text(encoding="utf-8"))
    size, seed = painting["image_size"], painting["seed"]
    parts: dict[str, list[np.ndarray]] = {}
    number = sum(len(painting[kind]) for kind in KINDS)
    say(f"painting {number:,} images for {', '.join(one.name for one in found)}")
    for kind in KINDS:
        layouts = painting[kind]
        seeds = np.arange(len(layouts), dtype=np.int64) + (np.int64(seed) << np.int64(32))
        for start in range(0, len(layouts), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            maps = np.stack([draw_map(size, *layout) for layout in layouts[some]])
            images = program.paint(maps, seeds[some])
            for network in found:
                parts.setdefault(f"{network.name}/{kind}", []).append(network(images))
    common = {
        "painting": painting["digest"],
        "dataset_digest": painting["dataset_digest"],
        **{name: painting[name] for name in ("seed", "real_split", "map_split")},
        "conditions": program.meta["description"]["dataset"]["conditions"],
        "generator_digest": generator_digest(program),
        "program": program.digest,
        "step": program.step,
        "precision": program.meta["precision"],
        "made_by": f"JAX {jax.__version__} on {program.device.device_kind}",
    }
    return [_write(output, network, parts, common) for network in found]


def _write(
    output: pathlib.Path,
    network: Network,
    parts: dict[str, list[np.ndarray]],
    common: dict[str, Any],
) -> pathlib.Path:
    arrays = {
        kind: np.concatenate(parts.get(f"{network.name}/{kind}", [np.empty((0, 0), np.float32)]))
        for kind in KINDS
    }
    bad = sum(int((~np.isfinite(array)).any(axis=-1).sum()) for array in arrays.values())
    if bad:
        raise ProgramError(f"{network.name}: the features of {bad} images are not finite")
    path = output / f"features_{network.name}.npz"
    meta = np.array(json.dumps({**common, **network.meta}))
    write_npz(path, {"meta": meta, **arrays}, compressed=True)
    say(f"{path}: features of {len(arrays['generated']):,} images")
    return path


def write_npz(path: pathlib.Path, arrays: dict[str, np.ndarray], compressed: bool = False) -> None:
    """Writes arrays under a temporary name, which is the last one when all is written."""
    temporary = path.with_name(path.name + ".tmp")
    with open(temporary, "wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)

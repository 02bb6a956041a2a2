"""Features that an exported program makes of the images it paints, elsewhere.

`export` puts a feature network and the maps to paint beside a program; its runner brings
back one small file for each network, which `read` takes.
"""

import dataclasses
import json
import os
import pathlib
import re
import zipfile
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from evaluation.features import image_sets
from evaluation.features.compiled import BATCH, CompiledNetwork
from evaluation.features.networks import FeatureExtractor
from evaluation.frechet import painting
from preprocessing.data import records
from synthesis import layouts
from training.program import program_folder

FOLDER, PAINTING = "features", "painting.json"  # as `training.program.runner.features`
_PAINTED_BY = ("seed", "real_split", "map_split")
_OF_NETWORK = ("feature_network_digest", "layer", "resize", "antialias")


def export(
    program: str,
    data_dir: str,
    extractor: FeatureExtractor,
    num_generated: int = 0,
    seed: int = 0,
    real_split: str = "test",
    map_split: str = "validation",
    halves: bool = True,
) -> str:
    """Adds a feature network to a program, and what to paint for it.

    Args:
      program: folder of `//training:export_program`.
      data_dir: its records.
      extractor: the network, and how images reach it.
      num_generated: images to paint; 0 is twice the number of photographs.
      seed: of maps and images.
      real_split: the photographs to compare with.
      map_split: where the maps come from.
      halves: whether the network's kernels travel as half floats.

    Returns:
      What was written, in words.

    Raises:
      ValueError: no program, other records, or a network that is there already, or for
        which other maps would be painted than for those that are there.
    """
    meta = program_folder.read_meta(program)
    data_dir = program_folder.find_records(program, meta, data_dir)
    size = meta["image_size"]
    real = image_sets.real_images(data_dir, real_split, _conditions(meta))
    sources = layouts.read_layouts(data_dir, map_split, _conditions(meta))
    planned = painting.plan(sources, real, num_generated, size, seed)
    folder = pathlib.Path(program, FOLDER)
    name = _name(extractor)
    if (folder / name).exists():
        raise ValueError(f"{folder / name}: is there already; remove it to add it again")
    content = {
        "digest": planned.digest,
        "dataset_digest": meta["description"]["dataset"]["digest"],
        "image_size": size,
        "seed": seed,
        "real_split": real_split,
        "map_split": map_split,
        **planned.as_dict(),
    }
    path = folder / PAINTING
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != content:
        raise ValueError(
            f"{path}: says to paint other maps (seed, splits or number); give the same flags, or "
            f"remove {folder} to begin anew"
        )
    network = CompiledNetwork(extractor, size)
    some = image_sets.first(real, BATCH).pixels()
    effect = network.effect_of_halves(some) if halves else 0.0
    network.write(folder / name, halves, effect)
    path.write_text(json.dumps(content), encoding="utf-8")
    mib = sum(one.stat().st_size for one in (folder / name).iterdir()) / 2**20
    rounded = f" in half floats, which move features by {effect:.2%} of their length,"
    return (
        f"{name}{rounded if halves else ''} {mib:,.1f} MiB; {len(planned.layouts):,} images for "
        f"distances and {len(planned.same_map):,} for the diversity of one map will be painted"
    )


def _conditions(meta: Mapping[str, Any]) -> Tuple[str, ...]:
    return tuple(meta["description"]["dataset"]["conditions"])


def _name(extractor: FeatureExtractor) -> str:
    network = os.path.basename(extractor.network.name.rstrip("/"))
    return re.sub(r"[^\w.-]+", "_", f"{network}-{extractor.network.layer}")


@dataclasses.dataclass(frozen=True)
class ProgramFeatures:
    """Features of painted images, as a runner brought them back.

    Attributes:
      path: of the file.
      meta: everything that they depend on.
      generated: float32 [N, d], of the images that distances are measured of.
      same_map: float32 [M, d], of those that show the diversity of one map.
    """

    path: str
    meta: Mapping[str, Any]
    generated: np.ndarray
    same_map: np.ndarray

    @property
    def run_dir(self) -> str:
        """The folder of the file, where results go."""
        return os.path.dirname(os.path.abspath(self.path))

    @property
    def step(self) -> int:
        """Training step of the generator."""
        return int(self.meta["step"])

    @property
    def conditions(self) -> Tuple[str, ...]:
        """The conditions that the generator was trained on."""
        return tuple(self.meta["conditions"])

    @property
    def num_generated(self) -> int:
        """Number of images that distances are measured of."""
        return len(self.generated)

    @property
    def digest(self) -> str:
        """Digest of the generator, as `TrainedGenerator.digest`."""
        return str(self.meta["generator_digest"])

    @property
    def protocol(self) -> Dict[str, Any]:
        """How they were made, for a result."""
        names = ("made_by", "precision", "weights", "effect_of_weights")
        return {f"features_{name}": self.meta[name] for name in names}

    def check(self, extractor: FeatureExtractor, data_dir: str) -> None:
        """Raises ValueError, saying what differs, unless photographs' features compare."""
        ours = extractor.protocol
        for name in _OF_NETWORK:
            if self.meta[name] != ours[name]:
                what = name.removesuffix("_digest").replace("_", " ")
                named = f" ({self.meta['feature_network']})" if what == "feature network" else ""
                raise ValueError(
                    f"{self.path}: made with another {what}, {_short(self.meta[name])}{named}, "
                    f"than the photographs' features would be, {_short(ours[name])}; "
                    "give the same --feature_network, --layer, --resize and --antialias"
                )
        digest = records.read_info(data_dir).digest
        if digest != self.meta["dataset_digest"]:
            raise ValueError(
                f"{data_dir}: other records (digest {digest[:12]}) than those that "
                f"{self.path} was painted for ({self.meta['dataset_digest'][:12]})"
            )

    def check_painting(self, planned: painting.Painting) -> None:
        """Raises ValueError unless these are the images that would be painted here."""
        if planned.digest != self.meta["painting"]:
            raise ValueError(
                f"{self.path}: was painted of other maps than this project would choose; export "
                "the features again"
            )


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if re.fullmatch(r"[0-9a-f]{64}", text) else text


def read(path: str) -> ProgramFeatures:
    """Reads what a runner brought back.

    Raises:
      ValueError: no such file, or no such features in it.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path}: no such file")
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            meta = json.loads(str(arrays["meta"]))
            found = ProgramFeatures(path, meta, arrays["generated"], arrays["same_map"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: no features of a program, or cut off ({error})") from error
    wanted = {*_OF_NETWORK, *_PAINTED_BY, "painting", "dataset_digest", "generator_digest", "step"}
    missing = sorted(wanted - set(meta))
    if missing or found.generated.ndim != 2:
        raise ValueError(f"{path}: no features of a program; lacks {', '.join(missing) or 'rows'}")
    return found

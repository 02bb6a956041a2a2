"""Patterned records and a generator that copies them, for the tests of the audit."""

import functools
import pathlib
from typing import Any, Dict, Iterator, Sequence, Tuple
from unittest import mock

import numpy as np
import tensorflow as tf

from evaluation.features import networks
from evaluation.memorization import membership
from evaluation.memorization.auditor import Audit, Auditor, AuditProtocol
from preprocessing.data import maps, records, taxonomy
from preprocessing.data.manifest import Box
from training import testing_data

SIZE = 32
CONDITIONS = ("Acne", "Vitiligo")


def patterns(number: int, seed: int) -> np.ndarray:
    """Returns smooth random colours, no two alike, uint8 [N, SIZE, SIZE, 3]."""
    coarse = np.random.default_rng(seed).uniform(20, 235, (number, 6, 6, 3)).astype(np.float32)
    smooth = tf.image.resize(coarse, [SIZE, SIZE], "bicubic").numpy()
    return np.clip(smooth, 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=None)
def _extractor() -> networks.FeatureExtractor:
    return networks.FeatureExtractor(networks.embedded_network())


def write_records(
    folder: str, per_split: Sequence[int] = (60, 20, 100), shared_patient: bool = False
) -> Dict[str, np.ndarray]:
    """Writes records of patterns, two crops per patient.

    Args:
      folder: receives `crops/` and `dataset.json`.
      per_split: crops of train, validation and test.
      shared_patient: whether the first test patient is a training patient.

    Returns:
      The images by split.
    """
    testing_data.write_dataset(folder, SIZE, CONDITIONS, per_split, shards=1)
    images = {}
    for seed, (split, number) in enumerate(zip(("train", "validation", "test"), per_split)):
        images[split] = patterns(number, seed)
        crops = []
        for index, image in enumerate(images[split]):
            owner = f"{split}_{index // 2}"
            if shared_patient and split == "test" and index < 2:
                owner = "train_0"
            condition, box = CONDITIONS[index % 2], Box(4, 4, 20, 20)
            code, skin_type = taxonomy.code(condition), 1 + index % 6
            drawn = maps.encode(skin_type, code, [box], SIZE, SIZE)
            name = f"{split}{index}"
            crop = records.Record(
                *(testing_data.png(image), testing_data.png(drawn), SIZE, SIZE, (box,)),
                *(condition, skin_type, name, owner, name),
            )
            crops.append(crop)
        path = pathlib.Path(folder, "crops", records.shard_name(split, 0, 1))
        testing_data.write_records(path, crops)
    return images


class PlantedGenerator:
    """Stands in for a `TrainedGenerator`: image i, whatever the map, is the i-th given."""

    run_dir, step, image_size, conditions = "/runs/planted", 7, SIZE, CONDITIONS

    def __init__(self, images: np.ndarray):
        """Takes the images to "paint", uint8 [N, SIZE, SIZE, 3]."""
        self._images = images
        self.digest = str(hash(images.tobytes()))
        self.description = {"dataset": {"digest": "0" * 64}}

    def check_dataset(self, *unused: Any) -> None:
        """Finds nothing wrong."""

    def batches(
        self, semantic_maps: np.ndarray, seeds: np.ndarray, batch_size: int = 32
    ) -> Iterator[np.ndarray]:
        """Yields the given images."""
        for start in range(0, len(semantic_maps), batch_size):
            positions = seeds[start : start + batch_size] & 0xFFFFFFFF
            yield self._images[positions % len(self._images)]

    def generate(self, semantic_maps: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Returns the given images."""
        return next(self.batches(semantic_maps, seeds, len(semantic_maps)))


def audit(data_dir: str, images: np.ndarray, **protocol: Any) -> Tuple[Audit, "PlantedGenerator"]:
    """Audits a generator that paints `images`; `protocol` as of `AuditProtocol`."""
    given: Dict[str, Any] = {"alpha": 0.1, "num_images": len(images), "num_planted": 0}
    generator: Any = PlantedGenerator(images)
    asked = AuditProtocol(**{**given, "map_splits": ("train",), **protocol})
    with mock.patch.object(membership, "tell_members", return_value=None):
        return Auditor(generator, data_dir, _extractor(), asked).audit(), generator

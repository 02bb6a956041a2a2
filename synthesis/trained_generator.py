"""A generator out of a run directory, ready to paint.

Everything after training (synthesis, evaluation) takes generators from here.
"""

import functools
import hashlib
import json
import pathlib
import re
from typing import Any, Iterator, List, Mapping, Optional, Tuple

import numpy as np
import tensorflow as tf

from model.generator import GeneratorConfig, build_generator
from model.sampling import sample_images
from preprocessing.data import records, taxonomy

_CHECKPOINT = re.compile(r"^ckpt-(\d+)\.index$")


class TrainedGenerator:
    """The averaged generator of one checkpoint.

    Attributes:
      run_dir: where it comes from.
      step: training step of the checkpoint.
      description: the run's `config.json`.
      config: architecture.
      network: the Keras model, from `model.generator.build_generator`.
      digest: sha256 of architecture, precision and weights, as hex.
    """

    def __init__(self, run_dir: str, checkpoint: str, step: int, description: Mapping[str, Any]):
        """Loads the weights; `load` finds the arguments.

        Raises:
          ValueError: the checkpoint is unreadable or of another architecture.
        """
        self.run_dir = run_dir
        self.step = step
        self.description = description
        architecture = dict(description["config"]["model"])
        architecture.pop("ema_decay")
        self.config = GeneratorConfig(**architecture)
        precision = description["precision"]
        self.network = build_generator(self.config, precision)
        try:
            restored = tf.train.Checkpoint(ema_generator=self.network).restore(checkpoint)
            restored.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, ValueError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{checkpoint}: not a usable checkpoint ({reason})") from error
        digest = hashlib.sha256(json.dumps([architecture, precision], sort_keys=True).encode())
        for weight in self.network.get_weights():
            digest.update(weight.tobytes())
        self.digest = digest.hexdigest()

    @property
    def image_size(self) -> int:
        """Rows and columns of maps and images."""
        return self.config.image_size

    @property
    def parameters(self) -> int:
        """Number of trained weights of the generator."""
        return int(sum(np.prod(weight.shape) for weight in self.network.trainable_weights))

    @property
    def conditions(self) -> Tuple[str, ...]:
        """The conditions it was trained on."""
        return tuple(self.description["dataset"]["conditions"])

    @functools.cached_property
    def _sample(self) -> Any:
        size = self.image_size
        signature = [
            tf.TensorSpec([None, size, size, 3], tf.uint8),
            tf.TensorSpec([None], tf.int64),
        ]
        return tf.function(
            lambda maps, seeds: sample_images(self.network, self.config, maps, seeds),
            input_signature=signature,
        )

    def generate(self, semantic_maps: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Paints one image per map.

        Args:
          semantic_maps: uint8 [B, S, S, 3].
          seeds: int64 [B]; image i depends on map i and seed i alone.

        Returns:
          uint8 [B, S, S, 3].
        """
        return self._sample(tf.constant(semantic_maps), tf.constant(seeds, tf.int64)).numpy()

    def batches(
        self, semantic_maps: np.ndarray, seeds: np.ndarray, batch_size: int = 32
    ) -> Iterator[np.ndarray]:
        """Paints many images, a batch at a time."""
        for start in range(0, len(semantic_maps), batch_size):
            part = slice(start, start + batch_size)
            yield self.generate(semantic_maps[part], seeds[part])

    def check_dataset(self, data_dir: str, info: records.DatasetInfo) -> None:
        """Raises ValueError, saying what differs, if the records are of another kind."""
        if info.image_size != self.image_size:
            raise ValueError(
                f"{data_dir}: crops of {info.image_size}x{info.image_size}, the generator of "
                f"{self.run_dir} paints {self.image_size}x{self.image_size}"
            )


def newest_run(folder: str) -> str:
    """Returns the run under a folder whose `config.json` is the youngest.

    Raises:
      ValueError: there is none.
    """
    runs = sorted(pathlib.Path(folder).glob("*/config.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise ValueError(f"{folder}: no run there; train one with //training:train, or --run_dir=R")
    return str(runs[-1].parent)


def read_description(run_dir: str) -> Mapping[str, Any]:
    """Reads `config.json` of a run.

    Raises:
      ValueError: missing, not such a file, or of another taxonomy.
    """
    path = pathlib.Path(run_dir) / "config.json"
    if not path.is_file():
        raise ValueError(f"{run_dir}: not a run directory; it has no config.json")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        conditions = description["dataset"]["taxonomy"]
        description["config"]["model"], description["precision"]
        description["dataset"]["conditions"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the description of a run ({error!r})") from error
    if tuple(conditions) != taxonomy.CONDITIONS:
        raise ValueError(f"{path}: the run is of another taxonomy")
    return description


def find_checkpoints(run_dir: str) -> List[Tuple[int, str]]:
    """Returns (step, path) of a run's checkpoints, oldest first; there may be none."""
    folder = pathlib.Path(run_dir) / "checkpoints"
    found = []
    for path in folder.glob("ckpt-*.index"):
        match = _CHECKPOINT.match(path.name)
        if match:
            found.append((int(match[1]), str(path.with_suffix(""))))
    return sorted(found)


def list_checkpoints(run_dir: str) -> List[Tuple[int, str]]:
    """Returns (step, path) of a run's checkpoints, oldest first.

    Raises:
      ValueError: there is none.
    """
    found = find_checkpoints(run_dir)
    if not found:
        raise ValueError(f"{run_dir}: no checkpoint yet; train on, or pass another --run_dir")
    return found


def load(run_dir: str, step: Optional[int] = None) -> TrainedGenerator:
    """Loads the generator of a run.

    Args:
      run_dir: run directory.
      step: of the checkpoint; the last one by default.

    Raises:
      ValueError: no such run, no checkpoint, or not of this step.
    """
    description = read_description(run_dir)
    checkpoints = dict(list_checkpoints(run_dir))
    if step is None:
        step = max(checkpoints)
    if step not in checkpoints:
        known = ", ".join(str(number) for number in sorted(checkpoints))
        raise ValueError(f"{run_dir}: no checkpoint of step {step}; there are {known}")
    return TrainedGenerator(run_dir, checkpoints[step], step, description)

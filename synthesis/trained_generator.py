"""A generator out of a run directory, ready to paint.

Everything after training (synthesis, evaluation) takes generators from here.
"""

import dataclasses
import hashlib
import json
from typing import Any, Iterator, Mapping, Optional

import numpy as np
import tensorflow as tf

from model import sampling
from model.encoder import build_encoder
from model.generator import GeneratorConfig, build_generator
from model.images import to_float
from model.sampling import Code
from model.serving import Painter
from preprocessing.data import records, taxonomy
from training import run_directory


class TrainedGenerator:
    """The averaged generator of one checkpoint.

    Attributes:
      run_dir: where it comes from.
      step: training step of the checkpoint.
      checkpoint: its path.
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
        self.checkpoint = checkpoint
        self._encoder: Optional[tf.keras.Model] = None
        self.description = description
        architecture = dict(description["config"]["model"])
        architecture.pop("ema_decay")
        num_conditions = len(description["dataset"]["taxonomy"])
        known = {field.name for field in dataclasses.fields(GeneratorConfig)}
        if unknown := sorted(set(architecture) - known):
            raise ValueError(
                f"{run_dir}: of another version of this program: its config.model has "
                f"{', '.join(unknown)}"
            )
        self.config = GeneratorConfig(num_conditions=num_conditions, **architecture)
        precision = description["precision"]
        self.network = build_generator(self.config, precision)
        self._restore(ema_generator=self.network)
        digest = hashlib.sha256(json.dumps([architecture, precision], sort_keys=True).encode())
        for weight in self.network.get_weights():
            digest.update(weight.tobytes())
        self.digest = digest.hexdigest()
        self._painter = Painter(self.network)

    @property
    def image_size(self) -> int:
        """Rows and columns of maps and images."""
        return self.config.image_size

    @property
    def parameters(self) -> int:
        """Number of trained weights of the generator."""
        return int(sum(np.prod(weight.shape) for weight in self.network.trainable_weights))

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions it was trained on."""
        return tuple(self.description["dataset"]["conditions"])

    def _restore(self, **networks: tf.keras.Model) -> None:
        try:
            restored = tf.train.Checkpoint(**networks).restore(self.checkpoint)
            restored.assert_existing_objects_matched().expect_partial()
        except (tf.errors.OpError, IndexError, ValueError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{self.checkpoint}: not a usable checkpoint ({reason})") from error

    def generate(
        self, semantic_maps: np.ndarray, seeds: np.ndarray, code: Optional[Code] = None
    ) -> np.ndarray:
        """Paints one image per map.

        Args:
          semantic_maps: uint8 [B, S, S, 3].
          seeds: int64 [B]; image i depends on map i, seed i and code i alone.
          code: in place of the global noise, float32 [B, N] each; by default it is drawn.

        Returns:
          uint8 [B, S, S, 3].
        """
        return self._painter.paint(semantic_maps, seeds, code)

    def batches(
        self,
        semantic_maps: np.ndarray,
        seeds: np.ndarray,
        batch_size: int = 32,
        code: Optional[Code] = None,
    ) -> Iterator[np.ndarray]:
        """Paints many images, a batch at a time."""
        return self._painter.paint_batches(semantic_maps, seeds, batch_size, code)

    def encode(self, semantic_maps: np.ndarray, photographs: np.ndarray) -> Code:
        """Reads the codes of photographs, uint8 [B, S, S, 3] as their maps.

        Raises:
          ValueError: the run has no encoder.
        """
        if self._encoder is None:
            filters = self.description["config"].get("encoder", {}).get("base_filters", 0)
            if not filters:
                raise ValueError(
                    f"{self.run_dir}: has no encoder, which reads the code of a photograph "
                    "(--config.encoder.base_filters in training)"
                )
            config = self.config
            self._encoder = build_encoder(
                config.image_size,
                config.global_noise,
                config.lesion_noise,
                filters,
                self.description["precision"],
            )
            self._restore(ema_encoder=self._encoder)
        mean, log_variance = self._encoder([to_float(semantic_maps), to_float(photographs)])
        return Code(mean.numpy(), np.exp(0.5 * log_variance.numpy()))

    def drawn_codes(self, seeds: np.ndarray) -> np.ndarray:
        """Returns the global noise that seeds, int64 [B], draw, float32 [B, N]."""
        return sampling.seeded_noise(self.network, tf.constant(seeds))["global_noise"].numpy()

    def check_dataset(self, data_dir: str, info: records.DatasetInfo) -> None:
        """Raises ValueError, saying what differs, if the records are of another kind."""
        if info.image_size != self.image_size:
            raise ValueError(
                f"{data_dir}: crops of {info.image_size}x{info.image_size}, the generator of "
                f"{self.run_dir} paints {self.image_size}x{self.image_size}"
            )


def load(run_dir: str, step: Optional[int] = None) -> TrainedGenerator:
    """Loads the generator of a run.

    Args:
      run_dir: run directory.
      step: of the checkpoint; the last that is whole by default.

    Raises:
      ValueError: no such run, one of another taxonomy than what was read before, no
        checkpoint, or not of this step.
    """
    description = run_directory.read_description(run_dir)
    dataset = description["dataset"]
    own = taxonomy.Taxonomy(tuple(dataset["taxonomy"]), dataset.get("aliases", {}))
    taxonomy.adopt(own, run_dir)
    if step is None:
        step, checkpoint = run_directory.newest_checkpoint(run_dir)
        return TrainedGenerator(run_dir, checkpoint, step, description)
    checkpoints = dict(run_directory.list_checkpoints(run_dir))
    if step not in checkpoints:
        known = ", ".join(str(number) for number in sorted(checkpoints))
        raise ValueError(f"{run_dir}: no checkpoint of step {step}; there are {known}")
    return TrainedGenerator(run_dir, checkpoints[step], step, description)

"""DermGAN: generator, discriminator and their joint training step."""

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Sequence

import tensorflow as tf

from model import judgement, sampling
from model import losses as losses_lib
from model.discriminator import DiscriminatorConfig, build_discriminator
from model.generator import GeneratorConfig, build_generator
from model.judgement import Judgement
from preprocessing.data import maps


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the generator's losses, and the kind of the adversarial one.

    Attributes:
      gan: adversarial loss.
      l1: reconstruction of the whole image.
      roi: reconstruction inside the ROI boxes.
      feature_matching: at the discriminator's second-to-last convolution.
      roi_gan: adversarial loss of the extra ROI discriminator; 0 leaves it out.
        The paper tried it and saw no improvement.
      adversarial: "non_saturating" or "least_squares".
    """

    gan: float = 1.0
    l1: float = 100.0
    roi: float = 100.0
    feature_matching: float = 10.0
    roi_gan: float = 0.0
    adversarial: str = "non_saturating"

    def __post_init__(self) -> None:
        losses_lib.adversarial_losses(self.adversarial)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "adversarial" and value < 0:
                raise ValueError(f"loss weight {field.name} is {value}; it may not be negative")


class DermGAN(tf.keras.Model):
    """The conditional GAN of the paper as a Keras model.

    Trained on batches `{"map": ..., "image": ...}`, each float32 [B, S, S, 3] in
    [-1, 1]. `ema_generator` follows the generator's weights as an exponential
    moving average and is the one that samples and is exported.
    """

    def __init__(
        self,
        generator_config: GeneratorConfig,
        discriminator_config: DiscriminatorConfig,
        discriminator_scales: int = 1,
        roi_discriminator: bool = False,
        ema_decay: float = 0.999,
        seed: int = 0,
        dtype: str = "float32",
    ):
        """Builds the networks.

        Args:
          generator_config: architecture of the generator.
          discriminator_config: architecture of the discriminator(s).
          discriminator_scales: discriminators, each at half the resolution of the one
            before (Wang et al. 2018): a fine one sees texture, a coarse one shape.
          roi_discriminator: whether to build the extra ROI discriminator.
          ema_decay: of the generator's moving average, per step; 0 copies.
          seed: of the noise drawn in training.
          dtype: Keras dtype policy of the networks.
        """
        super().__init__(name="dermgan")
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay {ema_decay} is not in [0, 1)")
        if discriminator_scales < 1:
            raise ValueError(f"discriminator_scales {discriminator_scales} is not positive")
        size = generator_config.image_size
        self.generator_config = generator_config
        self.ema_decay = ema_decay
        self.seed = seed
        self.generator = build_generator(generator_config, dtype)
        self.ema_generator = build_generator(generator_config, dtype)
        self.ema_generator.trainable = False
        self.ema_generator.set_weights(self.generator.get_weights())
        self.discriminator = build_discriminator(discriminator_config, size, dtype)
        self.coarse_discriminators = [
            build_discriminator(
                discriminator_config, size >> scale, dtype, name=f"discriminator_{size >> scale}"
            )
            for scale in range(1, discriminator_scales)
        ]
        self.roi_discriminator: Optional[tf.keras.Model] = None
        if roi_discriminator:
            # Around the boxes its images are 0: detail would be their edges.
            plain = dataclasses.replace(discriminator_config, detail=0.0)
            self.roi_discriminator = build_discriminator(
                plain, size, dtype, name="roi_discriminator"
            )
        self._trackers: Dict[str, tf.keras.metrics.Mean] = {}

    def compile(
        self,
        generator_optimizer: tf.keras.optimizers.Optimizer,
        discriminator_optimizer: tf.keras.optimizers.Optimizer,
        loss_weights: LossWeights,
        **kwargs: Any,
    ) -> None:
        """Sets what training needs.

        Args:
          generator_optimizer: for the generator.
          discriminator_optimizer: for the discriminator(s).
          loss_weights: of the generator's losses.
          **kwargs: of `tf.keras.Model.compile`, e.g. `jit_compile`.

        Raises:
          ValueError: the weights ask for an ROI discriminator that was not built,
            or the other way round.
        """
        super().compile(**kwargs)
        if (loss_weights.roi_gan > 0) != (self.roi_discriminator is not None):
            raise ValueError(
                f"roi_gan weight {loss_weights.roi_gan} and "
                f"roi_discriminator={self.roi_discriminator is not None} do not go together"
            )
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.loss_weights = loss_weights
        self._generator_gan_loss, self._discriminator_gan_loss = losses_lib.adversarial_losses(
            loss_weights.adversarial
        )
        names = ["generator", "discriminator", "gan", "l1", "roi", "feature_matching"]
        names += ["accuracy_real", "accuracy_fake"]
        names += ["roi_gan", "roi_discriminator"] if self.roi_discriminator else []
        self._trackers = {name: tf.keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self) -> List[tf.keras.metrics.Metric]:
        """The running means that Keras resets each epoch."""
        return list(self._trackers.values())

    def call(self, inputs: Any, training: Optional[bool] = None) -> tf.Tensor:
        """Runs the averaged generator on its named inputs."""
        return self.ema_generator(inputs, training=training)

    def generate(self, semantic_maps: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        """Samples images from the averaged generator.

        Args:
          semantic_maps: uint8 [B, S, S, 3].
          seeds: int64 [B]; image i depends on map i and seed i alone.

        Returns:
          uint8 [B, S, S, 3].
        """
        return sampling.sample_images(
            self.ema_generator, self.generator_config, semantic_maps, seeds
        )

    def train_step(self, data: Mapping[str, tf.Tensor]) -> Dict[str, tf.Tensor]:
        """Updates both networks from one forward pass of each.

        Both gradients are taken at the same weights: the discriminator sees each
        batch of generated images once, and all losses share that pass.

        Args:
          data: `map` and `image`, float32 [B, S, S, 3] in [-1, 1].

        Returns:
          Running means by name.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        noise = self._step_noise(tf.shape(data["map"])[0], replicas)
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator({"map": data["map"], **noise}, training=True)
            judgements = self._judge(data, generated, training=True)
            values = self._loss_values(data, generated, judgements)
            targets = {
                name: self._scaled(values[name] / replicas, optimizer)
                for name, optimizer in self._optimizers().items()
            }
        variables = {
            "generator": self.generator.trainable_variables,
            "discriminator": self.discriminator_variables(),
        }
        gradients = {name: tape.gradient(targets[name], variables[name]) for name in targets}
        del tape
        for name, optimizer in self._optimizers().items():
            pairs = zip(self._unscaled(gradients[name], optimizer), variables[name])
            optimizer.apply_gradients(pairs)
        self._update_average()
        return self._track(values)

    def test_step(self, data: Mapping[str, tf.Tensor]) -> Dict[str, tf.Tensor]:
        """Computes the losses of the averaged generator, without training."""
        noise = sampling.batch_noise(
            self.generator_config, tf.shape(data["map"])[0], tf.constant([self.seed, -1], tf.int64)
        )
        generated = self.ema_generator({"map": data["map"], **noise}, training=False)
        judgements = self._judge(data, generated, training=False)
        return self._track(self._loss_values(data, generated, judgements))

    def _optimizers(self) -> Dict[str, tf.keras.optimizers.Optimizer]:
        return {
            "generator": self.generator_optimizer,
            "discriminator": self.discriminator_optimizer,
        }

    def discriminator_variables(self) -> List[tf.Variable]:
        """Returns the trained variables of all discriminators."""
        networks = [self.discriminator, *self.coarse_discriminators]
        if self.roi_discriminator is not None:
            networks.append(self.roi_discriminator)
        return [variable for network in networks for variable in network.trainable_variables]

    def _step_noise(self, batch_size: tf.Tensor, replicas: int) -> Dict[str, tf.Tensor]:
        """Noise of this step: the same for an example whatever the replicas."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.generator_optimizer.iterations])
        noise = sampling.batch_noise(self.generator_config, batch_size * replicas, seed)
        if replicas == 1:
            return noise
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        start = replica * batch_size
        return {name: value[start : start + batch_size] for name, value in noise.items()}

    def _judge(
        self, data: Mapping[str, tf.Tensor], generated: tf.Tensor, training: bool
    ) -> Dict[str, List[Judgement]]:
        """Shows images to the discriminators: "image", finest scale first, and "roi"."""
        networks = [self.discriminator, *self.coarse_discriminators]
        pictures = (data["map"], data["image"], generated)
        judgements = {"image": judgement.judge(networks, *pictures, training)}
        if self.roi_discriminator is not None:
            mask = tf.cast(maps.roi_of_batch(data["map"]), tf.float32)[..., None]
            inside = (data["map"], data["image"] * mask, generated * mask)
            judgements["roi"] = judgement.judge([self.roi_discriminator], *inside, training)
        return judgements

    def _adversarial(self, judgements: Sequence[Judgement]) -> Dict[str, tf.Tensor]:
        return judgement.adversarial_values(
            judgements, self._generator_gan_loss, self._discriminator_gan_loss
        )

    def _loss_values(
        self,
        data: Mapping[str, tf.Tensor],
        generated: tf.Tensor,
        judgements: Mapping[str, Sequence[Judgement]],
    ) -> Dict[str, tf.Tensor]:
        weights = self.loss_weights
        values = {
            **self._adversarial(judgements["image"]),
            "l1": losses_lib.reconstruction_loss(data["image"], generated),
            "roi": losses_lib.roi_reconstruction_loss(
                data["image"], generated, maps.roi_of_batch(data["map"])
            ),
        }
        if "roi" in judgements:
            inside = self._adversarial(judgements["roi"])
            values["roi_gan"] = inside["gan"]
            values["roi_discriminator"] = inside["discriminator"]
            values["discriminator"] += inside["discriminator"]
        terms = ("gan", "l1", "roi", "feature_matching", "roi_gan")
        generator = tf.add_n([getattr(weights, t) * values[t] for t in terms if t in values])
        boundary = 0.5 if weights.adversarial == "least_squares" else 0.0
        finest = judgements["image"][0]
        return {
            **values,
            "generator": generator,
            "accuracy_real": _share(finest.real_logits > boundary),
            "accuracy_fake": _share(finest.fake_logits < boundary),
        }

    def _scaled(self, loss: tf.Tensor, optimizer: tf.keras.optimizers.Optimizer) -> tf.Tensor:
        scaled = isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
        return optimizer.get_scaled_loss(loss) if scaled else loss

    def _unscaled(
        self, gradients: List[tf.Tensor], optimizer: tf.keras.optimizers.Optimizer
    ) -> List[tf.Tensor]:
        scaled = isinstance(optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
        return optimizer.get_unscaled_gradients(gradients) if scaled else gradients

    def _update_average(self) -> None:
        """Moves the averaged weights; faster in the first steps, from a poor start."""
        step = tf.cast(self.generator_optimizer.iterations, tf.float32)
        rate = 1.0 - tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))

        def update(strategy: Any, rate: Any) -> None:
            rate = strategy.experimental_local_results(rate)[0]
            for average, weight in zip(self.ema_generator.weights, self.generator.weights):
                average.assign(average + tf.cast(rate, average.dtype) * (weight - average))

        tf.distribute.get_replica_context().merge_call(update, args=(rate,))

    def _track(self, values: Mapping[str, tf.Tensor]) -> Dict[str, tf.Tensor]:
        for name, tracker in self._trackers.items():
            tracker.update_state(values[name])
        return {name: tracker.result() for name, tracker in self._trackers.items()}


def _share(condition: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, tf.float32))

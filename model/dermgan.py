"""DermGAN: generator, discriminators and their joint training step."""

from typing import Any, Mapping, Optional, Sequence

import tensorflow as tf

from model import losses, sampling
from model.discriminator import judge
from model.losses import Loss
from preprocessing.data import maps


class DermGAN(tf.keras.Model):
    """The conditional GAN of the paper as a Keras model.

    Trained on batches `{"map": ..., "image": ...}`, each float32 [B, S, S, 3] in
    [-1, 1]. `ema_generator` follows the generator's weights as an exponential
    moving average and is the one that samples and is exported.

      DermGAN(
          build_generator(GeneratorConfig()),
          {"image": build_discriminators(DiscriminatorConfig(), 256)},
          losses.weighted(gan=1.0, l1=100.0),
      )
    """

    def __init__(
        self,
        generator: tf.keras.Model,
        discriminators: Mapping[str, Sequence[tf.keras.Model]],
        generator_losses: Sequence[Loss],
        adversarial: str = "non_saturating",
        ema_generator: Optional[tf.keras.Model] = None,
        ema_decay: float = 0.999,
        seed: int = 0,
    ):
        """Puts the parts together.

        Args:
          generator: from `build_generator`.
          discriminators: from `build_discriminators`, by what they are shown, a key of
            `losses.VIEWS`.
          generator_losses: from `losses.weighted`; those of a view that no discriminator
            is shown are left out.
          adversarial: kind of the game, a key of `losses.ADVERSARIAL`.
          ema_generator: a network like `generator`; a clone of it by default.
          ema_decay: of the moving average, per step; 0 copies.
          seed: of the noise drawn in training.

        Raises:
          ValueError: a loss that is asked for has no discriminator, or the other way
            round, or an argument is out of range.
        """
        super().__init__(name="dermgan")
        if not 0 <= ema_decay < 1:
            raise ValueError(f"ema_decay {ema_decay} is not in [0, 1)")
        needed = {loss.view for loss in generator_losses if loss.weight} | {"image"}
        if needed != set(discriminators):
            raise ValueError(
                f"discriminators of {', '.join(sorted(discriminators))} do not fit the losses, "
                f"which need those of {', '.join(sorted(needed))}"
            )
        self.generator = generator
        self.ema_generator = ema_generator or tf.keras.models.clone_model(generator)
        self.ema_generator.trainable = False
        self.ema_generator.set_weights(generator.get_weights())
        self.discriminators = {view: list(networks) for view, networks in discriminators.items()}
        self.generator_losses = [loss for loss in generator_losses if loss.view in discriminators]
        self.adversarial = losses.adversarial(adversarial)
        self.ema_decay = ema_decay
        self.seed = seed
        self._means: dict[str, tf.keras.metrics.Mean] = {}

    def compile(
        self,
        generator_optimizer: tf.keras.optimizers.Optimizer,
        discriminator_optimizer: tf.keras.optimizers.Optimizer,
        **kwargs: Any,
    ) -> None:
        """Sets the optimizers; **kwargs are `tf.keras.Model.compile`'s, e.g. `jit_compile`."""
        super().compile(**kwargs)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        names = ["generator", "discriminator", *(loss.name for loss in self.generator_losses)]
        names += [f"{view}_discriminator" for view in self.discriminators if view != "image"]
        names += ["accuracy_real", "accuracy_fake"]
        self._means = {name: tf.keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """The running means of `train_step` and `test_step`."""
        return list(self._means.values())

    @property
    def step(self) -> int:
        """Number of training steps taken."""
        return int(self.generator_optimizer.iterations.numpy())

    def discriminator_variables(self) -> list[tf.Variable]:
        """Returns the trained variables of all discriminators."""
        networks = [network for several in self.discriminators.values() for network in several]
        return [variable for network in networks for variable in network.trainable_variables]

    def call(self, inputs: Any, training: Optional[bool] = None) -> tf.Tensor:
        """Runs the averaged generator on its named inputs."""
        return self.ema_generator(inputs, training=training)

    @tf.autograph.experimental.do_not_convert
    def train_step(self, data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Updates both networks from one forward pass of each; returns running means.

        Both gradients are taken at the same weights: the discriminators see each
        batch of generated images once, and all losses share that pass.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        noise = self._step_noise(tf.shape(data["map"])[0], replicas)
        with tf.GradientTape(persistent=True) as tape:
            generated = self.generator({"map": data["map"], **noise}, training=True)
            values = self._compute_losses(data, generated, training=True)
            shares = {name: values[name] / replicas for name in ("generator", "discriminator")}
        players = (
            ("generator", self.generator_optimizer, self.generator.trainable_variables),
            ("discriminator", self.discriminator_optimizer, self.discriminator_variables()),
        )
        gradients = [
            optimizer.compute_gradients(shares[name], variables, tape)
            for name, optimizer, variables in players
        ]
        for (_, optimizer, _), pairs in zip(players, gradients):
            optimizer.apply_gradients(pairs)
        self._update_average()
        return self._update_means(values)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Computes the losses of the averaged generator, without training."""
        seed = tf.constant([self.seed, -1], tf.int64)
        noise = sampling.batch_noise(self.ema_generator, tf.shape(data["map"])[0], seed)
        generated = self({"map": data["map"], **noise}, training=False)
        return self._update_means(self._compute_losses(data, generated, training=False))

    def _step_noise(self, batch_size: tf.Tensor, replicas: int) -> dict[str, tf.Tensor]:
        """Noise of this step: the same for an example whatever the replicas."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.generator_optimizer.iterations])
        noise = sampling.batch_noise(self.generator, batch_size * replicas, seed)
        if replicas == 1:
            return noise
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        start = replica * batch_size
        return {name: value[start : start + batch_size] for name, value in noise.items()}

    def _compute_losses(
        self, data: Mapping[str, tf.Tensor], generated: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """Shows the images to the discriminators; returns what is minimized and its parts."""
        semantic_map, image = data["map"], data["image"]
        roi = maps.roi_of_batch(semantic_map)
        judgements = {}
        for view, networks in self.discriminators.items():
            real, fake = (losses.VIEWS[view](each, roi) for each in (image, generated))
            judgements[view] = judge(networks, semantic_map, real, fake, training)
        seen = losses.ForwardPass(semantic_map, image, generated, judgements, self.adversarial)
        parts = {loss.name: loss.function(seen) for loss in self.generator_losses}
        judged = {view: losses.discriminator_loss(seen, view) for view in self.discriminators}
        finest, boundary = judgements["image"][0], self.adversarial.boundary
        return {
            "generator": tf.add_n([one.weight * parts[one.name] for one in self.generator_losses]),
            "discriminator": tf.add_n(list(judged.values())),
            **parts,
            **{f"{view}_discriminator": value for view, value in judged.items()},
            "accuracy_real": _share(finest.real_logits > boundary),
            "accuracy_fake": _share(finest.fake_logits < boundary),
        }

    def _update_average(self) -> None:
        """Moves the averaged weights; faster in the first steps, from a poor start."""
        step = tf.cast(self.generator_optimizer.iterations, tf.float32)
        rate = 1.0 - tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))

        def update(strategy: Any, rate: Any) -> None:
            rate = strategy.experimental_local_results(rate)[0]
            for average, weight in zip(self.ema_generator.weights, self.generator.weights):
                average.assign(average + tf.cast(rate, average.dtype) * (weight - average))

        tf.distribute.get_replica_context().merge_call(update, args=(rate,))

    def _update_means(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, mean in self._means.items():
            mean.update_state(values[name])
        return {name: mean.result() for name, mean in self._means.items()}


def _share(condition: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, tf.float32))

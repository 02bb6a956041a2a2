"""DermGAN: generator, discriminators and their joint training step."""

from typing import Any, Mapping, Optional, Sequence

import tensorflow as tf

from model import losses, moves, noise, sampling
from model.discriminator import judge
from model.generator import noise_inputs
from model.losses import Loss
from preprocessing.data import maps

_MOVES = 1 << 16  # number of the moves' draws among those of the noise


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
        encoder: Optional[tf.keras.Model] = None,
        adaptive_moves: Optional[moves.AdaptiveMoves] = None,
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
          encoder: from `build_encoder`; every second image of a batch is then painted from
            the code of its own photograph, and compared with it, the others from drawn codes.
          adaptive_moves: of what the discriminators are shown; None shows it as it is.

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
        asked = [loss.name for loss in generator_losses if loss.of_codes and loss.weight]
        if asked and not encoder:
            raise ValueError(f"the losses {', '.join(asked)} need an encoder")
        if encoder and "global_noise" not in noise_inputs(generator):
            raise ValueError("an encoder needs a generator with global noise")
        self.generator_losses = [
            loss
            for loss in generator_losses
            if loss.view in discriminators and (encoder or not loss.of_codes)
        ]
        self.encoder, self.ema_encoder = encoder, None
        if encoder:
            self.ema_encoder = tf.keras.models.clone_model(encoder)
            self.ema_encoder.trainable = False
            self.ema_encoder.set_weights(encoder.get_weights())
        self.moves = adaptive_moves
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
        # Of what the replicas return, all of which are the means over all replicas.
        self.distribute_reduction_method = "first"
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        names = ["generator", "discriminator", *(loss.name for loss in self.generator_losses)]
        names += [f"{view}_discriminator" for view in self.discriminators if view != "image"]
        names += ["accuracy_real", "accuracy_fake"]
        names += ["moves_strength"] if self.moves else []
        self._means = {name: tf.keras.metrics.Mean(name=name) for name in names}

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """The running means of `train_step` and `test_step`."""
        return list(self._means.values())

    @property
    def step(self) -> int:
        """Number of training steps taken."""
        return int(self.generator_optimizer.iterations.numpy())

    def generator_variables(self) -> list[tf.Variable]:
        """Returns the trained variables of the generator, and of the encoder beside it."""
        networks = [self.generator, *([self.encoder] if self.encoder else [])]
        return [variable for network in networks for variable in network.trainable_variables]

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
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.generator_optimizer.iterations])
        drawn = self._draw(tf.shape(data["map"])[0], seed)
        with tf.GradientTape(persistent=True) as tape:
            generated, codes = self._paint(data, drawn, self.generator, training=True)
            values = self._compute_losses(data, generated, codes, drawn.get("moves"))
            replicas = tf.distribute.get_strategy().num_replicas_in_sync
            shares = {name: values[name] / replicas for name in ("generator", "discriminator")}
        players = (
            ("generator", self.generator_optimizer, self.generator_variables()),
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
        drawn = self._draw(tf.shape(data["map"])[0], seed)
        generated, codes = self._paint(data, drawn, self.ema_generator, training=False)
        return self._update_means(self._compute_losses(data, generated, codes, training=False))

    def _draw(self, batch_size: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """The generator's noise and the draws of the moves.

        The same for an example whatever the replicas.
        """
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        drawn = sampling.batch_noise(self.generator, batch_size * replicas, seed)
        if self.moves:
            shape = [batch_size * replicas, moves.DRAWS]
            drawn["moves"] = noise.draw(shape, noise.fold_in(seed, _MOVES), "uniform")
        if replicas == 1:
            return drawn
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        start = replica * batch_size
        return {name: value[start : start + batch_size] for name, value in drawn.items()}

    def _paint(
        self,
        data: Mapping[str, tf.Tensor],
        drawn: Mapping[str, tf.Tensor],
        generator: tf.keras.Model,
        training: bool,
    ) -> tuple[tf.Tensor, Optional[losses.Codes]]:
        """Paints the maps; with an encoder, every second one from its photograph's code."""
        inputs = {name: value for name, value in drawn.items() if name != "moves"}
        if self.encoder is None or self.ema_encoder is None:
            return generator({"map": data["map"], **inputs}, training=training), None
        code = inputs["global_noise"]
        mean, log_variance = self.encoder([data["map"][::2], data["image"][::2]])
        encoded = mean + tf.exp(0.5 * log_variance) * code[::2]
        inputs["global_noise"] = _interleave(encoded, code[1::2])
        generated = generator({"map": data["map"], **inputs}, training=training)
        found, _ = self.ema_encoder([data["map"][1::2], generated[1::2]])
        return generated, losses.Codes(mean, log_variance, code[1::2], found)

    def _compute_losses(
        self,
        data: Mapping[str, tf.Tensor],
        generated: tf.Tensor,
        codes: Optional[losses.Codes],
        draws: Optional[tf.Tensor] = None,
        training: bool = True,
    ) -> dict[str, tf.Tensor]:
        """Shows the images to the discriminators; returns what is minimized and its parts."""
        shown = [data["map"], data["image"], generated]
        if self.moves and draws is not None:
            shown = moves.move(shown, self.moves.strength, draws)
        roi = maps.roi_of_batch(shown[0])
        judgements = {}
        for view, networks in self.discriminators.items():
            real, fake = (losses.VIEWS[view](each, roi) for each in shown[1:])
            judgements[view] = judge(networks, shown[0], real, fake, training)
        seen = losses.ForwardPass(
            data["map"], data["image"], generated, judgements, self.adversarial, codes
        )
        parts = {loss.name: loss.function(seen) for loss in self.generator_losses}
        judged = {view: losses.discriminator_loss(seen, view) for view in self.discriminators}
        finest, boundary = judgements["image"][0], self.adversarial.boundary
        values = {
            "generator": tf.add_n([one.weight * parts[one.name] for one in self.generator_losses]),
            "discriminator": tf.add_n(list(judged.values())),
            **parts,
            **{f"{view}_discriminator": value for view, value in judged.items()},
            "accuracy_real": _share(finest.real_logits > boundary),
            "accuracy_fake": _share(finest.fake_logits < boundary),
        }
        if self.moves:
            values["moves_strength"] = tf.identity(self.moves.strength)
        if self.moves and draws is not None:
            signs = [tf.sign(one.real_logits - boundary) for one in judgements["image"]]
            sign = tf.add_n([tf.reduce_mean(one) for one in signs]) / len(signs)
            context = tf.distribute.get_replica_context()
            sign = context.all_reduce(tf.distribute.ReduceOp.MEAN, sign)
            self.moves.adapt(sign, context.num_replicas_in_sync * tf.shape(generated)[0])
        return values

    def _update_average(self) -> None:
        """Moves the averaged weights; faster in the first steps, from a poor start."""
        step = tf.cast(self.generator_optimizer.iterations, tf.float32)
        rate = 1.0 - tf.minimum(self.ema_decay, (1.0 + step) / (10.0 + step))
        pairs = [(self.ema_generator, self.generator)]
        pairs += [(self.ema_encoder, self.encoder)] if self.encoder else []

        def update(strategy: Any, rate: Any) -> None:
            rate = strategy.experimental_local_results(rate)[0]
            for averaged, network in pairs:
                for average, weight in zip(averaged.weights, network.weights):
                    average.assign(average + tf.cast(rate, average.dtype) * (weight - average))

        tf.distribute.get_replica_context().merge_call(update, args=(rate,))

    def _update_means(self, values: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, mean in self._means.items():
            mean.update_state(values[name])
        return {name: mean.result() for name, mean in self._means.items()}


def _interleave(even: tf.Tensor, odd: tf.Tensor) -> tf.Tensor:
    """Merges examples 0, 2, ... and 1, 3, ... of a batch, each [., N]."""
    pairs = tf.stack([even[: tf.shape(odd)[0]], odd], axis=1)
    merged = tf.reshape(pairs, [-1, even.shape[-1]])
    return tf.concat([merged, even[tf.shape(odd)[0] :]], axis=0)


def _share(condition: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(condition, tf.float32))

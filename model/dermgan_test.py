from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from model import losses
from model.dermgan import DermGAN
from model.discriminator import DiscriminatorConfig, build_discriminators
from model.encoder import build_encoder
from model.generator import GeneratorConfig, build_generator
from model.images import to_float
from model.moves import AdaptiveMoves
from preprocessing.data import maps
from preprocessing.data.manifest import Box

_SIZE = 32
_NOISE = {"global_noise": 4, "pixel_noise": 2, "level_noise": 2}
_WEIGHTS = {"gan": 1.0, "l1": 10.0, "roi": 10.0, "feature_matching": 10.0}


def setUpModule():
    # Graphs this small are not worth the seconds that optimizing them takes.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


def _batch(number=4):
    drawn = np.stack(
        [maps.encode(1 + i % 6, i % 27, [Box(6, 8, 20, 24)], _SIZE, _SIZE) for i in range(number)]
    )
    images = np.repeat(255 - drawn[..., :1], 3, -1)
    images[:, 8:24, 6:20] //= 3
    return {"map": to_float(drawn), "image": to_float(images)}


def _model(
    weights=None,
    roi=False,
    scales=1,
    dtype="float32",
    normalization="instance",
    rate=1e-3,
    encoder=None,
    adaptive_moves=None,
    **generator,
):
    tf.keras.utils.set_random_seed(0)
    settings = DiscriminatorConfig(
        base_filters=4,
        downsamplings=3 if scales == 1 else 2,
        normalization=normalization,
    )
    discriminators = {"image": build_discriminators(settings, _SIZE, scales, dtype)}
    if roi:
        discriminators["roi"] = build_discriminators(settings, _SIZE, 1, dtype)
    model = DermGAN(
        build_generator(
            GeneratorConfig(_SIZE, base_filters=4, normalization=normalization, **generator), dtype
        ),
        discriminators,
        losses.weighted(**(weights or _WEIGHTS)),
        ema_decay=0.9,
        encoder=encoder,
        adaptive_moves=adaptive_moves,
    )

    def adam():
        optimizer = tf.keras.optimizers.Adam(rate, beta_1=0.5)
        if dtype == "mixed_float16":
            return tf.keras.mixed_precision.LossScaleOptimizer(optimizer)
        return optimizer

    model.compile(adam(), adam())
    return model


def _copy(network):
    return [weight.numpy() for weight in network.trainable_weights]


def _moved(before, network):
    return any(np.any(a != b) for a, b in zip(before, _copy(network)))


class TrainStepTest(parameterized.TestCase):
    @parameterized.parameters("float32", "mixed_float16")
    def test_loss_falls_on_one_batch(self, dtype):
        model = _model(dtype=dtype, **_NOISE)
        data = tf.data.Dataset.from_tensors(_batch()).repeat()
        first = model.fit(data, steps_per_epoch=5, verbose=0).history["l1"][0]
        last = model.fit(data, steps_per_epoch=20, epochs=3, verbose=0).history["l1"][-1]
        self.assertLess(last, 0.8 * first)

    def test_reports_every_part(self):
        model = _model({"gan": 2, "l1": 3, "roi": 5, "feature_matching": 7})
        values = {k: float(v) for k, v in model.train_step(_batch()).items()}
        expected = 2 * values["gan"] + 3 * values["l1"] + 5 * values["roi"]
        expected += 7 * values["feature_matching"]
        self.assertAlmostEqual(values["generator"], expected, places=4)
        self.assertBetween(values["accuracy_real"], 0, 1)
        self.assertBetween(values["accuracy_fake"], 0, 1)

    def test_each_optimizer_moves_its_own_network(self):
        for frozen, moving in (("generator", "discriminator"), ("discriminator", "generator")):
            model = _model()
            networks = {
                "generator": model.generator,
                "discriminator": model.discriminators["image"][0],
            }
            getattr(model, f"{frozen}_optimizer").learning_rate.assign(0.0)
            before = {name: _copy(network) for name, network in networks.items()}
            model.train_step(_batch())
            self.assertFalse(_moved(before[frozen], networks[frozen]))
            self.assertTrue(_moved(before[moving], networks[moving]))

    def test_gradients_equal_those_of_separate_passes(self):
        model = _model(dropout=0.0)
        (discriminator,) = model.discriminators["image"]
        batch, gradients = _batch(), {}
        for name in ("generator", "discriminator"):
            optimizer = getattr(model, f"{name}_optimizer")

            def record(pairs, name=name):
                gradients[name] = [gradient for gradient, _ in pairs]

            optimizer.apply_gradients = record
        with tf.GradientTape() as tape:
            fake = model.generator({"map": batch["map"]}, training=True)
            fake_logits, fake_features = discriminator([batch["map"], fake])
            _, real_features = discriminator([batch["map"], batch["image"]])
            error = tf.abs(batch["image"] - fake)
            roi = tf.cast(batch["map"][..., 1:2] > -0.99, tf.float32)
            inside = tf.reduce_sum(error * roi, [1, 2, 3]) / tf.reduce_sum(roi, [1, 2, 3]) / 3
            loss = tf.reduce_mean(tf.math.softplus(-fake_logits))
            loss += 10 * tf.reduce_mean(error) + 10 * tf.reduce_mean(inside)
            loss += 10 * tf.reduce_mean((tf.stop_gradient(real_features) - fake_features) ** 2)
        expected = {"generator": tape.gradient(loss, model.generator.trainable_weights)}
        with tf.GradientTape() as tape:
            fake_logits, _ = discriminator([batch["map"], tf.stop_gradient(fake)])
            real_logits, _ = discriminator([batch["map"], batch["image"]])
            loss = 0.5 * tf.reduce_mean(tf.math.softplus(-real_logits))
            loss += 0.5 * tf.reduce_mean(tf.math.softplus(fake_logits))
        expected["discriminator"] = tape.gradient(loss, discriminator.trainable_weights)
        model.train_step(batch)
        for name, values in expected.items():
            self.assertLen(gradients[name], len(values))
            for ours, theirs in zip(gradients[name], values):
                np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)

    def test_each_network_runs_once_per_batch_of_images(self):
        model = _model()
        calls = {}
        for network in (model.generator, *model.discriminators["image"]):
            calls[network.name] = 0

            def counted(*args, name=network.name, call=network.call, **kwargs):
                calls[name] += 1
                return call(*args, **kwargs)

            network.call = counted
        model.train_step(_batch())
        self.assertEqual(calls, {"generator": 1, "discriminator": 2})

    def test_eager_equals_graph(self):
        results = []
        for wrap in (lambda step: step, tf.function):
            model = _model(**_NOISE)
            step = wrap(model.train_step)
            for _ in range(2):
                values = step(_batch())
            results.append([float(value) for value in values.values()])
        np.testing.assert_allclose(*results, rtol=1e-4)

    def test_roi_discriminator(self):
        weights = {**_WEIGHTS, "roi_gan": 0.5}
        model = _model(weights, roi=True)
        (network,) = model.discriminators["roi"]
        before = _copy(network)
        values = {name: float(value) for name, value in model.train_step(_batch()).items()}
        self.assertTrue(_moved(before, network))
        expected = sum(weight * values[name] for name, weight in weights.items())
        self.assertAlmostEqual(values["generator"], expected, places=4)
        self.assertGreater(values["discriminator"], values["roi_discriminator"])
        with self.assertRaisesRegex(ValueError, "of image do not fit the losses, .* of image, roi"):
            _model(weights)
        with self.assertRaisesRegex(ValueError, "of image, roi do not fit the losses"):
            _model(roi=True)

    def test_a_loss_is_added_in_the_list_alone(self):
        darkness = losses.Loss("darkness", lambda seen: tf.reduce_mean(1.0 - seen.generated))
        with (
            mock.patch.object(losses, "LOSSES", (*losses.LOSSES, darkness)),
            mock.patch.object(losses, "NAMES", (*losses.NAMES, "darkness")),
        ):
            model = _model({"l1": 1.0, "darkness": 4.0})
        values = {name: float(value) for name, value in model.train_step(_batch()).items()}
        self.assertAlmostEqual(values["generator"], values["l1"] + 4 * values["darkness"], places=4)

    def test_scales_are_averaged(self):
        model = _model(scales=2)
        fine, coarse = model.discriminators["image"]
        self.assertEqual(coarse.input_shape[1], (None, _SIZE // 2, _SIZE // 2, 3))
        batch, before = _batch(), _copy(coarse)
        image = batch["image"].numpy().reshape(4, _SIZE // 2, 2, _SIZE // 2, 2, 3).mean((2, 4))
        small_map = batch["map"][:, ::2, ::2]
        drawn = model._draw(tf.constant(4), tf.constant([0, 0], tf.int64))
        fake = model.generator({"map": batch["map"], **drawn})
        small = tf.image.resize(fake, (_SIZE // 2, _SIZE // 2), "area")
        coarse_real, coarse_fake = coarse([small_map, image]), coarse([small_map, small])
        finest = fine([batch["map"], batch["image"]])
        finest_fake = fine([batch["map"], fake])
        values = {k: float(v) for k, v in model.train_step(batch).items()}
        self.assertTrue(_moved(before, coarse))
        expected = {
            "gan": [np.mean(np.log1p(np.exp(-one[0]))) for one in (finest_fake, coarse_fake)],
            "feature_matching": [
                np.mean((one[1] - other[1]) ** 2)
                for one, other in ((finest, finest_fake), (coarse_real, coarse_fake))
            ],
            "discriminator": [
                (np.mean(np.log1p(np.exp(-one[0]))) + np.mean(np.log1p(np.exp(other[0])))) / 2
                for one, other in ((finest, finest_fake), (coarse_real, coarse_fake))
            ],
        }
        for name, both in expected.items():
            self.assertAlmostEqual(values[name], np.mean(both), places=4)

    def test_average_follows_the_generator(self):
        model = _model()
        start = [weight.numpy() for weight in model.generator.weights]
        model.train_step(_batch())
        # After the first step the rate is 1 - 2/11: a short history weighs little.
        for old, new, average in zip(start, model.generator.weights, model.ema_generator.weights):
            np.testing.assert_allclose(average, old + (9 / 11) * (new - old), atol=1e-6)


_CODES = {"l1": 10.0, "roi": 1.0, "feature_matching": 1.0, "gan": 1.0, "kl": 0.1, "code": 0.5}


def _model_with_encoder(weights=None, **settings):
    tf.keras.utils.set_random_seed(1)
    encoder = build_encoder(_SIZE, 4, 2, base_filters=2)
    return _model(weights or _CODES, encoder=encoder, lesion_noise=2, **_NOISE, **settings)


class EncoderTest(absltest.TestCase):
    def test_every_second_image_is_painted_from_its_photograph_s_code(self):
        model, batch = _model_with_encoder(), _batch()
        drawn = model._draw(tf.constant(4), tf.constant([0, 0], tf.int64))
        seen = {}
        model.generator.call = lambda inputs, **_: seen.update(inputs) or batch["image"]
        _, codes = model._paint(batch, drawn, model.generator, training=True)
        mean, log_variance = model.encoder([batch["map"][::2], batch["image"][::2]])
        expected = mean + np.exp(log_variance / 2) * drawn["global_noise"][::2]
        np.testing.assert_allclose(seen["global_noise"][::2], expected, rtol=1e-5)
        np.testing.assert_array_equal(seen["global_noise"][1::2], drawn["global_noise"][1::2])
        np.testing.assert_array_equal(codes.drawn, drawn["global_noise"][1::2])
        np.testing.assert_allclose(codes.mean, mean, rtol=1e-5)

    def test_learns_beside_the_generator(self):
        model = _model_with_encoder()
        before, average = _copy(model.encoder), model.ema_encoder.get_weights()
        values = {name: float(value) for name, value in model.train_step(_batch(5)).items()}
        self.assertTrue(_moved(before, model.encoder))
        expected = sum(weight * values[name] for name, weight in _CODES.items())
        self.assertAlmostEqual(values["generator"], expected, places=4)
        moved = zip(average, model.ema_encoder.get_weights(), model.encoder.get_weights())
        for old, new, fast in moved:
            np.testing.assert_allclose(new, old + (9 / 11) * (fast - old), atol=1e-6)
        self.assertIn(
            "kl",
            model.evaluate(tf.data.Dataset.from_tensors(_batch()), verbose=0, return_dict=True),
        )

    def test_bad_settings(self):
        with self.assertRaisesRegex(ValueError, "the losses kl, code need an encoder"):
            _model(_CODES, **_NOISE)
        with self.assertRaisesRegex(ValueError, "needs a generator with global noise"):
            _model(encoder=build_encoder(_SIZE, 4, base_filters=2))


class MovesTest(absltest.TestCase):
    def test_discriminators_see_moved_pictures_and_the_strength_adapts(self):
        model = _model(adaptive_moves=AdaptiveMoves(0.6, images=8), rate=1e-2)
        model.moves.strength.assign(0.4)
        shown = []
        (discriminator,) = model.discriminators["image"]
        call = discriminator.call
        discriminator.call = lambda inputs, **rest: shown.append(inputs) or call(inputs, **rest)
        batch = _batch()
        values = model.train_step(batch)
        (real_map, real), (fake_map, _) = shown
        np.testing.assert_array_equal(real_map, fake_map)
        self.assertTrue(np.any(real.numpy() != batch["image"].numpy()))
        self.assertAlmostEqual(float(values["moves_strength"]), 0.4, places=5)
        step = 0.5 if float(values["accuracy_real"]) > 0.8 else -0.4  # four images of eight
        self.assertAlmostEqual(float(model.moves.strength), 0.4 + step, places=5)
        shown.clear()
        model.test_step(batch)
        np.testing.assert_array_equal(shown[0][1], batch["image"])


class DermGANTest(absltest.TestCase):
    def test_evaluate_reports_losses_and_changes_nothing(self):
        model = _model()
        networks = (model.generator, *model.discriminators["image"])
        before = [_copy(network) for network in networks]
        data = tf.data.Dataset.from_tensors(_batch())
        self.assertIn("feature_matching", model.evaluate(data, verbose=0, return_dict=True))
        self.assertFalse(any(_moved(*each) for each in zip(before, networks)))

    def test_bad_settings(self):
        parts = [build_generator(GeneratorConfig(32, base_filters=2)), {"image": []}, []]
        with self.assertRaisesRegex(ValueError, "adversarial loss 'x'"):
            DermGAN(*parts, adversarial="x")
        with self.assertRaisesRegex(ValueError, "ema_decay 1.0"):
            DermGAN(*parts, ema_decay=1.0)


if __name__ == "__main__":
    absltest.main()

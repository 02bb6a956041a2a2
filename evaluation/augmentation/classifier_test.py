import dataclasses
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.augmentation import classifier
from evaluation.augmentation.configs import demo, paper
from evaluation.augmentation.images import Images

_SMALL = {
    "input_size": 32,
    "alpha": 0.25,
    "steps": 30,
    "batch_size": 16,
    "validate_every": 10,
    "learning_rate": 3e-2,
    "precision": "float32",
}
_NO_JITTER = {
    "flip_horizontal": False,
    "flip_vertical": False,
    "crop": 1.0,
    "saturation": 0.0,
    "contrast": 0.0,
    "brightness": 0.0,
    "rotation": 0.0,
    "erase": 0.0,
}


def _config(**fields):
    """Returns the configuration of a small classifier; fields of any group are set."""
    config = demo.get_config()
    for name, value in {**_SMALL, **fields}.items():
        [group] = (
            one for one in (config.model, config.augmentation, config.training) if name in one
        )
        group[name] = value
    return config


def _jitter(images, size=20, seed=2, **fields):
    """Varies images as given, and in no other way."""
    seeds = tf.constant([1, seed], tf.int64)
    augmentation = _config(**{**_NO_JITTER, **fields}).augmentation
    return classifier.jitter_images(images, augmentation, size, seeds)


def _grey_images(number, size=20, first_value=0):
    """Image i has the value first_value + i everywhere and the label i modulo 3."""
    values = (first_value + np.arange(number)).astype(np.uint8)
    pixels = np.broadcast_to(values[:, None, None, None], (number, size, size, 3))
    texts = np.array([f"i{i}" for i in range(number)])
    return Images(np.array(pixels), np.arange(number) % 3, np.ones(number, np.int64), *[texts] * 5)


def _noise(batch=16, size=20):
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (batch, size, size, 3)), tf.float32)


class JitterTest(parameterized.TestCase):
    def test_off_changes_nothing(self):
        images = _noise()
        np.testing.assert_allclose(_jitter(images), images, atol=1e-5)

    def test_flips(self):
        images = _noise(batch=64)
        for axis, flip in ((2, "flip_horizontal"), (1, "flip_vertical")):
            flipped = tf.reverse(images, [axis]).numpy()
            result = _jitter(images, **{flip: True}).numpy()
            same = np.isclose(result, images, atol=1e-5).all(axis=(1, 2, 3))
            other = np.isclose(result, flipped, atol=1e-5).all(axis=(1, 2, 3))
            self.assertTrue(np.all(same ^ other))
            self.assertBetween(other.mean(), 0.25, 0.75)

    def test_crops_show_a_part_at_the_wanted_size(self):
        ramp = tf.linspace(-1.0, 1.0, 40)[None, None, :, None] * tf.ones((64, 40, 1, 3))
        result = _jitter(ramp, crop=0.5).numpy()
        self.assertEqual(result.shape, (64, 20, 20, 3))
        seen = (result.max(axis=(1, 2, 3)) - result.min(axis=(1, 2, 3))) / 2
        self.assertBetween(seen.min(), 0.5 - 1e-3, 0.6)
        self.assertBetween(seen.max(), 0.9, 1 + 1e-3)
        # Windows lie anywhere in the image.
        self.assertLess(result.min(axis=(1, 2, 3)).min(), -0.95)
        self.assertGreater(result.max(axis=(1, 2, 3)).max(), 0.95)

    def test_rotations_turn_about_the_center(self):
        y, x = np.mgrid[-1:1:41j, -1:1:41j].astype(np.float32)
        ramp = tf.repeat(tf.constant(np.stack([x, y, x * 0], -1))[None], 64, 0)
        result = _jitter(ramp, 41, rotation=90.0).numpy()
        np.testing.assert_allclose(result[:, 20, 20], 0, atol=1e-5)
        # Along the row to the right of the center, x and y rise as cosine and sine of the turn.
        cosine, sine = ((result[:, 20, 30, i] / 0.5) for i in (0, 1))
        np.testing.assert_allclose(cosine**2 + sine**2, 1, atol=1e-4)
        turns = np.degrees(np.arctan2(sine, cosine))
        self.assertBetween(turns.max(), 80, 90.1)
        self.assertBetween(turns.min(), -90.1, -80)
        # Down the column it is a quarter further: no mirror image.
        np.testing.assert_allclose(result[:, 30, 20, 1], cosine * 0.5, atol=1e-4)
        np.testing.assert_allclose(result[:, 30, 20, 0], -sine * 0.5, atol=1e-4)

    def test_erased_boxes_are_grey(self):
        erased = _jitter(tf.ones((64, 20, 20, 3)), erase=0.5).numpy() == 0
        rows, columns = erased.any((2, 3)), erased.any((1, 3))
        self.assertBetween(rows.sum(1).max(), 9, 10)
        self.assertLess(rows.sum(1).min(), 3)
        np.testing.assert_array_equal(erased[..., 0], rows[:, :, None] & columns[:, None])
        self.assertTrue(rows.any(0)[2:-2].all() and columns.any(0)[2:-2].all())

    def test_photometric_changes(self):
        images = _noise(batch=256) * 0.3
        result = _jitter(images, brightness=0.1)
        added = (result - images).numpy()
        self.assertLess(np.ptp(added, axis=(1, 2, 3)).max(), 1e-5)
        self.assertBetween(added.max(), 0.18, 0.2 + 1e-5)  # the range is 2 here
        self.assertBetween(added.min(), -0.2 - 1e-5, -0.18)
        result = _jitter(images, contrast=0.2)
        factors = result.numpy().std(axis=(1, 2, 3)) / images.numpy().std(axis=(1, 2, 3))
        self.assertBetween(factors.min(), 0.79, 0.84)
        self.assertBetween(factors.max(), 1.16, 1.21)
        grey = tf.ones((4, 20, 20, 3)) * 0.3
        saturated = _jitter(grey, saturation=1.0)
        np.testing.assert_allclose(saturated, grey, atol=1e-5)

    def test_a_seed_decides_and_images_differ(self):
        images = tf.repeat(_noise(batch=1), 4, axis=0)
        everything = dict(_config().augmentation)
        first, again = (_jitter(images, 16, **everything) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        self.assertFalse(np.allclose(first[0], first[1]))
        other = _jitter(images, 16, seed=3, **everything)
        self.assertFalse(np.allclose(first, other))
        self.assertLessEqual(np.abs(first).max(), 1.0)


class BatchesTest(absltest.TestCase):
    def test_training_batches_follow_the_order(self):
        sources = (_grey_images(5), _grey_images(4, first_value=100))
        order = np.array([4, 5, 0, 8, 6, 1, 2])  # the last does not fill a batch
        weights = np.array([1.0, 2.0, 3.0], np.float32)
        config = _config(**_NO_JITTER, batch_size=3)
        batches = list(classifier.training_batches(sources, order, weights, config, seed=0))
        self.assertLen(batches, 2)
        values = np.concatenate([batch[0].numpy()[:, 0, 0, 0] for batch in batches])
        np.testing.assert_allclose(
            np.round((values + 1) * 127.5), [4, 100, 0, 103, 101, 1], atol=1e-3
        )
        codes = np.concatenate([batch[1].numpy() for batch in batches])
        np.testing.assert_array_equal(codes, [1, 0, 0, 0, 1, 1])
        np.testing.assert_array_equal(
            np.concatenate([batch[2].numpy() for batch in batches]), weights[codes]
        )

    def test_strong_jitter_is_of_its_own_settings(self):
        config = _config(**_NO_JITTER, batch_size=3)
        config.strong_augmentation.update({**_NO_JITTER, "brightness": 0.2})
        sources, order, weights = (_grey_images(3),), np.arange(3), np.ones(3, np.float32)
        weak, strong = (
            next(iter(classifier.training_batches(sources, order, weights, config, 0, strong)))[0]
            for strong in (False, True)
        )
        np.testing.assert_allclose((weak[:, 0, 0, 0] + 1) * 127.5, np.arange(3), atol=1e-3)
        self.assertGreater(np.abs(strong - weak).max(), 0.02)

    def test_whole_batches_are_all_images_in_order(self):
        batches = list(classifier.whole_batches(_grey_images(7), 16, 3))
        self.assertEqual([len(images) for images, _ in batches], [3, 3, 1])
        values = np.concatenate([images.numpy()[:, 8, 8, 1] for images, _ in batches])
        np.testing.assert_allclose((values + 1) * 127.5, np.arange(7), atol=1e-3)
        np.testing.assert_array_equal(np.concatenate([codes for _, codes in batches]),
                                      np.arange(7) % 3)  # fmt: skip

    def test_stored_size(self):
        self.assertEqual(classifier.stored_size(96), 120)


def _images(number, seed):
    """Dark images are of class 0, light ones of class 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    levels = 60 + 130 * labels[:, None, None, None] + rng.integers(0, 40, (number, 40, 40, 3))
    texts = np.array([f"{seed}_{i}" for i in range(number)])
    return Images(levels.astype(np.uint8), labels, np.ones(number, np.int64), *[texts] * 5)


def _batches(images, config=None):
    config = config or _config()
    order = np.arange(config.training.steps * config.training.batch_size) % len(images)
    weights = np.ones(2, np.float32)
    return classifier.training_batches((images,), order, weights, config, seed=0)


def _small_model(config=None):
    """Stands in for MobileNet where only the training matters: it learns in a second."""
    layers = [tf.keras.layers.GlobalAveragePooling2D(), tf.keras.layers.Dense(2)]
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers])
    classifier.compile_classifier(model, config or _config())
    return model


class ClassifierTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        tf.keras.utils.set_random_seed(0)

    def test_the_network_is_mobilenet(self):
        model = classifier.build_classifier(paper.get_config(), 27, "none")
        # Howard et al. 2017: 4.2 million weights with 1,000 classes, of which the last
        # layer has 1,025,000; ours has 1,024 * 27 + 27.
        self.assertEqual(model.count_params(), 4_253_864 - 1_025_000 + 1_024 * 27 + 27)
        self.assertEqual(model.output_shape, (None, 27))

    def test_several_replicas_share_the_statistics_of_a_batch(self):
        several = mock.Mock(num_replicas_in_sync=2)
        tf.keras.utils.set_random_seed(0)
        alone = classifier.build_classifier(_config(), 2, "none")
        tf.keras.utils.set_random_seed(0)
        with mock.patch.object(tf.distribute, "get_strategy", return_value=several):
            shared = classifier.build_classifier(_config(), 2, "none")
        norms = [
            layer.synchronized
            for layer in shared.layers
            if isinstance(layer, tf.keras.layers.BatchNormalization)
        ]
        self.assertLen(norms, 27)
        self.assertTrue(all(norms))
        shared.set_weights(alone.get_weights())
        pixels = tf.random.stateless_uniform([4, 32, 32, 3], [1, 2], -1, 1)
        np.testing.assert_allclose(shared(pixels), alone(pixels), atol=1e-4)

    def test_learns_and_keeps_the_best_weights(self):
        model = _small_model()
        validation = _images(32, 1)
        outcome = classifier.fit_classifier(model, _batches(_images(64, 0)), validation, _config())
        self.assertIn(outcome["best_step"], (10, 20, 30))
        whole = classifier.whole_batches(validation, 32, 16)
        self.assertAlmostEqual(
            model.evaluate(whole, verbose=0)[0], outcome["best_val_loss"], places=3
        )
        scores = classifier.predict_images(model, validation, 32)
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
        self.assertEqual(scores.shape, (32, 2))

    def test_the_network_at_test_keeps_up_with_the_one_that_is_trained(self):
        # With Keras' own momentum the first is still at random statistics here.
        config = _config(learning_rate=3e-3, dropout=0.0)
        model = classifier.build_classifier(config, 2, "none")
        images, _, _ = next(iter(_batches(_images(64, 0))))
        labels = tf.zeros(16, tf.int64)
        for _ in range(30):
            model.train_on_batch(images, labels)
        np.testing.assert_allclose(
            tf.nn.softmax(model(images, training=False))[:, 0],
            tf.nn.softmax(model(images, training=True))[:, 0],
            atol=0.1,
        )

    def test_validation_that_is_not_finite_is_told(self):
        class NaNAtTest(tf.keras.layers.Layer):
            def call(self, inputs, training=False):
                return inputs if training else inputs * float("nan")

        model = tf.keras.Sequential([_small_model(), NaNAtTest()])
        classifier.compile_classifier(model, _config())
        with self.assertRaisesRegex(ValueError, "diverged within 30 steps"):
            classifier.fit_classifier(model, _batches(_images(64, 0)), _images(32, 1), _config())

    def test_stops_where_validation_does_not_improve(self):
        # Validated on the opposite of what is learned, the first validation stays the best.
        config = _config(steps=100, patience=1)
        model = _small_model(config)
        opposite = _images(32, 1)
        opposite = dataclasses.replace(opposite, labels=1 - opposite.labels)
        losses = tf.keras.callbacks.History()
        outcome = classifier.fit_classifier(
            model, _batches(_images(64, 0), config), opposite, config, [losses]
        )
        self.assertLess(len(losses.epoch), 10)
        self.assertEqual(outcome["best_step"], 10 * (len(losses.epoch) - 1))

    def test_divergence_is_told(self):
        model = _small_model()
        batches = _batches(_images(64, 0)).map(lambda x, y, w: (x, y, w * float("nan")))
        with self.assertRaisesRegex(ValueError, "diverged within 10 steps; lower config.training"):
            classifier.fit_classifier(model, batches, _images(32, 1), _config())

    def test_weights_of_a_file(self):
        with self.assertRaisesRegex(ValueError, "--weights=/no.h5: no such file; or imagenet"):
            classifier.build_classifier(_config(), 2, "/no.h5")
        body = tf.keras.applications.MobileNet(
            (32, 32, 3), alpha=0.25, include_top=False, weights=None
        )
        path = self.create_tempdir().full_path + "/weights.h5"
        body.save_weights(path)
        model = classifier.build_classifier(_config(), 2, path)
        for ours, theirs in zip(model.get_weights(), body.get_weights()):
            np.testing.assert_array_equal(ours, theirs)
        with self.assertRaisesRegex(ValueError, "not the weights of MobileNet V1 of width 1.0"):
            classifier.build_classifier(_config(alpha=1.0), 2, path)
        text = self.create_tempfile(content="x").full_path
        with self.assertRaisesRegex(ValueError, "not the weights of MobileNet V1 of width 0.25"):
            classifier.build_classifier(_config(), 2, text)

    @parameterized.parameters(
        ({"crop": 0.0}, "augmentation.crop 0.0 is not in"),
        ({"saturation": 1.5}, "augmentation.saturation 1.5 is not in"),
        ({"steps": 0}, "training.steps 0 is not positive"),
        ({"steps": 25}, "training.steps 25 is not a multiple of training.validate_every 10"),
        ({"learning_rate": 0.0}, "training.learning_rate 0.0 is not positive"),
        ({"monitor": "f1"}, "training.monitor 'f1' is not one of loss, accuracy"),
    )
    def test_bad_settings(self, fields, message):
        with self.assertRaisesRegex(ValueError, message):
            classifier.check_config(_config(**fields))


if __name__ == "__main__":
    absltest.main()

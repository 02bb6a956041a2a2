import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from evaluation.augmentation import classifier, classifier_input
from evaluation.augmentation.classifier_data import Images

_TRAINING = classifier.Training(
    steps=30, batch_size=16, learning_rate=3e-2, validate_every=10, patience=0, monitor="loss",
    precision="float32",
)  # fmt: skip


def _images(number, seed):
    """Dark images are of class 0, light ones of class 1."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, number)
    levels = 60 + 130 * labels[:, None, None, None] + rng.integers(0, 40, (number, 40, 40, 3))
    texts = np.array([f"{seed}_{i}" for i in range(number)])
    return Images(levels.astype(np.uint8), labels, np.ones(number, np.int64), *[texts] * 4)


def _batches(images, training=_TRAINING):
    order = np.arange(training.steps * training.batch_size) % len(images)
    weights = np.ones(2, np.float32)
    jitter = classifier_input.Jitter()
    return classifier_input.training_batches(
        (images,), order, weights, jitter, 32, training.batch_size, seed=0
    )


def _small_model(training=_TRAINING):
    """Stands in for MobileNet where only the training matters: it learns in a second."""
    layers = [tf.keras.layers.GlobalAveragePooling2D(), tf.keras.layers.Dense(2)]
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers])
    classifier.compile_model(model, training)
    return model


class ClassifierTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        tf.keras.utils.set_random_seed(0)

    def test_the_network_is_mobilenet(self):
        model = classifier.build(224, 27, 1.0, 0.1, 0.9, "none")
        # Howard et al. 2017: 4.2 million weights with 1,000 classes, of which the last
        # layer has 1,025,000; ours has 1,024 * 27 + 27.
        self.assertEqual(model.count_params(), 4_253_864 - 1_025_000 + 1_024 * 27 + 27)
        self.assertEqual(model.output_shape, (None, 27))

    def test_learns_and_keeps_the_best_weights(self):
        model = _small_model()
        validation = _images(32, 1)
        outcome = classifier.fit(model, _batches(_images(64, 0)), validation, _TRAINING, 32)
        self.assertIn(outcome["best_step"], (10, 20, 30))
        whole = classifier_input.whole_batches(validation, 32, 16)
        self.assertAlmostEqual(
            model.evaluate(whole, verbose=0)[0], outcome["best_val_loss"], places=3
        )
        scores = classifier.predict(model, validation, 32)
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
        self.assertEqual(scores.shape, (32, 2))

    def test_the_network_at_test_keeps_up_with_the_one_that_is_trained(self):
        # With Keras' own momentum the first is still at random statistics here.
        model = classifier.build(32, 2, 0.25, 0.0, 0.9, "none")
        classifier.compile_model(model, dataclasses.replace(_TRAINING, learning_rate=3e-3))
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
        classifier.compile_model(model, _TRAINING)
        with self.assertRaisesRegex(ValueError, "diverged within 30 steps"):
            classifier.fit(model, _batches(_images(64, 0)), _images(32, 1), _TRAINING, 32)

    def test_stops_where_validation_does_not_improve(self):
        # Validated on the opposite of what is learned, the first validation stays the best.
        training = dataclasses.replace(_TRAINING, steps=100, patience=1)
        model = _small_model(training)
        opposite = _images(32, 1)
        opposite = dataclasses.replace(opposite, labels=1 - opposite.labels)
        losses = tf.keras.callbacks.History()
        outcome = classifier.fit(
            model, _batches(_images(64, 0), training), opposite, training, 32, [losses]
        )
        self.assertLess(len(losses.epoch), 10)
        self.assertEqual(outcome["best_step"], 10 * (len(losses.epoch) - 1))

    def test_divergence_is_told(self):
        model = _small_model()
        batches = _batches(_images(64, 0)).map(lambda x, y, w: (x, y, w * float("nan")))
        with self.assertRaisesRegex(ValueError, "diverged within 10 steps; lower config.training"):
            classifier.fit(model, batches, _images(32, 1), _TRAINING, 32)

    def test_weights_of_a_file(self):
        with self.assertRaisesRegex(ValueError, "--weights=/no.h5: no such file; or imagenet"):
            classifier.build(32, 2, 0.25, 0.0, 0.9, "/no.h5")
        body = tf.keras.applications.MobileNet(
            (32, 32, 3), alpha=0.25, include_top=False, weights=None
        )
        path = self.create_tempdir().full_path + "/weights.h5"
        body.save_weights(path)
        model = classifier.build(32, 2, 0.25, 0.0, 0.9, path)
        for ours, theirs in zip(model.get_weights(), body.get_weights()):
            np.testing.assert_array_equal(ours, theirs)
        with self.assertRaisesRegex(ValueError, "not the weights of MobileNet V1 of width 1.0"):
            classifier.build(32, 2, 1.0, 0.0, 0.9, path)
        text = self.create_tempfile(content="x").full_path
        with self.assertRaisesRegex(ValueError, "not the weights of MobileNet V1 of width 0.25"):
            classifier.build(32, 2, 0.25, 0.0, 0.9, text)

    @parameterized.parameters(
        ({"steps": 0}, "steps 0 is not positive"),
        ({"steps": 25}, "steps 25 is not a multiple of training.validate_every 10"),
        ({"learning_rate": 0.0}, "learning_rate 0.0 is not positive"),
        ({"monitor": "f1"}, "monitor 'f1' is not one of loss, accuracy"),
    )
    def test_bad_settings(self, fields, message):
        with self.assertRaisesRegex(ValueError, f"training.{message}"):
            dataclasses.replace(_TRAINING, **fields)


if __name__ == "__main__":
    absltest.main()

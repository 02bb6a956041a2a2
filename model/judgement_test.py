import numpy as np
import tensorflow as tf
from absl.testing import absltest

from model import judgement, losses
from model.discriminator import DiscriminatorConfig, build_discriminator
from model.judgement import Judgement

_SETTINGS = DiscriminatorConfig(base_filters=4, downsamplings=1, normalization="none")


def _constant(real, fake):
    return Judgement(*(tf.fill((1, 2, 2, 1), value) for value in (real, 1.0, fake, 4.0)))


class JudgementTest(absltest.TestCase):
    def test_each_network_sees_half_the_resolution_of_the_one_before(self):
        tf.keras.utils.set_random_seed(0)
        networks = [build_discriminator(_SETTINGS, size, name=f"d{size}") for size in (16, 8)]
        drawn = np.random.default_rng(0).choice([-1.0, 1.0], (2, 16, 16, 3)).astype(np.float32)
        image, generated = np.random.default_rng(1).uniform(-1, 1, (2, 2, 16, 16, 3)).astype("f")
        fine, coarse = judgement.judge(networks, drawn, image, generated, training=False)

        def halved(pixels):
            return pixels.reshape(2, 8, 2, 8, 2, 3).mean((2, 4))

        for judged, network, pictures in (
            (fine, networks[0], (drawn, image, generated)),
            # Codes stay codes: a mean of two of them is another's.
            (coarse, networks[1], (drawn[:, ::2, ::2], halved(image), halved(generated))),
        ):
            for real, (logits, features) in (
                (pictures[1], (judged.real_logits, judged.real_features)),
                (pictures[2], (judged.fake_logits, judged.fake_features)),
            ):
                expected = network([pictures[0], real], training=False)
                np.testing.assert_allclose(logits, expected[0], atol=1e-5)
                np.testing.assert_allclose(features, expected[1], atol=1e-5)

    def test_values_are_means_over_the_networks(self):
        generator_loss, discriminator_loss = losses.adversarial_losses("least_squares")
        values = judgement.adversarial_values(
            [_constant(1.0, 0.0), _constant(0.0, 2.0)], generator_loss, discriminator_loss
        )
        self.assertAlmostEqual(float(values["gan"]), (0.5 * 1 + 0.5 * 1) / 2, places=6)
        # Half of 1/2 (real - 1)^2 + 1/2 fake^2.
        self.assertAlmostEqual(float(values["discriminator"]), (0 + 0.5 * 2.5) / 2, places=6)
        self.assertAlmostEqual(float(values["feature_matching"]), 3.0**2, places=6)


if __name__ == "__main__":
    absltest.main()

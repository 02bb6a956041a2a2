"""DermGAN's losses: each a name, a weight and a pure function of a forward pass.

Paper, section 2: reconstruction, condition-specific reconstruction, min-max GAN and
feature matching. To add a loss, add it to `LOSSES`: its weight becomes a field of
`config.loss` (0 where a configuration does not set it), its value a curve of
TensorBoard, and it an axis of the grid search.

The only module of the model that uses tensorflow-gan. Each function returns a float32
scalar, the mean over the batch it is given.
"""

import dataclasses
import functools
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

import tensorflow as tf
from tensorflow_gan import losses as tfgan_losses

from model.discriminator import Judgement
from preprocessing.data import maps


class Adversarial(NamedTuple):
    """A kind of adversarial game: losses of unbounded logits, float32 [B, h, w, 1]."""

    generator: Callable[[tf.Tensor], tf.Tensor]  # of the logits of generated images
    discriminator: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # of photographs and generated
    boundary: float  # the logit above which an image counts as taken for real


def _from_tfgan(function: Callable[..., tf.Tensor], **options: Any) -> Callable[..., tf.Tensor]:
    # tf-gan also files each loss in a TF1 graph collection; none is used.
    return functools.partial(function, loss_collection=None, **options)


ADVERSARIAL: Mapping[str, Adversarial] = {
    # Goodfellow et al. 2014, the usual form of min-max: -log sigmoid(D(G(m))) and
    # -log sigmoid(D(x)) - log(1 - sigmoid(D(G(m)))).
    "non_saturating": Adversarial(
        _from_tfgan(tfgan_losses.wargs.modified_generator_loss),
        _from_tfgan(tfgan_losses.wargs.modified_discriminator_loss, label_smoothing=0.0),
        boundary=0.0,
    ),
    # Mao et al. 2017: 1/2 (D(G(m)) - 1)^2 and 1/2 (D(x) - 1)^2 + 1/2 D(G(m))^2.
    "least_squares": Adversarial(
        _from_tfgan(tfgan_losses.wargs.least_squares_generator_loss),
        _from_tfgan(tfgan_losses.wargs.least_squares_discriminator_loss),
        boundary=0.5,
    ),
}


def adversarial(kind: str) -> Adversarial:
    """Returns a kind of adversarial game.

    Raises:
      ValueError: unknown kind.
    """
    if kind not in ADVERSARIAL:
        raise ValueError(f"adversarial loss {kind!r} is not one of {', '.join(ADVERSARIAL)}")
    return ADVERSARIAL[kind]


def reconstruction_loss(image: tf.Tensor, generated: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference over the whole image (l1); both float32 [B, H, W, 3]."""
    return tf.reduce_mean(tf.abs(image - generated))


def roi_reconstruction_loss(image: tf.Tensor, generated: tf.Tensor, roi: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference inside the ROI boxes (l1).

    Each example is normalized by the area of its own ROI, so that small lesions
    weigh as much as large ones; an example without ROI counts as zero. Images are
    float32 [B, H, W, 3], the ROI bool or float [B, H, W].
    """
    weight = tf.cast(roi, tf.float32)
    difference = tf.reduce_mean(tf.abs(image - generated), axis=-1)
    area = tf.reduce_sum(weight, axis=[1, 2])
    inside = tf.reduce_sum(difference * weight, axis=[1, 2])
    return tf.reduce_mean(tf.math.divide_no_nan(inside, area))


def feature_matching_loss(real_features: tf.Tensor, fake_features: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of discriminator activations (l2).

    Paper, section 2: "the l2 distance between the activations of synthetic
    images in a chosen discriminator layer and that of the real images", as in
    pix2pixHD per example and place, [B, h, w, C]. The real side is detached.
    """
    real = tf.stop_gradient(tf.cast(real_features, tf.float32))
    return tf.reduce_mean(tf.math.squared_difference(real, tf.cast(fake_features, tf.float32)))


def kl_loss(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Kullback-Leibler divergence from the standard normal, in nats; both float32 [B, N]."""
    terms = mean**2 + tf.exp(log_variance) - log_variance - 1.0
    return 0.5 * tf.reduce_mean(tf.reduce_sum(terms, axis=-1))


class Codes(NamedTuple):
    """Codes of a batch, float32 [., N]: every second image is painted from its photograph's."""

    mean: tf.Tensor  # of the photographs' codes, examples 0, 2, ...
    log_variance: tf.Tensor
    drawn: tf.Tensor  # standard normal, that examples 1, 3, ... are painted from
    found: tf.Tensor  # by the encoder in these images


class ForwardPass(NamedTuple):
    """What the losses of a batch are computed from; images float32 [B, S, S, 3] in [-1, 1]."""

    semantic_map: tf.Tensor
    image: tf.Tensor  # photographs
    generated: tf.Tensor  # from the maps
    judgements: Mapping[str, Sequence[Judgement]]  # finest first, by what is shown, see VIEWS
    adversarial: Adversarial
    codes: Any = None  # Codes, where there is an encoder

    def paired(self, batch: tf.Tensor) -> tf.Tensor:
        """Returns the examples whose image is meant to be like their photograph.

        All, or with an encoder those that are painted from the photograph's code.
        """
        return batch if self.codes is None else batch[::2]


# What discriminators may be shown: images and their ROI, bool [B, S, S], to images.
VIEWS: Mapping[str, Callable[[tf.Tensor, tf.Tensor], tf.Tensor]] = {
    "image": lambda image, roi: image,
    "roi": lambda image, roi: image * tf.cast(roi, tf.float32)[..., None],
}


@dataclasses.dataclass(frozen=True)
class Loss:
    """One of the generator's losses."""

    name: str  # of its weight in the configuration, and of its curve
    function: Callable[[ForwardPass], tf.Tensor]
    weight: float = 0.0  # in the sum that the generator minimizes
    view: str = "image"  # what the discriminators that it needs are shown, see VIEWS
    of_codes: bool = False  # whether it needs an encoder


def _gan(view: str) -> Callable[[ForwardPass], tf.Tensor]:
    return lambda seen: _mean(
        seen.adversarial.generator(one.fake_logits) for one in seen.judgements[view]
    )


LOSSES: Sequence[Loss] = (
    Loss("gan", _gan("image")),
    Loss("l1", lambda seen: reconstruction_loss(*map(seen.paired, (seen.image, seen.generated)))),
    Loss(
        "roi",
        lambda seen: roi_reconstruction_loss(
            *map(seen.paired, (seen.image, seen.generated, maps.roi_of_batch(seen.semantic_map)))
        ),
    ),
    Loss(
        "feature_matching",
        lambda seen: _mean(
            feature_matching_loss(*map(seen.paired, (one.real_features, one.fake_features)))
            for one in seen.judgements["image"]
        ),
    ),
    # Of an extra discriminator of the boxes' inside: the paper saw no improvement.
    Loss("roi_gan", _gan("roi"), view="roi"),
    # Of an encoder: codes of photographs are like drawn ones, and drawn ones are found again.
    Loss("kl", lambda seen: kl_loss(seen.codes.mean, seen.codes.log_variance), of_codes=True),
    Loss(
        "code", lambda seen: reconstruction_loss(seen.codes.drawn, seen.codes.found), of_codes=True
    ),
)
NAMES: Sequence[str] = tuple(loss.name for loss in LOSSES)


def weighted(**weights: float) -> list[Loss]:
    """Returns the losses with these weights, 0 for those not given.

    Raises:
      ValueError: an unknown loss, or a negative weight.
    """
    for name, weight in weights.items():
        if name not in NAMES:
            raise ValueError(f"loss {name!r} is not one of {', '.join(NAMES)}")
        if not weight >= 0:
            raise ValueError(f"loss weight {name} is {weight}; it may not be negative")
    return [dataclasses.replace(loss, weight=weights.get(loss.name, 0.0)) for loss in LOSSES]


def discriminator_loss(seen: ForwardPass, view: str) -> tf.Tensor:
    """Returns the loss of the discriminators of one view.

    pix2pix halves it to slow the discriminator relative to the generator.
    """
    return _mean(
        0.5 * seen.adversarial.discriminator(one.real_logits, one.fake_logits)
        for one in seen.judgements[view]
    )


def _mean(values: Iterable[tf.Tensor]) -> tf.Tensor:
    listed = list(values)
    return tf.add_n(listed) / len(listed)

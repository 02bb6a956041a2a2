"""Does a run's own discriminator know the photographs it was trained with?

Who has the discriminator can ask whether a photograph was in the training data: it learns by
heart before a generator copies, most of all where photographs are few (Hayes et al. 2019,
"LOGAN"). Its mean logit on training photographs against that on photographs of other patients
says how well: the area under the curve is 0.5 by chance. Exported generators hold no
discriminator, exported programs and run directories do.
"""

from typing import Optional

import numpy as np
import tensorflow as tf
from scipy import stats

from evaluation.features.image_sets import ImageSet
from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate
from model.discriminator import judge
from model.images import to_float
from synthesis import layouts
from synthesis.trained_generator import TrainedGenerator
from training import model_factory

_MOST = 2000  # photographs of each side
_BATCH = 32


def area_under_curve(members: np.ndarray, others: np.ndarray) -> float:
    """Returns the chance that a member scores higher than another; ties count half."""
    ranks = stats.rankdata(np.concatenate([members, others]))[: len(members)]
    least = len(members) * (len(members) + 1) / 2
    return float((ranks.sum() - least) / (len(members) * len(others)))


def _pick(images: ImageSet, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.sort(rng.permutation(len(images))[:_MOST])


def _scores(
    networks: "list[tf.keras.Model]", images: ImageSet, chosen: np.ndarray, size: int
) -> np.ndarray:
    """Returns the mean logit over patches and scales, float64 [len(chosen)]."""
    maps = layouts.draw([images.layouts[index] for index in chosen], size)
    wanted = set(chosen.tolist())
    kept = tf.data.Dataset.from_tensor_slices([index in wanted for index in range(len(images))])
    pixels = tf.data.Dataset.zip((images.dataset(), kept))
    pixels = pixels.filter(lambda _, keep: keep).map(lambda image, _: image)
    found = []
    for start, batch in enumerate(pixels.batch(_BATCH)):
        semantic_map = to_float(maps[start * _BATCH : start * _BATCH + len(batch)])
        image = to_float(batch)
        judged = judge(networks, semantic_map, image, image, training=False)
        means = [tf.reduce_mean(one.real_logits, axis=[1, 2, 3]) for one in judged]
        found.append(tf.add_n(means).numpy() / len(means))
    return np.concatenate(found).astype(float)


def _discriminators(generator: TrainedGenerator) -> "Optional[list[tf.keras.Model]]":
    model = model_factory.of_description(generator.description)
    stored = tf.train.Checkpoint(discriminators=model.discriminators)
    try:
        stored.restore(generator.checkpoint).assert_existing_objects_matched().expect_partial()
    except (tf.errors.OpError, ValueError, AssertionError):
        return None  # an averaged generator that was brought home alone
    return model.discriminators["image"]


def tell_members(
    generator: TrainedGenerator, training: ImageSet, held_out: ImageSet, seed: int = 0
) -> Optional[Estimate]:
    """Measures how well the discriminator tells training photographs from others.

    Args:
      generator: whose run holds the discriminator.
      training: photographs it was trained with.
      held_out: photographs of other patients.
      seed: of the choice where there are many, and of the interval.

    Returns:
      The area under the curve, with its interval by patient; None where the checkpoint has
      no discriminator.
    """
    networks = _discriminators(generator)
    if networks is None:
        return None
    scores, patients = [], []
    for images in (training, held_out):
        chosen = _pick(images, seed)
        scores.append(_scores(networks, images, chosen, generator.image_size))
        patients.append([images.patients[index] for index in chosen])
    (area,) = cluster_bootstrap.estimate(
        lambda ours, theirs: [area_under_curve(scores[0][ours], scores[1][theirs])],
        *patients,
        seed=seed,
    )
    return area

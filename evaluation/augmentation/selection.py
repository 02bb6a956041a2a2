"""Which synthetic images are shown: filters that the classifier of the arm `real` applies.

Unfiltered images can hurt (docs/results/augmentation.md). Two cheap filters of the literature:
the classifier must agree with the condition that was asked for (He et al. 2023,
arXiv:2210.07574), or an image must lie among photographs of its condition (as the realism
score of Kynkaanniemi et al. 2019, arXiv:1904.06991, asks, with one neighbour). Both judge with
a classifier that saw training photographs alone, of the same seed.
"""

import numpy as np
import tensorflow as tf

from evaluation.augmentation import classifier
from evaluation.augmentation.images import Images
from evaluation.neighbours.nearest import find_nearest

_SHARE = 0.95  # of the photographs that would be kept by the same rule


def agreed(model: tf.keras.Model, synthetic: Images, input_size: int) -> np.ndarray:
    """Returns which images the classifier takes for the condition asked for, bool [M]."""
    scores = classifier.predict_images(model, synthetic, input_size)
    return scores.argmax(axis=1) == synthetic.labels


def near(
    model: tf.keras.Model, synthetic: Images, photographs: Images, input_size: int
) -> np.ndarray:
    """Returns which images lie as near to photographs of their condition as those do, bool [M].

    By the classifier's pooled features. A photograph's distance is that to another patient's;
    images of a condition with photographs of one patient only are all kept.
    """
    features = classifier.pooled_features(model, synthetic, input_size)
    theirs = classifier.pooled_features(model, photographs, input_size)
    kept = np.ones(len(synthetic), bool)
    patients = np.unique(photographs.patient_ids, return_inverse=True)[1]
    for code in np.unique(synthetic.labels):
        ours, members = synthetic.labels == code, photographs.labels == code
        if len(set(patients[members])) < 2:
            continue
        groups = patients[members], patients[members]
        _, between = find_nearest(theirs[members], theirs[members], groups)
        _, distance = find_nearest(features[ours], theirs[members])
        kept[ours] = distance <= np.quantile(between, _SHARE)
    return kept

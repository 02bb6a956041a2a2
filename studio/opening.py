"""Gets everything ready that the studio serves."""

from typing import List, Optional, Sequence, Tuple

from preprocessing.data.manifest import Box
from studio import noise_ends
from studio.painter import Picture, StudioPainter
from studio.training_data import TrainingData
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator


def training_data(
    data_dir: str, generator: TrainedGenerator, insist: bool
) -> Tuple[Optional[TrainingData], str]:
    """Returns the training data, and why they are not at hand, or "".

    Raises:
      ValueError: they lack or do not fit, and `insist` wants them.
    """
    try:
        return TrainingData(data_dir, generator), ""
    except ValueError as error:
        if insist:
            raise
        return None, str(error)


def prepare(
    generators: Sequence[TrainedGenerator], data_dir: str, insist: bool
) -> Tuple[List[StudioPainter], Optional[TrainingData], str]:
    """Returns the painters, warm; the training data; and why these are not at hand, or "".

    Args:
      generators: one, or two to be compared.
      data_dir: records of the first one's training.
      insist: whether to fail without them.

    Raises:
      ValueError: generators of two sizes, or records that lack or do not fit.
    """
    first = generators[0]
    for other in generators[1:]:
        if other.image_size != first.image_size:
            raise ValueError(
                f"{other.run_dir}: paints {other.image_size}x{other.image_size}, {first.run_dir} "
                f"{first.image_size}x{first.image_size}; they cannot be shown on one map"
            )
    data, reason = training_data(data_dir, first, insist)
    painters = [StudioPainter(one) for one in generators]
    for one in painters:  # the first picture takes seconds, in which TensorFlow prepares
        size = one.generator.image_size
        layout = Layout(one.generator.conditions[0], 0, (Box(0, 0, size / 2, size / 2),))
        one.paint([Picture(layout, noise_ends.parse("0", one.by_region))])
    return painters, data, reason

"""What can be wrong with a record file, in one line that names it."""

import contextlib
from typing import Iterator

import tensorflow as tf


@contextlib.contextmanager
def naming(path: str, kind: str) -> Iterator[None]:
    """Turns TensorFlow's errors about a record file into `ValueError`s.

    Args:
      path: of the file that is read within.
      kind: of records it should hold, for the message: "crop" or "full".

    Raises:
      ValueError: the file is truncated or corrupt, or its records are of another kind.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        raise ValueError(f"{path}: truncated or corrupt TFRecord") from error
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{path}: not a {kind} record ({error.message})") from error


def check_synthetic(path: str, split: str, synthetic: bool) -> None:
    """Raises ValueError for a synthetic image outside the training split."""
    if synthetic and split != "train":
        raise ValueError(f"{path}: holds synthetic images; a {split} split is of photographs only")

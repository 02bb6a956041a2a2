"""Finds what is wrong with record files before or after training stumbles over it."""

import contextlib
from typing import Iterator

import tensorflow as tf

from preprocessing.data import records


def check_records(data_dir: str, split: str, image_size: int) -> None:
    """Reads the first record of every shard of a split.

    Raises:
      ValueError: a shard that is unreadable, of another schema or of another
        size, by name.
    """
    for shard in records.list_shards(data_dir, "crops", split):
        first = next(records.read_file(shard, "crops", at_once=1), None)
        if first and (first.height, first.width) != (image_size, image_size):
            raise ValueError(
                f"{shard}: crops of {first.height}x{first.width} where the model takes "
                f"{image_size}x{image_size}"
            )


@contextlib.contextmanager
def corrupt_shard_named(data_dir: str) -> Iterator[None]:
    """Turns TensorFlow's error about a corrupt record into a ValueError that names the file."""
    try:
        yield
    except tf.errors.DataLossError as error:
        for split in ("train", "validation"):
            for shard in records.list_shards(data_dir, "crops", split):
                with records.naming(shard, "crops"):
                    for _ in records.stream([shard]):
                        pass
        raise ValueError(f"{data_dir}: {error.message}") from error

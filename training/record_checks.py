"""Finds what is wrong with record files before or after training stumbles over it."""

import tensorflow as tf

from preprocessing.data import records as examples


def check_records(data_dir: str, split: str, image_size: int) -> None:
    """Reads the first record of every shard of a split.

    Raises:
      ValueError: a shard that is unreadable, of another schema or of another
        size, by name.
    """
    for shard in examples.list_shards(data_dir, "crops", split):
        try:
            for serialized in tf.data.TFRecordDataset(shard).take(1):
                parsed = examples.parse_crop(serialized)
                size = (int(parsed["image/height"]), int(parsed["image/width"]))
                if size != (image_size, image_size):
                    raise ValueError(
                        f"{shard}: crops of {size[0]}x{size[1]} where the model takes "
                        f"{image_size}x{image_size}"
                    )
        except tf.errors.DataLossError as error:
            raise ValueError(f"{shard}: truncated or corrupt TFRecord") from error
        except tf.errors.InvalidArgumentError as error:
            reason = error.message.rpartition("}} ")[2].partition(" [Op:")[0]
            raise ValueError(f"{shard}: not a crop record: {reason}") from error


def find_corrupt_shard(data_dir: str, split: str) -> str:
    """Returns what is wrong with the first unreadable shard; "" where none is."""
    for shard in examples.list_shards(data_dir, "crops", split):
        records = 0
        try:
            for _ in tf.data.TFRecordDataset(shard):
                records += 1
        except tf.errors.DataLossError:
            return f"{shard}: truncated or corrupt TFRecord after {records} good records"
    return ""

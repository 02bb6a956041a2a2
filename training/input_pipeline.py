"""Batches of (map, image) from the records, in an order that can be resumed.

The stream is a pure function of (records, settings, seed): the position of an
example decides its shuffling and its augmentation, so a run that starts at step
n sees exactly what an uninterrupted run sees from step n on. Several workers read
the same stream, and each decodes its own part of every batch.
"""

import collections
import dataclasses
import itertools
from typing import Any, Dict, List, Sequence, Tuple

import ml_collections
import numpy as np
import tensorflow as tf

from model.images import to_float
from preprocessing.data import records, taxonomy

# Records read at once, from different files.
_INTERLEAVED_FILES = 8
_MOST_VALIDATED = 2048  # crops on which the losses are measured
_ALONE = tf.distribute.InputContext()  # one worker of one replica


@dataclasses.dataclass(frozen=True)
class InputConfig:
    """What training sees of a data set."""

    batch_size: int  # examples per step, over all replicas
    # "all", "rarest:N" (fewest training crops, "Other" left out), or names with commas.
    conditions: str = "all"
    # 0 shows conditions as often as they were recorded, 1 all equally often; between, in
    # proportion to their numbers to the power of 1 - balance.
    balance: float = 0.0
    # Scale to which image and map are enlarged before a window of the original size is
    # drawn; 286 / 256 in pix2pix, 1 is off.
    jitter: float = 286 / 256
    mirror: bool = True  # whether to flip left and right at random
    shuffle_buffer: int = 4096  # records held for shuffling; a whole split if it fits
    seed: int = 0  # of order and augmentation

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size {self.batch_size} is not positive")
        if not 0 <= self.balance <= 1:
            raise ValueError(f"balance {self.balance} is not in 0..1")
        if self.jitter < 1:
            raise ValueError(f"jitter {self.jitter} is below 1; 1 is off")


def input_config(config: ml_collections.ConfigDict) -> InputConfig:
    """Returns the input pipeline's part of a configuration."""
    return InputConfig(batch_size=config.training.batch_size, seed=config.seed, **config.data)


def select_conditions(info: records.DatasetInfo, selection: str) -> Tuple[str, ...]:
    """Returns the conditions a selection stands for, in the taxonomy's order.

    Args:
      info: the data set.
      selection: see `InputConfig.conditions`.

    Raises:
      ValueError: unknown names, a number out of range, or nothing left.
    """
    counts = {
        name: sum(by_type.values())
        for name, by_type in info.counts["crops"].get("train", {}).items()
    }
    present = [name for name in taxonomy.conditions() if counts.get(name)]
    if selection == "all":
        chosen = present
    elif selection.startswith("rarest:"):
        number = selection.partition(":")[2]
        candidates = [name for name in present if name != taxonomy.OTHER]
        if not candidates:
            raise ValueError(
                f"conditions: {selection!r} leaves out {taxonomy.OTHER!r}, and the training split "
                "has no other condition; --config.data.conditions=all"
            )
        if not number.isdigit() or not 1 <= int(number) <= len(candidates):
            raise ValueError(
                f"conditions: {selection!r} needs a number from 1 to {len(candidates)}, the "
                "conditions in the training split; --config.data.conditions=all takes them all"
            )
        rarest = sorted(candidates, key=lambda name: (counts[name], name))[: int(number)]
        chosen = [name for name in present if name in rarest]
    else:
        wanted = {taxonomy.canonical(name) for name in selection.split(",")}
        missing = sorted(wanted - set(present))
        if missing:
            raise ValueError(f"conditions: no training crop of {', '.join(missing)}")
        chosen = [name for name in present if name in wanted]
    if not chosen:
        raise ValueError("conditions: the training split is empty")
    return tuple(chosen)


def count_examples(info: records.DatasetInfo, split: str, conditions: Sequence[str]) -> int:
    """Returns the number of crops of the chosen conditions in a split."""
    by_condition = info.counts["crops"].get(split, {})
    return sum(sum(by_condition.get(name, {}).values()) for name in conditions)


def shown_in_an_epoch(info: records.DatasetInfo, config: InputConfig) -> Dict[str, int]:
    """Returns how many crops of each chosen condition an epoch shows, repeated or left out."""
    conditions = select_conditions(info, config.conditions)
    counts = {name: count_examples(info, "train", [name]) for name in conditions}
    shares = {name: count ** (1 - config.balance) for name, count in counts.items()}
    scale = sum(counts.values()) / sum(shares.values())
    return {name: max(round(share * scale), 1) for name, share in shares.items()}


def _serialized(shards: tf.Tensor, conditions: Sequence[str]) -> tf.data.Dataset:
    """Records of the chosen conditions, still serialized, in the order of the shards."""
    every = len(conditions) == len(taxonomy.conditions())
    codes = None if every else [taxonomy.code(name) for name in conditions]
    return records.stream(shards, codes, _INTERLEAVED_FILES)


def _balanced(
    blocks: tf.data.Dataset, recorded: Sequence[int], shown: Sequence[int], key: tf.Tensor
) -> tf.data.Dataset:
    """Repeats or leaves out records, so that each condition has its number of them.

    Of a condition, every so-manieth record is taken, from a place that depends on the key.

    Args:
      blocks: serialized records, string [N or fewer].
      recorded: of all blocks together, by condition's code.
      shown: how many of them there shall be.
      key: of the random numbers.
    """
    uniform = tf.random.stateless_uniform([len(recorded)], key, dtype=tf.float64)
    start = tf.cast(uniform * tf.constant(recorded, tf.float64), tf.int64)

    def repeat(seen: tf.Tensor, serialized: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        code = records.parse(serialized, ["condition/code"])["condition/code"]
        of_code = tf.one_hot(code, len(recorded), dtype=tf.int64)
        before = tf.gather(seen + tf.cumsum(of_code, exclusive=True), code, axis=1, batch_dims=1)
        number = tf.gather(tf.constant(recorded, tf.int64), code)
        wanted = tf.gather(tf.constant(shown, tf.int64), code)
        first = tf.gather(start, code)
        taken = [((before + add) * wanted + first) // number for add in (0, 1)]
        return seen + tf.reduce_sum(of_code, 0), tf.repeat(serialized, taken[1] - taken[0])

    return blocks.scan(tf.zeros([len(recorded)], tf.int64), repeat)


def _shuffled(
    shards: Sequence[str],
    info: records.DatasetInfo,
    config: InputConfig,
    epoch: tf.Tensor,
) -> tf.data.Dataset:
    """Records in an order that is a function of seed and epoch.

    The files are permuted, and the records within each stretch of `shuffle_buffer`.
    `Dataset.shuffle` would not do: its seed cannot depend on the epoch, so that
    a run could only be resumed by repeating all epochs before.
    """
    key = tf.stack([tf.constant(config.seed, tf.int64), epoch])
    files = tf.random.experimental.stateless_shuffle(tf.constant(shards), key)
    shown = shown_in_an_epoch(info, config)
    blocks = _serialized(files, list(shown)).batch(config.shuffle_buffer)
    if config.balance:
        names = taxonomy.conditions()
        recorded = [count_examples(info, "train", [name]) for name in names]
        key_of_start = tf.random.experimental.stateless_fold_in(key, tf.constant(0, tf.int64))
        blocks = _balanced(blocks, recorded, [shown.get(name, 0) for name in names], key_of_start)

    def shuffle(block: tf.Tensor, serialized: tf.Tensor) -> tf.Tensor:
        block_key = tf.random.experimental.stateless_fold_in(key, block)
        return tf.random.experimental.stateless_shuffle(serialized, block_key)

    return blocks.enumerate(start=1).map(shuffle).unbatch()


def _decode(serialized: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
    parsed = records.parse(serialized, ["map/encoded", "image/encoded"])
    return records.decode_png(parsed["map/encoded"]), records.decode_png(parsed["image/encoded"])


def augment(
    semantic_map: tf.Tensor, image: tf.Tensor, config: InputConfig, position: tf.Tensor
) -> Tuple[tf.Tensor, tf.Tensor]:
    """Enlarges, crops and mirrors a pair, both alike.

    Args:
      semantic_map: uint8 [S, S, 3].
      image: uint8 [S, S, 3].
      config: which augmentation.
      position: int64 scalar, the example's position in the stream.

    Returns:
      The pair, uint8 [S, S, 3] each; the map by nearest neighbour only.
    """
    draw = tf.random.stateless_uniform([3], tf.stack([tf.cast(config.seed, tf.int64), position]))
    size = tf.shape(image)[0]
    if config.jitter > 1:
        large = tf.cast(tf.round(tf.cast(size, tf.float32) * config.jitter), tf.int32)
        enlarged = tf.image.resize(image, [large, large], "bilinear")
        image = tf.cast(tf.round(enlarged), tf.uint8)
        semantic_map = tf.image.resize(semantic_map, [large, large], "nearest")
        slack = tf.cast(large - size + 1, tf.float32)
        top, left = tf.cast(draw[0] * slack, tf.int32), tf.cast(draw[1] * slack, tf.int32)
        image = image[top : top + size, left : left + size]
        semantic_map = semantic_map[top : top + size, left : left + size]
    if config.mirror:
        flip = draw[2] < 0.5
        image = tf.where(flip, image[:, ::-1], image)
        semantic_map = tf.where(flip, semantic_map[:, ::-1], semantic_map)
    return semantic_map, image


def _part_of_a_worker(
    examples: tf.data.Dataset, batch_size: int, worker: tf.distribute.InputContext
) -> tf.data.Dataset:
    """Keeps of `(position, ...)` what one worker takes of each batch: neighbours."""
    workers, index = worker.num_input_pipelines, worker.input_pipeline_id
    if workers == 1:
        return examples
    part = batch_size // workers
    return examples.filter(lambda position, *_: position % batch_size // part == index)


def _batches(
    pairs: tf.data.Dataset, batch_size: int, image_size: int, worker: tf.distribute.InputContext
) -> tf.data.Dataset:
    shape = [worker.get_per_replica_batch_size(batch_size), image_size, image_size, 3]

    def as_floats(semantic_map: tf.Tensor, image: tf.Tensor) -> Dict[str, tf.Tensor]:
        return {
            "map": tf.ensure_shape(to_float(semantic_map), shape),
            "image": tf.ensure_shape(to_float(image), shape),
        }

    # Conversion after batching: one call for many examples, and four times less
    # memory moved between the stages.
    batched = pairs.batch(shape[0], drop_remainder=True)
    return batched.map(as_floats, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def training_stream(
    data_dir: str,
    info: records.DatasetInfo,
    config: InputConfig,
    start_step: int = 0,
    worker: tf.distribute.InputContext = _ALONE,
) -> tf.data.Dataset:
    """Returns the endless stream of training batches.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      info: its description.
      config: what to read and how.
      start_step: batches to leave out; they are neither decoded nor, but for
        those of the current epoch, read.
      worker: which of the workers reads it, of how many, for how many replicas.

    Returns:
      Batches `{"map": ..., "image": ...}`, float32 [B, S, S, 3] in [-1, 1], where B is
      `batch_size` or, of several replicas, a part of it, one replica's after the other's. An
      epoch is `steps_per_epoch` batches; its last, incomplete batch is left out.

    Raises:
      ValueError: fewer examples than one batch.
    """
    steps = steps_per_epoch(info, config)
    shards = records.list_shards(data_dir, "crops", "train")
    epoch_size = steps * config.batch_size
    start_epoch, start_batch = divmod(start_step, steps)

    def epoch_records(epoch: tf.Tensor) -> tf.data.Dataset:
        shuffled = _shuffled(shards, info, config, epoch)
        first = epoch * epoch_size
        numbered = tf.data.Dataset.zip((tf.data.Dataset.range(first, first + epoch_size), shuffled))
        skip = tf.where(epoch == start_epoch, start_batch * config.batch_size, 0)
        return numbered.skip(tf.cast(skip, tf.int64))

    def load(position: tf.Tensor, serialized: tf.Tensor) -> Tuple[tf.Tensor, tf.Tensor]:
        return augment(*_decode(serialized), config, position)

    epochs = tf.data.Dataset.range(start_epoch, tf.int64.max)
    numbered = _part_of_a_worker(epochs.flat_map(epoch_records), config.batch_size, worker)
    pairs = numbered.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    # Said, so that workers need not ask each other before each step whether there is one.
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    return _batches(pairs, config.batch_size, info.image_size, worker).apply(endless)


def validation_batches(
    data_dir: str,
    info: records.DatasetInfo,
    config: InputConfig,
    worker: tf.distribute.InputContext = _ALONE,
) -> tf.data.Dataset:
    """Returns the `validation_steps` batches of the validation split, unaugmented, in its order.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      info: its description.
      config: conditions and batch size.
      worker: as of `training_stream`.

    Returns:
      Batches as of `training_stream`.
    """
    conditions = select_conditions(info, config.conditions)
    shards = records.list_shards(data_dir, "crops", "validation")
    number = validation_steps(info, config) * config.batch_size
    numbered = _serialized(shards, conditions).take(number).enumerate()
    pairs = _part_of_a_worker(numbered, config.batch_size, worker).map(
        lambda position, serialized: _decode(serialized), tf.data.AUTOTUNE
    )
    return _batches(pairs, config.batch_size, info.image_size, worker)


def validation_steps(info: records.DatasetInfo, config: InputConfig) -> int:
    """Returns the number of full batches in the validation split, or in the first of it."""
    number = count_examples(info, "validation", select_conditions(info, config.conditions))
    return min(number, _MOST_VALIDATED) // config.batch_size


def steps_per_epoch(info: records.DatasetInfo, config: InputConfig) -> int:
    """Returns the number of full batches in an epoch of the training split.

    Raises:
      ValueError: not even one.
    """
    number = sum(shown_in_an_epoch(info, config).values())
    if number < config.batch_size:
        raise ValueError(
            f"{number} training crops of the chosen conditions do not fill one batch of "
            f"{config.batch_size}"
        )
    return number // config.batch_size


def fixed_examples(
    data_dir: str, info: records.DatasetInfo, conditions: Sequence[str], number: int
) -> Dict[str, tf.Tensor]:
    """Returns validation examples that show the range of the data.

    Conditions are taken in turn, and within a condition the patient, photograph and skin
    type seen least so far, so that few examples show many of all. The choice depends on
    the records alone. Without validation records, training records are shown.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      info: its description.
      conditions: those the model is trained on.
      number: how many.

    Returns:
      `map` and `image`, uint8 [number or fewer, S, S, 3].
    """
    split = "validation" if count_examples(info, "validation", conditions) else "train"
    candidates: Dict[str, List[records.Record]] = {}
    for record in itertools.islice(records.read(data_dir, "crops", split, conditions), 4096):
        candidates.setdefault(record.condition, []).append(record)
    chosen: List[records.Record] = []
    shown: collections.Counter[Tuple[str, Any]] = collections.Counter()

    def of(record: records.Record) -> List[Tuple[str, Any]]:
        ids = ("patient", record.patient_id), ("photograph", record.image_id)
        return [*ids, ("type", record.fitzpatrick)]

    while len(chosen) < number and candidates:
        for name in sorted(candidates, key=taxonomy.code)[: number - len(chosen)]:
            queue = candidates[name]
            wear = [[shown[one] for one in of(record)] for record in queue]
            record = queue.pop(wear.index(min(wear)))
            shown.update(of(record))
            chosen.append(record)
            if not queue:
                del candidates[name]
    return {
        "map": tf.constant(np.stack([record.semantic_map() for record in chosen])),
        "image": tf.constant(np.stack([record.image() for record in chosen])),
    }

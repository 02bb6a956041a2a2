"""What the hardware offers: the precision of the arithmetic, and replicas."""

import pathlib
from typing import Optional, Sequence

import tensorflow as tf
from absl import logging

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")


def choose_precision(precision: str) -> str:
    """Resolves "auto": bfloat16 where the hardware has it, else what is quick.

    Args:
      precision: one of `PRECISIONS`.

    Returns:
      A Keras dtype policy name. GPUs from compute capability 8.0 and CPUs with
      AVX512-BF16 or AMX take bfloat16, GPUs from 7.0 float16 with loss scaling.

    Raises:
      ValueError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} is not one of {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        if capability >= (8, 0):
            return "mixed_bfloat16"
        return "mixed_float16" if capability >= (7, 0) else "float32"
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "float32"
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"


def make_strategy(
    batch_size: int, devices: Optional[Sequence[str]] = None
) -> tf.distribute.Strategy:
    """Returns `MirroredStrategy` over several GPUs, the default strategy over one or none.

    The replicas share a batch equally, or their means could not be averaged: of the
    GPUs, as many are used as divide the batch, and it is said if that leaves some idle.

    Args:
      batch_size: of all replicas together.
      devices: names of the devices; all GPUs by default.
    """
    if devices is None:
        devices = [device.name for device in tf.config.list_logical_devices("GPU")]
    used = max((n for n in range(1, len(devices) + 1) if batch_size % n == 0), default=1)
    if used < len(devices):
        logging.warning(
            "using %d of %d GPUs: they share a batch equally, and batch_size is %d",
            *(used, len(devices), batch_size),
        )
    if used == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(list(devices[:used]))

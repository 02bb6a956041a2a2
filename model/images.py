"""Pixels as the networks see them, and as files hold them."""

import tensorflow as tf


def to_float(image: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0..255 to float32 [-1, 1]."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Maps float [-1, 1] to uint8 0..255, rounding."""
    scaled = tf.round((tf.cast(image, tf.float32) + 1.0) * 127.5)
    return tf.cast(tf.clip_by_value(scaled, 0.0, 255.0), tf.uint8)

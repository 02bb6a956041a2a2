"""What the discriminators are shown, moved at random, as much as they need it.

With a few hundred photographs discriminators learn them by heart and stop telling
what a photograph looks like. Photographs, generated images and maps are therefore
mirrored, turned and shifted before they are judged, all alike within an example, with a
probability that follows how sure the discriminators are of photographs (Karras et al.
2020, "Training generative adversarial networks with limited data"). The generator does
not learn to move: unmoved is always the most probable. Deviations: only moves that keep
boxes boxes, whole pixels (no interpolation, which would blur the detail), and no change
of colour, which skin type and condition decide.
"""

from typing import Optional, Sequence

import tensorflow as tf

_LARGEST_SHIFT = 8  # an eighth of the side
_MOST = 0.9  # strength; at 1 the generator could not know which way is up
DRAWS = 8  # uniform numbers that an example's moves take


class AdaptiveMoves(tf.Module):
    """Moves with a strength that adapts itself.

    Attributes:
      strength: float32 variable, 0 to 0.9: how probable each kind of move is.
    """

    def __init__(self, target: float, images: int):
        """Begins without moves.

        Args:
          target: mean sign of the logits of photographs that is aimed for, in (0, 1);
            0.6 is right in 8 patches of 10.
          images: in which the strength goes from 0 to 1 at most.

        Raises:
          ValueError: out of range.
        """
        super().__init__(name="moves")
        if not 0 < target < 1:
            raise ValueError(f"discriminator.moves {target} is not in (0, 1)")
        if images < 1:
            raise ValueError(f"discriminator.moves_images {images} is not positive")
        self.target, self.images = target, images
        self.strength = tf.Variable(
            0.0,
            trainable=False,
            name="moves_strength",
            aggregation=tf.VariableAggregation.MEAN,
        )

    def adapt(self, sign: tf.Tensor, batch_size: tf.Tensor) -> None:
        """Moves the strength one batch on; `sign` is the mean sign of photographs' logits."""
        change = tf.sign(sign - self.target) * tf.cast(batch_size, tf.float32) / self.images
        self.strength.assign(tf.clip_by_value(self.strength + change, 0.0, _MOST))


def move(batches: Sequence[tf.Tensor], strength: tf.Tensor, draws: tf.Tensor) -> list[tf.Tensor]:
    """Mirrors, turns and shifts batches, each example of all in the same way.

    Args:
      batches: each float32 [B, S, S, C].
      strength: probability with which a kind of move (mirror, turn, shift) is drawn at
        all; then its direction is uniform, that of not moving included.
      draws: float32 [B, DRAWS] in [0, 1).

    Returns:
      The batches, moved; what a shift leaves open shows the picture mirrored.
    """
    x = tf.concat(batches, axis=-1)
    asked = draws[:, :3] < strength

    def chosen(kind: int, draw: int) -> tf.Tensor:
        return (asked[:, kind] & (draws[:, draw] < 0.5))[:, None, None, None]

    x = tf.where(chosen(0, 3), tf.reverse(x, [2]), x)
    # A turn by a quarter is a transposition and a mirroring; each at random gives all four.
    x = tf.where(chosen(1, 4), tf.transpose(x, [0, 2, 1, 3]), x)
    x = tf.where(chosen(1, 5), tf.reverse(x, [1]), x)
    size = x.shape[1]
    most = size // _LARGEST_SHIFT
    for axis in (1, 2):
        shift = tf.cast(draws[:, 5 + axis] * 2 * most, tf.int32)
        shift = tf.where(asked[:, 2], shift, most)[:, None, None, None]
        padding = [[0, 0]] * 4
        padding[axis] = [most, most]
        x = tf.pad(x, padding, "SYMMETRIC")
        # By powers of two: slices have a gradient on every device, and a cheap one.
        step = most
        while step:
            near, far = _slice(x, axis, 0, -step), _slice(x, axis, step, None)
            x = tf.where(shift // step % 2 == 1, far, near)
            step //= 2
        x = _slice(x, axis, 0, size)
    return tf.split(x, [each.shape[-1] for each in batches], axis=-1)


def _slice(x: tf.Tensor, axis: int, start: int, stop: Optional[int]) -> tf.Tensor:
    return x[:, start:stop] if axis == 1 else x[:, :, start:stop]

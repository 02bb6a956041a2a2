"""The generator as a SavedModel that needs none of our code.

Two signatures:

  from_map      map uint8 [B, S, S, 3], seed int64 [B]  ->  image uint8 [B, S, S, 3]
  from_request  condition int64 [B], skin_type int64 [B], boxes float32 [B, N, 4],
                seed int64 [B]  ->  image and map, uint8 [B, S, S, 3]

Boxes are `x0 y0 x1 y1` in pixels of the image, half-open, as everywhere a person writes
them; a row of zeros is no box, so that images of a batch may have different numbers of
them. The taxonomy, the codes of the map and a request to paste lie in
`assets/taxonomy.json`.
"""

import os
import pathlib
import tempfile
from typing import Dict

import tensorflow as tf

from model.serving import Painter
from preprocessing.data import maps, taxonomy
from synthesis.export import exported, model_card
from synthesis.trained_generator import TrainedGenerator


def draw_request(
    condition: tf.Tensor, skin_type: tf.Tensor, boxes: tf.Tensor, image_size: int
) -> tf.Tensor:
    """Draws the semantic maps that a request describes.

    Args:
      condition: int64 [B], a code of the taxonomy.
      skin_type: int64 [B], 1..6, or 0 for unknown.
      boxes: float32 [B, N, 4], pixels (x0, y0, x1, y1), half-open; zeros for no box.
      image_size: rows and columns.

    Returns:
      uint8 [B, image_size, image_size, 3].

    Raises:
      tf.errors.InvalidArgumentError: a condition, type or box out of range, or another
        number of them, in words.
    """
    condition, skin_type = tf.cast(condition, tf.int64), tf.cast(skin_type, tf.int64)
    boxes = tf.cast(boxes, tf.float32)
    given = tf.reduce_any(boxes != 0.0, axis=-1)
    filled = (boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])
    inside = tf.reduce_all((boxes >= 0.0) & (boxes <= image_size), axis=-1)
    last, number = len(taxonomy.conditions()) - 1, tf.shape(condition)[0]
    of_pixels = f"boxes are x0 y0 x1 y1 in pixels of the {image_size}x{image_size} image"
    checks = [
        tf.debugging.Assert(
            (tf.shape(skin_type)[0] == number) & (tf.shape(boxes)[0] == number),
            [
                "as many skin types and lists of boxes as conditions are needed:",
                *(number, tf.shape(skin_type)[0], tf.shape(boxes)[0]),
            ],
        ),
        tf.debugging.Assert(
            tf.reduce_all((condition >= 0) & (condition <= last)),
            [f"condition is not in 0..{last}:", condition],
        ),
        tf.debugging.Assert(
            tf.reduce_all((skin_type >= 0) & (skin_type <= maps.SKIN_TYPES)),
            [f"skin_type is not in 1..{maps.SKIN_TYPES}, or 0 for unknown:", skin_type],
        ),
        tf.debugging.Assert(
            (tf.reduce_max(boxes) > 1.0) | ~tf.reduce_any(given),
            [f"{of_pixels}; these look like fractions of it:", boxes],
        ),
        tf.debugging.Assert(
            tf.reduce_all(~given | (filled & inside)),
            [f"{of_pixels}; one is empty, inverted or outside:", boxes],
        ),
    ]
    with tf.control_dependencies(checks):
        return maps.encode_batch(skin_type, condition, boxes, image_size, image_size)


class _Exported(Painter):
    """What is saved."""

    def __init__(self, generator: TrainedGenerator, asset: str):
        super().__init__(generator.network)
        self.taxonomy = tf.saved_model.Asset(asset)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.int64, "condition"),
                tf.TensorSpec([None], tf.int64, "skin_type"),
                tf.TensorSpec([None, None, 4], tf.float32, "boxes"),
                tf.TensorSpec([None], tf.int64, "seed"),
            ]
        )
        def from_request(
            condition: tf.Tensor, skin_type: tf.Tensor, boxes: tf.Tensor, seed: tf.Tensor
        ) -> Dict[str, tf.Tensor]:
            drawn = draw_request(condition, skin_type, boxes, self.image_size)
            return {**self.from_map(drawn, seed), "map": drawn}

        self.from_request = from_request


def export(generator: TrainedGenerator, output_dir: str, overwrite: bool = False) -> str:
    """Writes the SavedModel, its taxonomy and its model card, as `exported.writing`.

    Returns:
      `output_dir`.
    """
    writing = exported.writing(generator, output_dir, model_card.SAVED_MODEL, overwrite)
    with writing as folder, tempfile.TemporaryDirectory() as beside:
        asset = os.path.join(beside, os.path.basename(exported.TAXONOMY))
        pathlib.Path(asset).write_text(exported.describe_codes(generator), encoding="utf-8")
        module = _Exported(generator, asset)
        signatures = {"from_map": module.from_map, "from_request": module.from_request}
        tf.saved_model.save(module, str(folder), signatures=signatures)
    return output_dir

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

import json
import os
import pathlib
import tempfile
from typing import Any, Dict

import tensorflow as tf

from common import files, locks
from model.serving import Painter
from preprocessing.data import maps, taxonomy
from synthesis.export import model_card
from synthesis.trained_generator import TrainedGenerator

ASSET = "taxonomy.json"
CARD = "MODEL_CARD.md"


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


def example_request(generator: TrainedGenerator) -> Dict[str, Any]:
    """Returns inputs of `from_request` to begin with: one image, a box in its middle."""
    quarter = generator.image_size // 4
    return {
        "condition": [taxonomy.code(generator.conditions[0])],
        "skin_type": [model_card.example_skin_type(generator)],
        "boxes": [[[quarter, quarter, 3 * quarter, 3 * quarter]]],
        "seed": [1],
    }


def describe_codes(generator: TrainedGenerator) -> Dict[str, Any]:
    """Returns the contents of the asset: conditions, their codes, the map's levels."""
    return {
        "image_size": generator.image_size,
        "conditions": list(taxonomy.conditions()),
        "skin_types": list(taxonomy.FITZPATRICK_TYPES),
        "unknown_skin_type": taxonomy.UNKNOWN_SKIN_TYPE,
        "boxes": "x0 y0 x1 y1 in pixels of the image, half-open; zeros are no box",
        "example": example_request(generator),
        "map": {
            "R": f"{maps.LEVEL} * skin_type, everywhere",
            "G": f"{maps.LEVEL} * (1 + condition // 6), inside the boxes, else 0",
            "B": f"{maps.LEVEL} * (1 + condition % 6), inside the boxes, else 0",
            "resize": "nearest neighbour only",
        },
    }


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
    """Writes the SavedModel and its model card.

    Args:
      generator: what to export.
      output_dir: of the SavedModel; appears under its name only when complete.
      overwrite: whether a folder that is there may be replaced.

    Returns:
      `output_dir`.

    Raises:
      ValueError: the folder exists, or another process exports to it.
    """
    target = pathlib.Path(output_dir)
    alone = locks.only_writer(target.absolute().parent, "export", of=target.name)
    with alone, files.replacing(target) as temporary, tempfile.TemporaryDirectory() as folder:
        if target.exists() and not overwrite:
            raise ValueError(f"{target}: exists; choose another --output_dir or pass --overwrite")
        asset = os.path.join(folder, ASSET)
        pathlib.Path(asset).write_text(
            json.dumps(describe_codes(generator), indent=2), encoding="utf-8"
        )
        module = _Exported(generator, asset)
        signatures = {"from_map": module.from_map, "from_request": module.from_request}
        tf.saved_model.save(module, str(temporary), signatures=signatures)
        (temporary / CARD).write_text(model_card.render(generator), encoding="utf-8")
    return str(target)

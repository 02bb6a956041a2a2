"""What every export of a generator has: a folder that appears whole, taxonomy, model card."""

import contextlib
import json
import pathlib
from typing import Any, Dict, Iterator

from common import files, locks
from model import noise
from model.generator import noise_inputs
from preprocessing.data import maps, taxonomy
from synthesis.export import model_card
from synthesis.trained_generator import TrainedGenerator

TAXONOMY = "assets/taxonomy.json"
CARD = "MODEL_CARD.md"


def example_request(generator: TrainedGenerator) -> Dict[str, Any]:
    """Returns inputs of `from_request` to begin with: one image, a box in its middle."""
    quarter = generator.image_size // 4
    return {
        "condition": [taxonomy.code(generator.conditions[0])],
        "skin_type": [model_card.example_skin_type(generator)],
        "boxes": [[[quarter, quarter, 3 * quarter, 3 * quarter]]],
        "seed": [1],
    }


def describe_codes(generator: TrainedGenerator) -> str:
    """Returns the contents of `TAXONOMY`: conditions, codes, the map's levels, the noise."""
    description = {
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
        # The order counts: the inputs of one distribution are parts of one draw.
        "noise": {"generator": noise.GENERATOR, "inputs": noise_inputs(generator.network)},
    }
    return json.dumps(description, indent=2)


@contextlib.contextmanager
def writing(
    generator: TrainedGenerator, output_dir: str, form: str, overwrite: bool
) -> Iterator[pathlib.Path]:
    """Writes an export: gives a folder to write the model to and puts its card beside it.

    Args:
      generator: what is exported.
      output_dir: appears under its name only when complete.
      form: one of `model_card.FORMS`.
      overwrite: whether a folder that is there may be replaced.

    Raises:
      ValueError: the folder exists, or another process exports to it.
    """
    target = pathlib.Path(output_dir)
    with (
        locks.only_writer(target.absolute().parent, "export", of=target.name),
        files.replacing(target) as folder,
    ):
        if target.exists() and not overwrite:
            raise ValueError(f"{target}: exists; choose another --output_dir or pass --overwrite")
        yield folder
        card = model_card.render(generator, form)
        (folder / CARD).write_text(card, encoding="utf-8")

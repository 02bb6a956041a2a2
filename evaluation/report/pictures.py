"""The pictures of a report: painted anew, and those that the evaluations left."""

import dataclasses
import io
import pathlib
from typing import List, Mapping, Sequence, Tuple

from common.results import Result
from synthesis.figures import galleries, image_tables
from synthesis.trained_generator import TrainedGenerator

_CONDITIONS, _PER_CONDITION = 8, 4


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG with words.

    Attributes:
      title: what it shows; its alternative text.
      caption: what to look for.
      png: its content.
    """

    title: str
    caption: str
    png: bytes


# By evaluation: file, what it shows, what to look for, whether it shows photographs.
_LEFT: Mapping[str, Sequence[Tuple[str, str, str, bool]]] = {
    "fid": (
        ("fid.png", "Distances with intervals", "Red should reach blue: photographs.", False),
        (
            "fid_ladder.png",
            "Photographs of lower and lower resolution, and generated images where they stand",
            "Between which rows would you have put them?",
            True,
        ),
    ),
    "fidelity": (
        ("fidelity.png", "Tone, place, texture and single changes", "Beside photographs.", False),
        (
            "fidelity_examples.png",
            "The same map with moved boxes, and in six skin types where their tone is measured",
            "Solid: the boxes asked for; dashed: what was found.",
            False,
        ),
    ),
    "memorization": (
        (
            "memorization.png",
            "The generated images that are nearest to training photographs",
            "Left generated, right the training photograph. Is it the same patient?",
            True,
        ),
    ),
    "augmentation": (
        ("figure_8.png", "F1 by condition", "A star: changed by synthetic images.", False),
        ("ratios.png", "Accuracy by the number of synthetic images", "", False),
        ("confusion.png", "Confusion by arm", "Per cent of each label.", False),
    ),
    "ablation": (("ablation.png", "Distance of each variant", "", False),),
    "reader_study": (
        ("figure_7a.png", "Taken for real, by condition", "", False),
        ("figure_7b.png", "Relevant images chosen, by condition", "", False),
    ),
}


def paint(
    generator: TrainedGenerator, data_dir: str, photographs: bool, seed: int
) -> Tuple[Picture, List[str]]:
    """Paints the maps of test crops, which nobody picked by hand.

    Args:
      generator: to paint with.
      data_dir: records.
      photographs: whether those of the maps stand below.
      seed: of choice and noise.

    Returns:
      The picture, and lines that say what it does not show.

    Raises:
      ValueError: no test crops of these conditions.
    """
    table, remarks = galleries.gallery_table(
        *(generator, data_dir, (), _CONDITIONS, _PER_CONDITION, seed), with_photographs=photographs
    )
    png = io.BytesIO()
    image_tables.draw(table).save(png, "PNG", optimize=True)
    below = " and the test photographs of these maps" if photographs else ""
    title = f"Maps, what is painted from them{below}"
    caption = f"Drawn by lot (seed {seed}), not picked by hand."
    # What follows the ";" is advice for the gallery's own flags.
    told = [line.partition(";")[0] for line in remarks]
    return Picture(title, caption, png.getvalue()), told


def left_by(result: Result, photographs: bool) -> List[Picture]:
    """Returns the pictures beside a result.

    Args:
      result: of an evaluation, which counts or is shown greyed.
      photographs: whether those that show photographs are wanted.
    """
    found = []
    for file, title, caption, shows_photographs in _LEFT[result.name] if result.path else ():
        path = pathlib.Path(result.path).with_name(file)
        if path.is_file() and (photographs or not shows_photographs):
            found.append(Picture(title, caption, path.read_bytes()))
    return found

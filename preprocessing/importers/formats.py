"""What the importer of a collection has to say about it."""

import dataclasses
import pathlib
from typing import Callable, Mapping, Optional, Sequence, Tuple

from preprocessing.data.manifest import REQUIRED_COLUMNS, Photograph, Rejection
from preprocessing.importers import diseases
from preprocessing.importers.labels import LabelMapping

ANNOTATED = "annotated"
SELF_REPORTED = "self_reported"


@dataclasses.dataclass(frozen=True)
class Entry:
    """A photograph as a collection's tables describe it; its file is not read yet.

    Attributes:
      photograph: its row of the manifest. `image` is how the collection names the file:
        with or without folder and extension. ROIs are those that people drew.
      label: the collection's own label that made the condition.
      skin_types: the two Fitzpatrick types (lighter, darker) that the collection leaves
        a choice of; `photograph.fitzpatrick` is None then.
      skin_type_source: who says `photograph.fitzpatrick`.
      frame: (width, height) that the ROIs were drawn on; None for the photograph's own.
      turned_frame: whether `frame` may be the size before EXIF orientation, although the
        ROIs are upright.
    """

    photograph: Photograph
    label: str
    skin_types: Tuple[int, ...] = ()
    skin_type_source: str = ANNOTATED
    frame: Optional[Tuple[int, int]] = None
    turned_frame: bool = False


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a collection's tables hold.

    Attributes:
      entries: photographs to look for.
      rejections: rows and annotations that cannot be used, and why.
      notes: what the user should know, a line each: agreement of annotators, what
        splits cannot tell apart.
    """

    entries: Sequence[Entry]
    rejections: Sequence[Rejection]
    notes: Tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Format:
    """How a collection is laid out.

    Attributes:
      name: the value of `--format`.
      source: what it is, where it comes from, and its licence.
      read: reads the tables in a folder with the mapping that `mapping` makes; raises
        `ValueError` where the folder does not hold the collection.
      conditions: condition by label.
      undecided: labels that leave the condition open, and why.
      mask_suffix: what a mask's file name adds to its photograph's; empty for a
        collection without masks.
    """

    name: str
    source: str
    read: Callable[[pathlib.Path, LabelMapping], Contents]
    conditions: Mapping[str, str] = dataclasses.field(default_factory=lambda: diseases.CONDITIONS)
    undecided: Mapping[str, str] = dataclasses.field(default_factory=lambda: diseases.UNDECIDED)
    mask_suffix: str = ""

    def mapping(self, overrides: Optional[Mapping[str, str]] = None) -> LabelMapping:
        """Returns the collection's mapping of labels, with the user's overrides."""
        return LabelMapping(self.conditions, self.undecided, overrides)


def extra_columns(cells: Mapping[str, str]) -> Mapping[str, str]:
    """Returns a collection's columns without those whose names the manifest uses."""
    taken = {*REQUIRED_COLUMNS, "split", "synthetic"}
    return {key: value for key, value in cells.items() if key not in taken}

"""What the importer of a public data set has to say about it."""

import dataclasses
from typing import Callable, Mapping, Tuple

from preprocessing.cases import Photograph


@dataclasses.dataclass(frozen=True)
class Format:
    """How a data set is laid out.

    Attributes:
      name: the value of `--format`.
      metadata_names: names its table may have, first match wins.
      columns: columns that the table must have.
      parse: turns a row into a `Photograph` whose `image` is the file's name
        without folder and extension, and whose ROIs are empty; raises `ValueError`
        for a row that cannot be used.
      mask_suffix: what a mask's file name adds to its photograph's.
      source: where the data set comes from, and its licence.
    """

    name: str
    metadata_names: Tuple[str, ...]
    columns: Tuple[str, ...]
    parse: Callable[[Mapping[str, str]], Photograph]
    mask_suffix: str
    source: str

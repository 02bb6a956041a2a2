"""The code of a given photograph: what it shows that its map does not say.

A code belongs to a person: who has it and the generator can paint the photograph again,
nearly. So it is read from the records whenever it is needed and written nowhere; what is
painted with it names the photograph by its pseudonym.
"""

import dataclasses
import hashlib
import os

import numpy as np

from common import pseudonyms
from model.sampling import Code
from preprocessing.data import records
from synthesis.trained_generator import TrainedGenerator


@dataclasses.dataclass(frozen=True)
class Source:
    """A crop whose code is used.

    Attributes:
      data_dir: records that it is in, absolute.
      photograph: its pseudonym.
      split: that it is in.
      digest: sha256 of the crop and its map, as hex.
    """

    data_dir: str
    photograph: str
    split: str
    digest: str

    @property
    def said(self) -> str:
        """What whoever sees the images must know."""
        return (
            f"Painted with the code of {self.photograph} ({self.split}): the images resemble that "
            "photograph and are to be treated as it is."
        )


def _read_crop(
    data_dir: str, info: records.DatasetInfo, photograph: str
) -> tuple[Source, records.Record]:
    names = pseudonyms.load_or_create(data_dir)
    for split in info.counts["crops"]:
        for record in records.read(data_dir, "crops", split):
            name = names.name("photograph", record.image_id)
            if photograph in (record.image_id, name):
                digest = hashlib.sha256(record.image_png + record.map_png).hexdigest()
                return Source(os.path.abspath(data_dir), name, split, digest), record
    raise ValueError(
        f"{data_dir}: no crop of the photograph {photograph!r}; --like takes an image_id of the "
        "records' crops.csv, or its pseudonym"
    )


def find(generator: TrainedGenerator, data_dir: str, photograph: str) -> tuple[Source, Code]:
    """Finds a photograph in records and reads the code of its first crop.

    Args:
      generator: whose encoder reads.
      data_dir: records.
      photograph: its image_id or pseudonym.

    Returns:
      Where the code comes from, and the code, float32 [1, N].

    Raises:
      ValueError: it is not there, the records are of another size, or the run has no
        encoder.
    """
    info = records.read_info(data_dir)
    generator.check_dataset(data_dir, info)
    source, record = _read_crop(data_dir, info, photograph)
    return source, generator.encode(record.semantic_map()[None], record.image()[None])


def read_again(generator: TrainedGenerator, source: Source) -> Code:
    """Reads the code of a source again, as a worker does.

    Raises:
      ValueError: the photograph is gone, or is another than it was.
    """
    found, code = find(generator, source.data_dir, source.photograph)
    if found.digest != source.digest:
        raise ValueError(f"{source.data_dir}: {source.photograph} has changed since it was chosen")
    return code


def repeat(code: Code, number: int) -> Code:
    """Returns a code, float32 [1, N], for as many images."""
    return Code(*(np.repeat(part, number, axis=0) for part in code))

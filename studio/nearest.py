"""The training photograph that a generated image is nearest to.

By thumbnails, as one of the two ways of `evaluation.memorization`, without its windows: a look at
one picture, which takes a fraction of a second once the records have been read. Whether a
generator copies is for the audit.
"""

import dataclasses
import itertools
import threading
from typing import List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from evaluation.memorization import thumbnails
from evaluation.memorization.nearest_neighbours import Views, as_seen, find_neighbours
from model.images import to_float
from preprocessing.data import png_encoding, records

_BATCH = 256


@dataclasses.dataclass(frozen=True)
class Nearest:
    """A training photograph.

    Attributes:
      png: the photograph, turned or mirrored as it is nearest.
      condition: its label.
      skin_type: Fitzpatrick type; 0 is unknown.
      ratio: distance of the image from it, over its distance from the nearest photograph of
        another patient.
      words: what the ratio says.
    """

    png: bytes
    condition: str
    skin_type: int
    ratio: float
    words: str


def crop_at(shard: str, place: int) -> records.Record:
    """Returns a crop of a record file."""
    return next(itertools.islice(records.read_file(shard, "crops"), place, None))


def in_words(ratio: float, identical: bool) -> str:
    """Returns what a ratio as of `Nearest` says."""
    if identical:
        return "the same photograph, to the eye of this measure"
    if ratio < 0.5:
        return "far nearer than photographs of two patients are to each other: a copy?"
    if ratio < 1:
        return "nearer than the photograph is to any of another patient"
    return "no nearer than photographs of different patients are to each other"


def _views(pixels: np.ndarray) -> Views:
    """Returns the thumbnails of images, uint8 [N, S, S, 3]."""
    scaled = to_float(pixels)
    plain, mirrored = (
        thumbnails.thumbnails(one).numpy() for one in (scaled, tf.reverse(scaled, [2]))
    )
    return Views(plain, mirrored, side=thumbnails.SIZE)


class TrainingPhotographs:
    """Finds the nearest of them; reads the records when it is first asked."""

    def __init__(self, data_dir: str, conditions: Sequence[str]) -> None:
        """Takes the photographs of some conditions out of `data_dir`'s training crops."""
        self._data_dir, self._conditions = data_dir, frozenset(conditions)
        self._lock = threading.Lock()
        self._views: Optional[Views] = None
        self._places: List[Tuple[str, int]] = []
        self._patients: List[str] = []

    def _read(self) -> Views:
        found: List[Views] = []
        batch: List[np.ndarray] = []

        def flush() -> None:
            if batch:
                found.append(_views(np.stack(batch)))
                batch.clear()

        for shard in records.list_shards(self._data_dir, "crops", "train"):
            for place, record in enumerate(records.read_file(shard, "crops")):
                if record.synthetic or record.condition not in self._conditions:
                    continue
                batch.append(records.decode_png(tf.constant(record.image_png)).numpy())
                self._places.append((shard, place))
                self._patients.append(record.patient_id)
                if len(batch) == _BATCH:
                    flush()
        flush()
        if not found:
            raise ValueError(f"{self._data_dir}: no photograph among the training crops")
        plain, mirrored = (
            np.concatenate([getattr(one, name) for one in found]) for name in ("plain", "mirrored")
        )
        return Views(plain, mirrored, side=thumbnails.SIZE)

    def nearest(self, pixels: np.ndarray) -> Nearest:
        """Returns the photograph that an image, uint8 [S, S, 3], is nearest to.

        Raises:
          ValueError: corrupt records, no photograph, of one patient only, or all alike.
        """
        with self._lock:
            if self._views is None:
                self._places, self._patients = [], []
                self._views = self._read()
        found = find_neighbours(_views(pixels[None]), self._views, self._patients)
        shard, place = self._places[found.index[0]]
        record = crop_at(shard, place)
        image = records.decode_png(tf.constant(record.image_png)).numpy()
        ratio = float(found.ratio[0])
        return Nearest(
            png_encoding.encode_photograph(as_seen(image, int(found.view[0]))),
            record.condition,
            record.fitzpatrick,
            ratio,
            in_words(ratio, bool(found.identical[0])),
        )

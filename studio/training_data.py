"""What a generator was trained on, as far as the studio tells of it."""

import dataclasses
import functools
import threading
from typing import Any, Dict, List, Optional, Set, Tuple

from preprocessing.data import records
from preprocessing.data.manifest import Box
from studio import nearest
from synthesis import layouts
from synthesis.figures import crop_choice
from synthesis.trained_generator import TrainedGenerator

MOST_EXAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Example:
    """A validation crop: what its map shows, and where its photograph is."""

    condition: str
    skin_type: int
    boxes: Tuple[Box, ...]
    shard: str
    place: int


class TrainingData:
    """Counts of the training photographs, and validation crops to begin with.

    Attributes:
      patients_unnamed: whether each photograph counts as a patient.
      commonest: condition and skin type of most training crops.
      photographs: of training, among which the nearest is found.
    """

    def __init__(self, data_dir: str, generator: TrainedGenerator) -> None:
        """Checks the records; what takes time is read when it is asked for.

        Raises:
          ValueError: no records there, or not those that the generator was trained on.
        """
        info = records.read_info(data_dir)
        generator.check_dataset(data_dir, info)
        if info.digest != generator.description["dataset"].get("digest"):
            raise ValueError(f"{data_dir}: not the records that {generator.run_dir} learned from")
        self.patients_unnamed = info.patients_unnamed
        counts = info.counts["crops"].get("train", {})
        ranked = [
            (number, condition, int(skin_type))
            for condition in generator.conditions
            for skin_type, number in counts.get(condition, {}).items()
        ]
        self.commonest: Tuple[str, int] = max(ranked)[1:]
        self.photographs = nearest.TrainingPhotographs(data_dir, generator.conditions)
        self._data_dir = data_dir
        self._conditions = generator.conditions
        self._lock = threading.Lock()
        self._known: Optional[Tuple[Dict[str, Any], List[Example]]] = None
        self._photograph = functools.lru_cache(maxsize=64)(self._read_photograph)

    def known(self) -> Tuple[Dict[str, Any], List[Example]]:
        """Returns counts and examples.

        The counts are [photographs, patients] by condition and skin type ("0" is
        unknown); what is not there is none.
        """
        with self._lock:
            if self._known is None:
                self._known = self._counts(), self._examples()
            return self._known

    def _counts(self) -> Dict[str, Any]:
        found: Dict[Tuple[str, int], Tuple[Set[str], Set[str]]] = {}
        for record in records.read(
            self._data_dir, "crops", "train", self._conditions, images=False
        ):
            if record.synthetic:
                continue
            key = record.condition, record.fitzpatrick
            photographs, patients = found.setdefault(key, (set(), set()))
            photographs.add(record.image_id)
            patients.add(record.patient_id)
        counts: Dict[str, Any] = {}
        for (condition, skin_type), sets in found.items():
            counts.setdefault(condition, {})[str(skin_type)] = [len(one) for one in sets]
        return counts

    def _examples(self) -> List[Example]:
        found = (
            (
                record.image_id,
                Example(shown.condition, shown.skin_type, shown.boxes, shard, place),
            )
            for shard in records.list_shards(self._data_dir, "crops", "validation")
            for place, record in enumerate(records.read_file(shard, "crops", images=False))
            for shown in [layouts.layout_of(record)]
            if shown.condition in self._conditions and shown.boxes
        )
        by_photograph = crop_choice.in_turns(found, lambda one: one[0])
        return [example for _, example in by_photograph[:MOST_EXAMPLES]]

    def photograph(self, number: int) -> bytes:
        """Returns the photograph of an example as a PNG file.

        Raises:
          IndexError: there is no such example.
        """
        examples = self.known()[1]
        if not 0 <= number < len(examples):
            raise IndexError(number)
        return self._photograph(number)

    def _read_photograph(self, number: int) -> bytes:
        one = self.known()[1][number]
        return nearest.crop_at(one.shard, one.place).image_png

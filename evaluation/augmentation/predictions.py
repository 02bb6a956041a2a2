"""Stored predictions: one Parquet file for each arm, seed and test set.

A row is a test image: whose it is (under pseudonyms), what it shows, and the probability of each
condition. Statistics are functions of these files alone, so that they can be redone
without training.
"""

import dataclasses
import json
import pathlib
import re
from typing import Any, Collection, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from common import files
from evaluation.augmentation import arms
from evaluation.augmentation.classification import Predictions
from preprocessing.data import taxonomy

_TRAINING = b"dermgan_training"
_COLUMNS = ("image_id", "case_id", "patient_id", "condition", "fitzpatrick", "fitzpatrick_source")
TrainingKey = Tuple[str, int]  # arm and seed
_FILE = re.compile(r"^(?P<test_set>[a-z]+)_seed_(?P<seed>\d+)\.parquet$")


@dataclasses.dataclass(frozen=True)
class ArmPredictions:
    """What the trainings of one arm say of one test set.

    Attributes:
      arm: its name.
      seeds: of the trainings.
      table: a row per image: `image_id`, `case_id`, `patient_id`, `condition`,
        `fitzpatrick` (0 is unknown) and `fitzpatrick_source`.
      scores: probabilities, float32 [seeds, N, K].
      trainings: what each training was and came to; see `write_predictions`.
    """

    arm: str
    seeds: Sequence[int]
    table: pd.DataFrame
    scores: np.ndarray
    trainings: Sequence[Mapping[str, Any]]

    @property
    def labels(self) -> np.ndarray:
        """Returns condition codes, int64 [N]."""
        return self.table["condition"].map(taxonomy.code).to_numpy(np.int64)

    def predictions(self) -> Predictions:
        """Returns the most likely conditions, for statistics."""
        return Predictions(
            self.labels,
            self.scores.argmax(axis=-1),
            len(taxonomy.conditions()),
            self.table["patient_id"].tolist(),
        )

    def ensemble(self) -> np.ndarray:
        """Returns what the mean of all trainings says, codes int64 [N]."""
        return self.scores.mean(axis=0).argmax(axis=-1)

    def select(self, rows: np.ndarray) -> "ArmPredictions":
        """Returns some of the images; `rows` is a bool array."""
        table = self.table[rows].reset_index(drop=True)
        return dataclasses.replace(self, table=table, scores=self.scores[:, rows])


def folder_name(arm: str) -> str:
    """Returns an arm's name as a folder's."""
    return re.sub(r"[^a-z0-9._]+", "_", arm.lower())


def path_of(root: str, arm: str, test_set: str, seed: int) -> pathlib.Path:
    """Returns the file of an arm, a test set ("test" or "extra") and a seed."""
    return pathlib.Path(root) / folder_name(arm) / f"{test_set}_seed_{seed}.parquet"


def write_predictions(
    path: pathlib.Path, table: pd.DataFrame, scores: np.ndarray, training: Mapping[str, Any]
) -> None:
    """Writes a file that appears under its name only when complete.

    Args:
      path: from `path_of`.
      table: the images; see `ArmPredictions`.
      scores: probabilities, float32 [N, K].
      training: `protocol`, all that the training depends on, among it `arm`, `seed` and
        what all trainings of the `study` have in common; its `outcome`; and the `test`.

    Raises:
      ValueError: scores that are not finite.
    """
    if not np.isfinite(scores).all():
        raise ValueError(f"{path}: the classifier's scores are not finite")
    frame = table[list(_COLUMNS)].copy()
    for code, name in enumerate(taxonomy.conditions()):
        frame[name] = scores[:, code].astype(np.float32)
    content = pa.Table.from_pandas(frame, preserve_index=False)
    content = content.replace_schema_metadata({_TRAINING: json.dumps(training, sort_keys=True)})
    written = pa.BufferOutputStream()
    pq.write_table(content, written)
    files.write_bytes(path, written.getvalue().to_pybytes())


_PROTOCOL = (
    *("study", "arm", "kind", "ratio", "seed"),
    *("photographs", "synthetic_images", "share"),
)


def read_training(path: pathlib.Path) -> Dict[str, Any]:
    """Reads what the training of a file was; see `write_predictions`.

    Raises:
      ValueError: not a file of predictions.
    """
    try:
        training = json.loads(pq.read_schema(path).metadata[_TRAINING])
        for name in _PROTOCOL:
            training["protocol"][name]
        training["outcome"]["validation_balanced_accuracy"], training["test"]["digest"]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a file of predictions") from error
    return training


def _read_file(path: pathlib.Path) -> pd.DataFrame:
    frame = pq.read_table(path).to_pandas()
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"{path}: lacks the column {missing[0]!r}")
    named = tuple(name for name in frame if name not in _COLUMNS)
    taxonomy.adopt(taxonomy.Taxonomy(named), str(path))
    sums = frame[list(taxonomy.conditions())].to_numpy().sum(axis=1)
    bad = np.flatnonzero(~np.isclose(sums, 1.0, atol=1e-3))
    if len(bad):
        raise ValueError(f"{path}, row {bad[0] + 1}: the scores are not probabilities")
    return frame


def read_predictions(
    root: str, test_set: str = "test", wanted: Optional[Collection[TrainingKey]] = None
) -> List[ArmPredictions]:
    """Reads the predictions of all arms.

    Args:
      root: folder that `write_predictions` filled.
      test_set: "test" or "extra".
      wanted: trainings to read; all by default.

    Returns:
      The arms in the order of `arms`, each with its seeds in order. Empty
      without such files.

    Raises:
      ValueError: a file that is not of predictions, or files that do not belong together:
        of different test images, experiments or seeds.
    """
    found: Dict[str, Dict[int, Tuple[pathlib.Path, Dict[str, Any]]]] = {}
    for path in sorted(pathlib.Path(root).glob("*/*.parquet")):
        match = _FILE.match(path.name)
        if not match or match["test_set"] != test_set:
            continue
        training = read_training(path)
        arm, seed = (training["protocol"][name] for name in ("arm", "seed"))
        if wanted is None or (arm, seed) in wanted:
            found.setdefault(arm, {})[seed] = path, training
    together: List[ArmPredictions] = []
    for arm, by_seed in found.items():
        seeds = sorted(by_seed)
        frames: List[pd.DataFrame] = []
        for path in (by_seed[seed][0] for seed in seeds):
            frames.append(_read_file(path))
            first = together[0].table if together else frames[0][list(_COLUMNS)]
            if not frames[-1][list(_COLUMNS)].equals(first):
                raise ValueError(f"{path}: of other test images than the files beside it")
        scores = np.stack([frame[list(taxonomy.conditions())].to_numpy() for frame in frames])
        trainings = [by_seed[seed][1] for seed in seeds]
        together.append(ArmPredictions(arm, seeds, frames[0][list(_COLUMNS)], scores, trainings))
    _check_together(root, together)
    return sorted(together, key=lambda one: arms.order_of_arm(one.trainings[0]["protocol"]))


def _check_together(root: str, together: Sequence[ArmPredictions]) -> None:
    for one in together:
        first = together[0]
        if list(one.seeds) != list(first.seeds):
            raise ValueError(
                f"{root}: {one.arm} has the seeds {list(one.seeds)}, {first.arm} "
                f"{list(first.seeds)}; arms are compared with equal seeds"
            )
        for training in one.trainings:
            if training["protocol"]["study"] != first.trainings[0]["protocol"]["study"]:
                raise ValueError(f"{root}: {one.arm} and {first.arm} are of two experiments")

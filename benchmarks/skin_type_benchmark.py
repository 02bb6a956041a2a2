"""How well skin types are estimated from photographs whose types people annotated.

Prints the calibration that these photographs give (`preprocessing.data.skin.CALIBRATION`),
and what estimates are worth, each photograph's made with a calibration on other patients:
quadratic weighted kappa with an interval over patients, recall by type, and beside it the
type that is always the commonest, and the fixed thresholds of the typology angle. The known
tones of all six types, of many times the weight of a photograph, hold the ends.

  python -m benchmarks.skin_type_benchmark --input_dir=/data/pad_ufes_20
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import concurrent.futures
import os
import pathlib
from typing import List, Optional, Sequence, Tuple

import numpy as np
from absl import flags
from PIL import Image
from sklearn import metrics

from preprocessing.data import photographs, skin
from preprocessing.importers import importing, measuring
from preprocessing.importers.files import PhotographFiles

_FORMAT = flags.DEFINE_enum("format", "pad_ufes_20", sorted(importing.FORMATS), "The collection.")
_INPUT_DIR = flags.DEFINE_string("input_dir", None, "Its folder.", required=True)
_FOLDS, _ROUNDS, _REPLICATES = 10, 10, 1000
_TYPES = range(1, 7)
# sRGB of skin of the types 1 to 6 in fair light, after Chardon's volume.
_TONES = np.array(
    [(235, 211, 197), (214, 175, 145), (194, 150, 116), (177, 131, 97), (122, 82, 57), (63, 40, 29)]
)
_WEIGHT_OF_TONES = 100


def _tone(path: str, mask: Optional[str]) -> Optional[skin.Tone]:
    image = photographs.read_photograph(path)
    if mask is None:
        return skin.measure_tone(image)
    lesion = photographs.read_photograph(mask).convert("L").point(lambda v: 255 * (v > 127))
    if lesion.size != image.size:
        lesion = lesion.resize(image.size, Image.Resampling.NEAREST)
    return skin.measure_tone(image, measuring.boxes_from_mask(np.asarray(lesion) > 0), lesion)


def calibrate(colors: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Fits (a, b, c) of `skin.CALIBRATION` by least squares.

    Args:
      colors: float [N, 2], of each photograph the median of `skin.Tone.patches`.
      types: int [N].
    """
    _, green, blue = skin.log_light(_TONES).T
    colors = np.concatenate([colors, np.stack([green - blue, green], axis=1)])
    weight = np.sqrt(np.r_[np.ones(len(types)), np.full(len(_TONES), _WEIGHT_OF_TONES)])
    design = np.c_[np.ones(len(colors)), colors] * weight[:, None]
    return np.linalg.lstsq(design, np.r_[types, _TYPES] * weight, rcond=None)[0]


def _kappa(types: np.ndarray, estimates: np.ndarray) -> float:
    return metrics.cohen_kappa_score(types, estimates, labels=_TYPES, weights="quadratic")


def _crossed(
    tones: Sequence[skin.Tone], types: np.ndarray, patients: np.ndarray, seed: int
) -> np.ndarray:
    """Estimates each photograph with a calibration on other patients."""
    colors = np.stack([np.median(one.patches, axis=0) for one in tones])
    folds = np.random.default_rng(seed).permutation(patients.max() + 1)[patients] % _FOLDS
    found = np.zeros(len(types), int)
    for fold in range(_FOLDS):
        own = np.flatnonzero(folds == fold)
        made = calibrate(colors[folds != fold], types[folds != fold])
        middle = [np.median(tones[n].types(made.tolist())) for n in own]
        found[own] = np.clip(np.rint(middle), 1, 6)
    return found


def _interval(types: np.ndarray, rounds: List[np.ndarray], patients: np.ndarray) -> Tuple:
    """95 % of the kappas of drawn patients, each the mean over all rounds."""
    rng = np.random.default_rng(0)
    rows = [np.flatnonzero(patients == one) for one in range(patients.max() + 1)]
    kappas: List[float] = []
    for _ in range(_REPLICATES):
        drawn = np.concatenate([rows[n] for n in rng.integers(0, len(rows), len(rows))])
        kappas.append(_kappa(types[drawn], rounds[len(kappas) % len(rounds)][drawn]))
    return tuple(np.nanpercentile(kappas, (2.5, 97.5)))


def _print(name: str, types: np.ndarray, rounds: List[np.ndarray], patients: np.ndarray) -> None:
    low, high = _interval(types, rounds, patients)
    kappa = np.mean([_kappa(types, one) for one in rounds])
    apart = np.abs(np.stack(rounds) - types)
    recalls = [
        f"{one}: {(apart[:, types == one] == 0).mean():.0%} of {(types == one).sum()}"
        for one in _TYPES
        if (types == one).any()
    ]
    print(f"{name}: kappa {kappa:.2f} (95 % interval {low:.2f} to {high:.2f})")
    print(f"  {(apart == 0).mean():.0%} equal, {(apart <= 1).mean():.0%} at most one type apart")
    print(f"  recall by type: {', '.join(recalls)}")


def main(_: Sequence[str]) -> None:
    """Measures and prints."""
    folder = command_line.user_path(_INPUT_DIR.value)
    layout = importing.FORMATS[_FORMAT.value]
    entries = layout.read(pathlib.Path(folder), layout.mapping()).entries
    files = PhotographFiles(folder, layout.mask_suffix)
    rows = [one.photograph for one in entries if one.photograph.fitzpatrick]
    paths = [files.find(row.image) for row in rows]
    masks = [files.mask_of(path) for path in paths]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        found = list(
            pool.map(
                _tone,
                [os.path.join(folder, path) for path in paths],
                [os.path.join(folder, mask) if mask else None for mask in masks],
            )
        )
    told = [(row, tone) for row, tone in zip(rows, found) if tone and tone.fitzpatrick]
    unseen = sum(tone is None for tone in found)
    print(
        f"{len(rows)} annotated photographs: no skin is seen in {unseen}, patches disagree in "
        f"{len(rows) - unseen - len(told)}"
    )
    tones, types = [tone for _, tone in told], np.array([row.fitzpatrick for row, _ in told])
    patients = np.unique([row.patient_id for row, _ in told], return_inverse=True)[1]
    rounds = [_crossed(tones, types, patients, seed) for seed in range(_ROUNDS)]
    _print(f"estimated, {_FOLDS}-fold by patient, {_ROUNDS} times", types, rounds, patients)
    angles = np.array([skin.fitzpatrick_from_ita(tone.ita) for tone in tones])
    _print("thresholds of the typology angle", types, [angles], patients)
    commonest = np.full(len(types), np.bincount(types).argmax())
    _print(f"always {commonest[0]}", types, [commonest], patients)
    colors = np.stack([np.median(tone.patches, axis=0) for tone in tones])
    print("calibration:", calibrate(colors, types).round(3).tolist())


if __name__ == "__main__":
    command_line.run(main)

"""Does generated skin have the tone that was asked for?

Tone is the individual typology angle (ITA, degrees; see `preprocessing.data.skin`) of the
skin outside the ROI boxes. A skin type is no colour, so what is "asked for" is what
photographs of that type show: their mean ITA. Photographs of one type scatter around that
mean, by person and by light: how much, each photograph held against the *other* patients
of its type, is the ceiling that no generator needs to beat. One that is far below it
paints all people of a type alike; compare the standard deviations. Types that people
annotated and types estimated from the photographs' colour are compared apart: of the
latter there is no ceiling, for a photograph would be compared with itself.
"""

import dataclasses
import math
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import pandas as pd

from evaluation.fidelity.localization import box_mask
from evaluation.uncertainty import cluster_bootstrap
from evaluation.uncertainty.cluster_bootstrap import Estimate, as_dicts
from preprocessing.data import skin, taxonomy
from preprocessing.data.manifest import Box
from synthesis.layouts import Layout

# Outside their boxes is hair.
HAIR_BEARING = ("Alopecia Areata", "Androgenetic Alopecia")
# L* below which it is hair or the dark: that of type VI in fair light is above.
_DARKEST_SKIN = 20.0
_TYPES = taxonomy.FITZPATRICK_TYPES
_AGREEMENT = ("error", "correlation", "slope")
_GROW = 0.1  # of a box's longer side: lesions fade out beyond their box


def surrounding_skin(
    image: np.ndarray, boxes: Sequence[Box], also_without: Sequence[Box] = ()
) -> np.ndarray:
    """Returns where skin outside the boxes is seen.

    Args:
      image: uint8 [S, S, 3].
      boxes: the ROI, in pixels.
      also_without: further boxes to leave out.

    Returns:
      bool [S, S].
    """
    outside = ~box_mask([*boxes, *also_without], image.shape[0], _GROW)
    return skin.skin_mask(image, boxes) & outside


def measure_tone(image: np.ndarray, layout: Layout, also_without: Sequence[Box] = ()) -> float:
    """Measures the ITA of the skin outside the ROI.

    Args:
      image: uint8 [S, S, 3].
      layout: what it shows.
      also_without: boxes to leave out besides those of the layout.

    Returns:
      Degrees in (-90, 90); NaN where no skin is seen there: hair (by the condition, or
      darker than any skin), something bluish like a sheet, or next to nothing.
    """
    if layout.condition in HAIR_BEARING:
        return math.nan
    seen = surrounding_skin(image, layout.boxes, also_without)
    degrees = skin.ita(image, seen)
    if degrees is None or abs(degrees) >= 90.0:
        return math.nan
    return degrees if np.median(skin.lab(image[seen])[:, 0]) >= _DARKEST_SKIN else math.nan


def type_means(skin_types: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Returns the mean ITA by skin type, float [7]; NaN for 0 and types without images."""
    known = np.isfinite(degrees)
    types = skin_types[known].astype(int)
    counts = np.bincount(types, minlength=_TYPES[-1] + 1)
    sums = np.bincount(types, degrees[known], minlength=_TYPES[-1] + 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def measured_means(real: pd.DataFrame) -> Tuple[np.ndarray, str]:
    """Returns `type_means` of photographs: columns skin_type, ita.

    And why they do not do, "" where they do: two types are needed, else there is nothing
    to tell apart.
    """
    means = type_means(real["skin_type"].to_numpy(int), real["ita"].to_numpy(float))
    known = [str(one) for one in _TYPES if np.isfinite(means[one])]
    if len(known) >= 2:
        return means, ""
    return means, (
        "that needs photographs of two known skin types whose skin can be measured; there are "
        f"{len(known)} ({', '.join(known) or 'none'}) in --real_split"
    )


@dataclasses.dataclass(frozen=True)
class TypeTone:
    """Tone of one skin type, in degrees of ITA.

    Attributes:
      skin_type: 1..6.
      real_images: photographs that could be measured.
      real_patients: whose they are.
      real_mean: of the photographs; what generated skin is held against.
      real_sd: their standard deviation.
      generated_images: that could be measured.
      generated_mean: of the generated images.
      generated_sd: their standard deviation.
      difference: generated mean less real mean.
      error: mean absolute error of generated images to the real mean.
      real_error: the same of photographs to the other patients' mean.
    """

    skin_type: int
    real_images: int
    real_patients: int
    real_mean: float
    real_sd: float
    generated_images: int
    generated_mean: float
    generated_sd: float
    difference: Estimate
    error: Estimate
    real_error: Estimate

    def as_dict(self) -> Dict[str, Any]:
        """Returns the fields for JSON, which knows no NaN."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in fields.items():
            if isinstance(value, Estimate):
                fields[name] = value.as_dict()
            elif not math.isfinite(value):
                fields[name] = None
        return fields


@dataclasses.dataclass(frozen=True)
class Tone:
    """Tone of all skin types.

    Attributes:
      real: photographs: columns patient, skin_type, ita, requested (the mean of the
        other patients of the type).
      generated: columns map, skin_type, ita, requested (the mean of the photographs
        of the type).
      types: by skin type.
      agreement: mean absolute error in degrees, Pearson correlation and slope of
        measured against requested, over the generated images of skin types of which
        at least two patients were photographed.
      ceiling: the same of the photographs; NaN where their types are estimates.
      estimated: whether the photographs' types are estimates from their colour.
    """

    real: pd.DataFrame
    generated: pd.DataFrame
    types: Tuple[TypeTone, ...]
    agreement: Dict[str, Estimate]
    ceiling: Dict[str, Estimate]
    estimated: bool = False

    @property
    def missing(self) -> List[int]:
        """Skin types without photographs to compare with."""
        return [one.skin_type for one in self.types if not one.real_images]

    @property
    def of_one_patient(self) -> List[int]:
        """Skin types with photographs of a single patient; left out of the agreement."""
        return [one.skin_type for one in self.types if one.real_patients == 1]

    @property
    def unmeasured(self) -> Dict[str, int]:
        """Images whose skin could not be measured."""
        frames = {"real": self.real, "generated": self.generated}
        return {name: int(frame["ita"].isna().sum()) for name, frame in frames.items()}

    def as_dict(self) -> Dict[str, Any]:
        """Returns the numbers for JSON."""
        return {
            "unit": "degrees of ITA",
            "generated": as_dicts(self.agreement),
            "real": as_dicts(self.ceiling),
            "skin_types": {str(one.skin_type): one.as_dict() for one in self.types},
            "skin_types_without_real_images": self.missing,
            "skin_types_of_one_patient": self.of_one_patient,
            "images": {"real": len(self.real), "generated": len(self.generated)},
            "not_measurable": self.unmeasured,
        }


def _other_patients(ita: np.ndarray, skin_types: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Returns the mean ITA of the other patients of its type, by photograph.

    Args:
      ita: float [N], degrees or NaN.
      skin_types: int [N].
      patients: int [N], a number for each patient.

    Returns:
      float [N]; NaN without others.
    """
    known = np.isfinite(ita)
    degrees = np.where(known, ita, 0.0)
    own = patients * (skin_types.max(initial=0) + 1) + skin_types
    counts, sums = (
        np.bincount(skin_types, weights)[skin_types] - np.bincount(own, weights)[own]
        for weights in (known, degrees)
    )
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _agreement(measured: np.ndarray, requested: np.ndarray) -> Dict[Any, float]:
    """Mean absolute error, correlation and slope, of pairs that are finite."""
    known = np.isfinite(measured) & np.isfinite(requested)
    y, x = measured[known], requested[known]
    numbers = dict.fromkeys(_AGREEMENT, math.nan)
    if len(y):
        numbers["error"] = float(np.abs(y - x).mean())
    if len(y) >= 3 and np.ptp(x) and np.ptp(y):
        covariance = np.cov(x, y)
        spread = math.sqrt(covariance[0, 0] * covariance[1, 1])
        numbers["correlation"] = float(covariance[0, 1] / spread)
        numbers["slope"] = float(covariance[0, 1] / covariance[0, 0])
    return numbers


def _by_type(what: str, values: np.ndarray, skin_types: np.ndarray) -> Dict[Any, float]:
    return {(what, one): cluster_bootstrap.mean(values[skin_types == one]) for one in _TYPES}


def compare_tone(
    real: pd.DataFrame, generated: pd.DataFrame, replicates: int, seed: int, estimated: bool = False
) -> Tone:
    """Holds generated tone against that of photographs.

    Args:
      real: photographs of known type: columns patient, skin_type, ita (degrees or NaN).
      generated: columns map (what was painted, alike but for the type), skin_type
        (asked for), ita.
      replicates: of the bootstrap, which draws patients and maps.
      seed: of the bootstrap.
      estimated: whether the photographs' types were, from their colour: these are not held
        against their type.

    Raises:
      ValueError: `measured_means` says why.
    """
    real_ita, real_types = real["ita"].to_numpy(float), real["skin_type"].to_numpy(int)
    ita, types = generated["ita"].to_numpy(float), generated["skin_type"].to_numpy(int)
    means, cannot = measured_means(real)
    if cannot:
        raise ValueError(cannot)
    seen = real.dropna(subset=["ita"]).groupby("skin_type")["patient"].nunique()
    # One patient is no skin type, and has no ceiling to be held against.
    comparable = np.isin(types, seen.index[seen > 1])
    owners = pd.factorize(real["patient"])[0]

    def of_others(rows: np.ndarray) -> np.ndarray:
        if estimated:
            return np.full(len(rows), np.nan)
        return _other_patients(real_ita[rows], real_types[rows], owners[rows])

    real = real.assign(requested=of_others(np.arange(len(real))))

    def generated_numbers(real_rows: np.ndarray, rows: np.ndarray) -> Dict[Any, float]:
        requested = type_means(real_types[real_rows], real_ita[real_rows])[types[rows]]
        off = ita[rows] - requested
        return {
            **_agreement(ita[rows], np.where(comparable[rows], requested, np.nan)),
            **_by_type("difference", off, types[rows]),
            **_by_type("error", np.abs(off), types[rows]),
        }

    def real_numbers(rows: np.ndarray) -> Dict[Any, float]:
        measured, drawn_types = real_ita[rows], real_types[rows]
        others = of_others(rows)
        errors = _by_type("real_error", np.abs(measured - others), drawn_types)
        return {**_agreement(measured, others), **errors}

    patients, maps = real["patient"].tolist(), generated["map"].tolist()
    options = {"replicates": replicates, "seed": seed}
    ours = cluster_bootstrap.estimate_by_name(generated_numbers, patients, maps, **options)
    theirs = cluster_bootstrap.estimate_by_name(real_numbers, patients, **options)
    generated = generated.assign(requested=means[types])
    return Tone(
        real=real,
        generated=generated,
        types=tuple(_type_tone(one, real, generated, {**theirs, **ours}) for one in _TYPES),
        agreement={name: ours[name] for name in _AGREEMENT},
        ceiling={name: theirs[name] for name in _AGREEMENT},
        estimated=estimated,
    )


def _type_tone(
    skin_type: int, real: pd.DataFrame, generated: pd.DataFrame, estimates: Mapping[Any, Estimate]
) -> TypeTone:
    photographs = real[(real["skin_type"] == skin_type) & real["ita"].notna()]
    patients = photographs["patient"].nunique()
    painted = generated.loc[generated["skin_type"] == skin_type, "ita"].dropna()
    compared = {name: estimates[name, skin_type] for name in ("difference", "error", "real_error")}
    if patients < cluster_bootstrap.FEWEST_CLUSTERS:
        compared = {name: Estimate(one.value) for name, one in compared.items()}
    return TypeTone(
        skin_type=skin_type,
        real_images=len(photographs),
        real_patients=patients,
        real_mean=float(photographs["ita"].mean()),
        real_sd=float(photographs["ita"].std()),
        generated_images=len(painted),
        generated_mean=float(painted.mean()),
        generated_sd=float(painted.std()),
        **compared,
    )

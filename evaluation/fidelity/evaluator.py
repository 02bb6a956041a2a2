"""How faithfully a generator paints what its maps ask for.

Photographs and generated images go through the same measurements: tone of the skin,
place and contrast of the lesion, checkerboard; then single changes of the map. Images
are painted and measured a few maps at a time, so that memory does not grow with their
number.
"""

import collections
import dataclasses
import math
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import pandas as pd

from common import progress
from evaluation.features import image_sets
from evaluation.features.image_sets import ImageSet
from evaluation.fidelity import checkerboard, counterfactuals, lesions, localization, tone
from evaluation.fidelity.comparison import Comparison
from evaluation.fidelity.counterfactuals import Counterfactuals
from evaluation.fidelity.localization import Region
from evaluation.fidelity.tone import Tone
from evaluation.uncertainty.cluster_bootstrap import Estimate
from preprocessing.data import records, taxonomy
from synthesis import layouts
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

FEWEST_IMAGES = 8
_CHUNK = 16
_FEW_PATIENTS = 5
_MUCH_UNSEEN = 0.5
_OTHER_NOISE = np.int64(1) << np.int64(31)  # added to seeds, beyond any number of maps
_SHOWN = 6
_TELLING = 0.25  # of IoU above chance, by which photographs' own boxes must be found
_TYPES = taxonomy.FITZPATRICK_TYPES
Rows = Dict[str, List[Dict[str, Any]]]


@dataclasses.dataclass(frozen=True)
class FidelityProtocol:
    """What is painted and compared.

    Attributes:
      num_images: maps to paint, each in all six skin types (where photographs tell the
        tone of two) and with moved boxes.
      real_split: photographs that say what tone a skin type has.
      map_split: where maps come from, to be varied; its photographs, of the same
        conditions and lesion sizes, are the ceiling of place, contrast and spectrum.
      replicates: of the bootstrap.
      seed: of maps, images, changes and bootstrap.
    """

    num_images: int = 200
    real_split: str = "test"
    map_split: str = "validation"
    replicates: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_images < FEWEST_IMAGES:
            raise ValueError(f"num_images {self.num_images} is too few; at least {FEWEST_IMAGES}")
        if self.replicates < 1:
            raise ValueError(f"replicates {self.replicates} is not positive")


@dataclasses.dataclass(frozen=True)
class Example:
    """One map painted in every way.

    Attributes:
      layout: what the map shows.
      images: uint8 [S, S, 3] by skin type: 1 to 6, and the layout's own; only this one
        where the tone of types cannot be told.
      region: what was found in the image of the layout's own type.
      other_noise: uint8 [S, S, 3], the layout as it is with another noise.
      moved: layout and image with boxes elsewhere; empty where there is no room.
    """

    layout: Layout
    images: Mapping[int, np.ndarray]
    region: Region
    other_noise: np.ndarray
    moved: Tuple[Tuple[Layout, np.ndarray], ...]


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """What was measured of one checkpoint.

    Attributes:
      run_dir: of the generator.
      step: of the checkpoint.
      protocol: everything that the numbers depend on.
      tone: of the skin, by annotated types; None where photographs do not tell the tone of
        two types.
      tone_estimated: the same by types that were estimated from the photographs' colour.
      roi: place and contrast of lesions.
      checkerboard: energy at upsampling frequencies.
      counterfactuals: single changes of the map.
      examples: the first maps, painted.
      notes: what a reader should know.
    """

    run_dir: str
    step: int
    protocol: Mapping[str, Any]
    tone: Optional[Tone]
    tone_estimated: Optional[Tone]
    roi: Comparison
    checkerboard: Comparison
    counterfactuals: Counterfactuals
    examples: Tuple[Example, ...]
    notes: Tuple[str, ...]

    @property
    def tones(self) -> List[Tone]:
        """What was measured of tone, by annotated types first."""
        return [one for one in (self.tone, self.tone_estimated) if one]

    @property
    def verdict(self) -> str:
        """What the numbers mean, in words; by rules of thumb, beside real crops."""
        ours, theirs = self.roi.generated_numbers, self.roi.real_numbers
        half_way = (ours["iou_by_chance"].value + theirs["iou"].value) / 2
        place = "" if ours["iou"].value >= half_way else "not "
        told = f"lesions are {place}where the map says"
        if theirs["iou"].value - theirs["iou_by_chance"].value < _TELLING:
            told += ", as far as colour tells (it hardly tells the photographs' either)"
        tone = "tone was not measured"
        if self.tone_estimated:
            tone = "tone was held against estimated skin types only"
        if self.tone:
            error, ceiling = self.tone.agreement["error"].value, self.tone.ceiling["error"].value
            tone = f"the tone {'obeys' if error <= 2 * ceiling else 'does not obey'} the skin type"
        board = self.checkerboard
        peaks = [side["prominence"].value for side in (board.generated_numbers, board.real_numbers)]
        seen = next(
            (s for n, s in ((1.1, "no"), (1.5, "a faint")) if peaks[0] <= n * peaks[1]), "a"
        )
        return f"{told}; {tone}; {seen} checkerboard of 2 or 4 pixels"

    def as_dict(self) -> Dict[str, Any]:
        """Returns run, numbers and notes for JSON."""
        return {
            "run_dir": self.run_dir,
            "step": self.step,
            "verdict": self.verdict,
            "tone": self.tone.as_dict() if self.tone else None,
            "tone_estimated": self.tone_estimated.as_dict() if self.tone_estimated else None,
            "roi": lesions.as_dict(self.roi),
            "checkerboard": checkerboard.as_dict(self.checkerboard),
            "counterfactuals": self.counterfactuals.as_dict(),
            "notes": list(self.notes),
        }

    def estimates(self) -> Dict[str, Estimate]:
        """Returns all headline numbers by a path-like name, "tone/error/generated" say."""
        board = self.checkerboard
        parts: Dict[str, Dict[str, Mapping[str, Estimate]]] = {
            "roi": {"generated": self.roi.generated_numbers, "real": self.roi.real_numbers},
            "checkerboard": {"generated": board.generated_numbers, "real": board.real_numbers},
        }
        for name, one in (("tone_estimated", self.tone_estimated), ("tone", self.tone)):
            if one:
                parts = {name: {"generated": one.agreement, "real": one.ceiling}, **parts}
        named = {
            f"{part}/{name}/{side}": one
            for part, sides in parts.items()
            for side, numbers in sides.items()
            for name, one in numbers.items()
        }
        changes = self.counterfactuals.numbers
        return {**named, **{f"counterfactuals/{name}": one for name, one in changes.items()}}


def _each(images: ImageSet, what: str) -> Iterator[Tuple[np.ndarray, Layout, str]]:
    what = f"{what} of {images.name} crops"
    with progress.bar(total=len(images), what=what, unit="images") as bar:
        for image, layout, patient in zip(images.dataset(), images.layouts, images.patients):
            yield image.numpy(), layout, patient
            bar.update()


def measure_photographs_tone(images: ImageSet) -> pd.DataFrame:
    """Measures the tone of photographs of known type; see `tone.compare_tone`."""
    rows = [
        {
            "patient": patient,
            "skin_type": layout.skin_type,
            "estimated": estimated,
            "ita": tone.measure_tone(image, layout),
        }
        for (image, layout, patient), estimated in zip(
            _each(images, "tone"), images.types_estimated
        )
        if layout.skin_type
    ]
    return pd.DataFrame(rows, columns=["patient", "skin_type", "estimated", "ita"])


def measure_photographs_lesions(images: ImageSet) -> Tuple[pd.DataFrame, pd.DataFrame]:
    """Measures place and contrast of photographs' lesions, and their spectrum."""
    roi, spectrum = [], []
    for image, layout, patient in _each(images, "lesions"):
        region = localization.find_region(image)
        roi.append({"patient": patient, **lesions.measure_lesion(image, layout, region)})
        spectrum.append({"patient": patient, **checkerboard.measure_spectrum(image)})
    return pd.DataFrame(roi), pd.DataFrame(spectrum)


def paint_examples(
    generator: TrainedGenerator,
    asked: Sequence[Layout],
    seed: int,
    types: Sequence[int] = _TYPES,
) -> Iterator[Example]:
    """Paints maps in skin types, with moved boxes and, as they are, with other noise.

    All but the last of a map share their noise.

    Args:
      generator: paints.
      asked: what the maps show.
      seed: of the noise (image i as of `image_sets.generated_images`) and the moves.
      types: beside the layout's own.

    Yields:
      One example per layout.
    """
    with progress.bar(total=len(asked), what="generated images", unit="images") as bar:
        for start in range(0, len(asked), _CHUNK):
            chunk = asked[start : start + _CHUNK]
            for example in _paint_chunk(generator, chunk, start, seed, types):
                yield example
                bar.update()


def _paint_chunk(
    generator: TrainedGenerator,
    chunk: Sequence[Layout],
    start: int,
    seed: int,
    types: Sequence[int],
) -> List[Example]:
    size = generator.image_size
    indices = range(start, start + len(chunk))
    seeds = np.array(indices, np.int64) + (np.int64(seed) << np.int64(32))
    moved = [
        counterfactuals.move(layout, size, np.random.default_rng([seed, 2, index]))
        for index, layout in zip(indices, chunk)
    ]
    ways = [
        [dataclasses.replace(layout, skin_type=skin_type) for layout in chunk]
        for skin_type in types
    ]
    ways.append([there or layout for there, layout in zip(moved, chunk)])
    if any(layout.skin_type not in types for layout in chunk):
        ways.append(list(chunk))
    images = [generator.generate(layouts.draw(way, size), seeds) for way in ways]
    other_noise = generator.generate(layouts.draw(chunk, size), seeds + _OTHER_NOISE)
    examples = []
    for i, (layout, there) in enumerate(zip(chunk, moved)):
        by_type = {skin_type: images[place][i] for place, skin_type in enumerate(types)}
        own = by_type.setdefault(layout.skin_type, images[-1][i])
        examples.append(
            Example(
                layout=layout,
                images=by_type,
                region=localization.find_region(own),
                other_noise=other_noise[i],
                moved=((there, images[len(types)][i]),) if there else (),
            )
        )
    return examples


def measure_example(example: Example, index: int, real_means: np.ndarray, seed: int) -> Rows:
    """Measures what was painted from one map.

    Args:
      example: the images.
      index: of the map.
      real_means: ITA by skin type, as of `tone.type_means`; the skin type is changed
        to one that has photographs.
      seed: of the choice of that type.

    Returns:
      Rows of "tone", "roi", "spectrum" and "changes".
    """
    layout, region = example.layout, example.region
    own = layout.skin_type
    image = example.images[own]
    degrees = {kind: tone.measure_tone(one, layout) for kind, one in example.images.items()}
    others = [one for one in degrees if one != own and math.isfinite(real_means[one])]
    other = own
    changes: Dict[str, Any] = {**counterfactuals.NOT_MOVED, **counterfactuals.SAME_TYPE}
    if own and others:
        other = int(np.random.default_rng([seed, 3, index]).choice(others))
        regions = (region, localization.find_region(example.images[other]))
        changes |= counterfactuals.change_of_type(
            degrees[own], degrees[other], regions, image.shape[0]
        )
    changes |= {
        "change_by_noise": counterfactuals.change_outside(
            (image, example.other_noise), layout.boxes
        ),
    }
    for there, elsewhere in example.moved:
        found = localization.find_region(elsewhere)
        changes |= counterfactuals.change_of_place((image, elsewhere), (layout, there), found)
    return {
        "tone": [
            {"map": index, "skin_type": skin_type, "ita": ita}
            for skin_type, ita in degrees.items()
            if skin_type
        ],
        "roi": [{"map": index, **lesions.measure_lesion(image, layout, region)}],
        "spectrum": [{"map": index, **checkerboard.measure_spectrum(image)}],
        "changes": [{"map": index, "from_type": own, "to_type": other, **changes}],
    }


class FidelityEvaluator:
    """Measures generators against the photographs of one data set."""

    def __init__(self, data_dir: str, conditions: Sequence[str], protocol: FidelityProtocol):
        """Reads the photographs and samples the maps; measures nothing yet.

        Args:
          data_dir: what `//preprocessing:preprocess` wrote.
          conditions: those the generator was trained on.
          protocol: what is painted and compared.

        Raises:
          ValueError: no such records, too few, or of a size without the frequencies
            of the checkerboard.
        """
        self._data_dir = data_dir
        self._info = records.read_info(data_dir)
        checkerboard.check_size(self._info.image_size)
        self._protocol = protocol
        self._real = self._photographs(protocol.real_split, conditions)
        self._sources = self._photographs(protocol.map_split, conditions)
        self._layouts = layouts.sample(
            self._sources.layouts, protocol.num_images, self._info.image_size, protocol.seed
        )

    def _photographs(self, split: str, conditions: Sequence[str]) -> ImageSet:
        images = image_sets.real_images(self._data_dir, split, conditions)
        if len(images) < FEWEST_IMAGES:
            raise ValueError(
                f"{self._data_dir}: {len(images)} {split} crops of the generator's conditions are "
                f"too few; at least {FEWEST_IMAGES}"
            )
        return images

    def describe(self, generator: TrainedGenerator) -> Dict[str, Any]:
        """Returns everything that the numbers of a generator depend on."""
        return {
            **dataclasses.asdict(self._protocol),
            "interval": "95% percentile bootstrap, by patient and by map",
            "requested_tone": "mean ITA of the real_split photographs of the type",
            "dataset_digest": self._info.digest,
            **self._real.describe("real"),
            **self._sources.describe("map"),
            "generator_digest": generator.digest,
        }

    def evaluate(self, generator: TrainedGenerator) -> Fidelity:
        """Measures one checkpoint.

        Raises:
          ValueError: the generator is of another size, or skin cannot be measured.
        """
        generator.check_dataset(self._data_dir, self._info)
        real_tone = measure_photographs_tone(self._real)
        by_kind = {kind: real_tone[real_tone["estimated"] == kind] for kind in (False, True)}
        # By annotated types, if they tell; by estimated ones apart.
        told = {kind: tone.measured_means(rows) for kind, rows in by_kind.items()}
        means, cannot = told[bool(told[False][1]) and not told[True][1]]
        types = () if cannot else _TYPES
        real_roi, real_spectrum = measure_photographs_lesions(self._sources)
        rows: Rows = collections.defaultdict(list)
        examples = []
        seed = self._protocol.seed
        for index, example in enumerate(paint_examples(generator, self._layouts, seed, types)):
            for kind, measured in measure_example(example, index, means, seed).items():
                rows[kind] += measured
            if index < _SHOWN:
                examples.append(example)
        frames = {kind: pd.DataFrame(measured) for kind, measured in rows.items()}
        bootstrap = {"replicates": self._protocol.replicates, "seed": seed}
        annotated, estimated = (
            None
            if told[kind][1]
            else tone.compare_tone(rows, frames["tone"], **bootstrap, estimated=kind)
            for kind, rows in by_kind.items()
        )
        return Fidelity(
            run_dir=generator.run_dir,
            step=generator.step,
            protocol=self.describe(generator),
            tone=annotated,
            tone_estimated=estimated,
            roi=lesions.compare_lesions(
                real_roi, frames["roi"], self._info.image_size, **bootstrap
            ),
            checkerboard=checkerboard.compare_spectra(
                real_spectrum, frames["spectrum"], **bootstrap
            ),
            counterfactuals=counterfactuals.summarize(frames["changes"], means, **bootstrap),
            examples=tuple(examples),
            notes=self._notes(generator, real_tone, frames["tone"], cannot),
        )

    def _notes(
        self,
        generator: TrainedGenerator,
        real_tone: pd.DataFrame,
        painted_tone: pd.DataFrame,
        cannot: str,
    ) -> Tuple[str, ...]:
        notes = [f"tone was not measured: {cannot}"] if cannot else []
        notes += self._real.notes()
        if real_tone["estimated"].any() and not cannot:
            notes.append(
                "photographs whose skin type was estimated from their colour are compared apart, "
                "and not held against it: they would be compared with themselves"
            )
        share = 0.0 if painted_tone.empty else painted_tone["ita"].isna().mean()
        if share > _MUCH_UNSEEN:
            notes.append(f"no skin is seen outside the boxes of {share:.0%} of generated images")
        patients = real_tone.dropna().groupby(["estimated", "skin_type"])["patient"].nunique()
        few = [
            f"{one}{', estimated' if estimated else ''} ({count})"
            for (estimated, one), count in patients.items()
            if count < _FEW_PATIENTS
        ]
        if few and not cannot:
            notes.append(
                f"few {self._protocol.real_split} patients tell the tone of skin types "
                + ", ".join(few)
            )
        if generator.description["dataset"].get("digest") != self._info.digest:
            notes.append("the generator was trained on another data set than these records")
        return tuple(notes)

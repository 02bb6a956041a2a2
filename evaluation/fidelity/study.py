"""How faithfully a generator paints what its maps ask for.

Photographs and generated images go through the same measurements: tone of the skin,
place and contrast of the lesion, checkerboard; then single changes of the map.
"""

import dataclasses
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pandas as pd

from evaluation.features import image_sets
from evaluation.features.image_sets import ImageSet
from evaluation.fidelity import (
    checkerboard,
    counterfactuals,
    measurements,
    roi_fidelity,
    tone,
    tone_comparison,
)
from evaluation.fidelity.measurements import Rows
from evaluation.fidelity.results import FEWEST_IMAGES, Example, Fidelity, Protocol
from preprocessing.data import records, taxonomy
from synthesis import layouts
from synthesis.trained_generator import TrainedGenerator

_SHOWN = 6
_FEW_PATIENTS = 5
_MUCH_UNSEEN = 0.5


class Evaluator:
    """Measures generators against the photographs of one data set."""

    def __init__(self, data_dir: str, conditions: Sequence[str], protocol: Protocol):
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
            "painted_skin_types": list(taxonomy.FITZPATRICK_TYPES),
            "data_dir": self._data_dir,
            "dataset_digest": self._info.digest,
            "real_images": len(self._real),
            "real_patients": len(set(self._real.patients)),
            "real_digest": self._real.digest,
            "map_images": len(self._sources),
            "map_patients": len(set(self._sources.patients)),
            "map_digest": self._sources.digest,
            "generator_digest": generator.digest,
        }

    def evaluate(self, generator: TrainedGenerator, progress: bool = True) -> Fidelity:
        """Measures one checkpoint.

        Args:
          generator: of a run.
          progress: whether to show bars.

        Raises:
          ValueError: the generator is of another size, or skin cannot be measured.
        """
        generator.check_dataset(self._data_dir, self._info)
        real_tone = measurements.tone_of_photographs(self._real, progress)
        means = tone.measured_means(real_tone)
        sources = measurements.lesions_of_photographs(self._sources, progress)
        rows, shown = self._paint(generator, means, progress)
        painted_tone = rows.frame("tone")
        options = {"replicates": self._protocol.replicates, "seed": self._protocol.seed}
        return Fidelity(
            run_dir=generator.run_dir,
            step=generator.step,
            protocol=self.describe(generator),
            tone=tone_comparison.compare(real_tone, painted_tone, **options),
            roi=roi_fidelity.compare(
                sources.frame("roi"), rows.frame("roi"), self._info.image_size, **options
            ),
            checkerboard=checkerboard.compare(
                sources.frame("spectrum"), rows.frame("spectrum"), **options
            ),
            counterfactuals=counterfactuals.summarize(rows.frame("changes"), means, **options),
            examples=tuple(shown),
            notes=self._notes(generator, real_tone, painted_tone),
        )

    def _paint(
        self, generator: TrainedGenerator, means: np.ndarray, progress: bool
    ) -> Tuple[Rows, List[Example]]:
        rows, shown = Rows(), []
        seed = self._protocol.seed
        painted = measurements.paint(generator, self._layouts, seed, progress)
        for index, example in enumerate(painted):
            measurements.measure_example(example, index, means, seed, rows)
            if index < _SHOWN:
                shown.append(example)
        return rows, shown

    def _notes(
        self, generator: TrainedGenerator, real_tone: pd.DataFrame, painted_tone: pd.DataFrame
    ) -> Tuple[str, ...]:
        notes = []
        share = painted_tone["ita"].isna().mean()
        if share > _MUCH_UNSEEN:
            notes.append(f"no skin is seen outside the boxes of {share:.0%} of generated images")
        patients = real_tone.dropna().groupby("skin_type")["patient"].nunique()
        few = [
            f"{skin_type} ({count})"
            for skin_type, count in patients.items()
            if count < _FEW_PATIENTS
        ]
        if few:
            notes.append(
                f"few {self._protocol.real_split} patients tell the tone of skin types "
                + ", ".join(few)
            )
        if generator.description["dataset"].get("digest") != self._info.digest:
            notes.append("the generator was trained on another data set than these records")
        return tuple(notes)

"""What is known of a generator's fidelity after measuring it."""

import dataclasses
from typing import Any, Dict, Mapping, Tuple

import numpy as np

from evaluation.fidelity.checkerboard import Checkerboard
from evaluation.fidelity.counterfactuals import Counterfactuals
from evaluation.fidelity.localization import Region
from evaluation.fidelity.roi_fidelity import RoiFidelity
from evaluation.fidelity.tone_comparison import Tone
from evaluation.uncertainty.cluster_bootstrap import Estimate
from synthesis.layouts import Layout

FEWEST_IMAGES = 8


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is painted and compared.

    Attributes:
      num_images: maps to paint, each in all six skin types and with moved boxes.
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
    """One map painted in every way, for the eye.

    Attributes:
      layout: what the map shows.
      images: uint8 [S, S, 3] each, in skin types 1 to 6.
      region: what was found in the image of the layout's own type.
      other_noise: uint8 [S, S, 3], the layout as it is with another noise.
      moved: layout and image with boxes elsewhere; empty where there is no room.
    """

    layout: Layout
    images: Tuple[np.ndarray, ...]
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
      tone: of the skin.
      roi: place and contrast of lesions.
      checkerboard: energy at upsampling frequencies.
      counterfactuals: single changes of the map.
      examples: the first maps, painted.
      notes: what a reader should know.
    """

    run_dir: str
    step: int
    protocol: Mapping[str, Any]
    tone: Tone
    roi: RoiFidelity
    checkerboard: Checkerboard
    counterfactuals: Counterfactuals
    examples: Tuple[Example, ...]
    notes: Tuple[str, ...]

    def as_dict(self) -> Dict[str, Any]:
        """Returns run, protocol, numbers and notes for JSON."""
        return {
            "run_dir": self.run_dir,
            "step": self.step,
            "protocol": dict(self.protocol),
            "tone": self.tone.as_dict(),
            "roi": self.roi.as_dict(),
            "checkerboard": self.checkerboard.as_dict(),
            "counterfactuals": self.counterfactuals.as_dict(),
            "notes": list(self.notes),
        }

    def estimates(self) -> Dict[str, Estimate]:
        """Returns all headline numbers by a path-like name, "tone/error/generated" say."""
        sides: Dict[str, Tuple[Mapping[str, Estimate], Mapping[str, Estimate]]] = {
            "tone": (self.tone.agreement, self.tone.ceiling),
            "roi": (self.roi.generated_numbers, self.roi.real_numbers),
            "checkerboard": (
                self.checkerboard.generated_numbers,
                self.checkerboard.real_numbers,
            ),
        }
        named = {
            f"{part}/{name}/{side}": one
            for part, both in sides.items()
            for side, numbers in zip(("generated", "real"), both)
            for name, one in numbers.items()
        }
        for name, one in self.counterfactuals.numbers.items():
            named[f"counterfactuals/{name}"] = one
        return named

"""What is painted to be measured: maps and seeds, the same for every generator."""

import dataclasses
import hashlib
import json
from typing import Any, Dict, List, Sequence, Tuple

from evaluation.features import image_sets
from evaluation.features.image_sets import ImageSet
from evaluation.frechet import diversity
from preprocessing.data import taxonomy
from synthesis import layouts
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

DIVERSITY_MAPS = 32
IMAGES_PER_MAP = 8


@dataclasses.dataclass(frozen=True)
class Painting:
    """Maps to paint.

    Attributes:
      layouts: of the images that distances are measured of.
      same_map: of those that show the diversity of one map, each `IMAGES_PER_MAP`
        times; none where no condition has photographs of two patients.
      sources: by map of `same_map`, which crop it is a variation of.
      seed: image i is painted with a seed made of this one and i.
    """

    layouts: Tuple[Layout, ...]
    same_map: Tuple[Layout, ...]
    sources: Tuple[int, ...]
    seed: int

    def images(self, generator: TrainedGenerator) -> ImageSet:
        """Returns the images to measure, to be painted when they are wanted."""
        return image_sets.generated_images(generator, self.layouts, self.seed)

    def images_of_same_map(self, generator: TrainedGenerator) -> ImageSet:
        """Returns the images of few maps, to be painted when they are wanted."""
        return image_sets.generated_images(generator, self.same_map, self.seed, "same-map")

    def images_digest(self, generator_digest: str, image_size: int) -> str:
        """Returns the digest of `images`, whoever paints them."""
        return image_sets.digest_of_generated(generator_digest, self.layouts, image_size, self.seed)

    def as_dict(self) -> Dict[str, Any]:
        """Returns the maps for JSON: each skin type, condition's code and boxes."""
        return {
            kind: [
                [one.skin_type, taxonomy.code(one.condition), [list(box) for box in one.boxes]]
                for one in several
            ]
            for kind, several in (("generated", self.layouts), ("same_map", self.same_map))
        }

    @property
    def digest(self) -> str:
        """sha256 of maps and seed, as hex."""
        content = {**self.as_dict(), "seed": self.seed}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def plan(
    sources: Sequence[Layout], real: ImageSet, number: int, image_size: int, seed: int
) -> Painting:
    """Chooses what to paint.

    Args:
      sources: layouts of crops, to be varied.
      real: the photographs to compare with.
      number: of images; 0 is twice the number of photographs.
      image_size: rows and columns of the maps.
      seed: of maps and images.
    """
    drawn = layouts.sample(sources, number or 2 * len(real), image_size, seed=seed)
    usable = diversity.conditions_of_two_patients(real.conditions.tolist(), real.patients)
    chosen: List[Tuple[Layout, int]] = [
        (one, index % len(sources)) for index, one in enumerate(drawn) if one.condition in usable
    ][:DIVERSITY_MAPS]
    repeated = tuple(one for one, _ in chosen for _ in range(IMAGES_PER_MAP))
    return Painting(tuple(drawn), repeated, tuple(source for _, source in chosen), seed)

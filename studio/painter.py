"""Paints what the studio's page asks for: any map, with any noise, as marked PNG files."""

import dataclasses
import math
from typing import Any, List, Mapping, Sequence, Tuple

import numpy as np

from model.generator import build_generator
from model.sampling import Code
from model.serving import Painter
from preprocessing.data import manifest, png_encoding, taxonomy
from studio import noise_ends
from studio.noise_ends import PictureNoise
from synthesis import layouts, provenance
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator
from training import precision

MOST_AT_ONCE = 32
_FIELDS = {"condition", "skin_type", "rois", "noise"}


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one picture is painted from."""

    layout: Layout
    noise: PictureNoise


class StudioPainter:
    """Paints pictures of one generator.

    Attributes:
      generator: what with.
    """

    def __init__(self, generator: TrainedGenerator) -> None:
        self.generator = generator
        self._paint = generator.generate
        # Processors without bfloat16 take eight times as long for it as for float32.
        slow = generator.description["precision"] != "float32"
        if slow and precision.choose_precision("auto") == "float32":
            network = build_generator(generator.config, "float32")
            network.set_weights(generator.network.get_weights())
            self._paint = Painter(network).paint

    @property
    def by_region(self) -> bool:
        """Whether the lesion can vary while the skin around it stays."""
        return self.generator.config.lesion_noise > 0

    def picture(self, asked: Any) -> Picture:
        """Reads what a page asks for.

        Args:
          asked: JSON object of condition, skin_type ("1" to "6" or "unknown"), rois (as
            in a manifest) and noise (see `noise_ends`), all text.

        Raises:
          ValueError: another shape, or a value that makes no sense, which is named.
        """
        if not isinstance(asked, Mapping) or set(asked) != _FIELDS:
            raise ValueError(f"a picture is asked for by {', '.join(sorted(_FIELDS))}")
        for name, value in asked.items():
            if not isinstance(value, str):
                raise ValueError(f"{name} {str(value)[:80]!r} is not text")
        condition = taxonomy.canonical(asked["condition"])
        if condition not in self.generator.conditions:
            raise ValueError(f"this generator was not trained on {condition}")
        size = self.generator.image_size
        boxes = manifest.parse_rois(asked["rois"])
        if not boxes:
            raise ValueError("rois: no box, so the map would not say a condition")
        for box in boxes:
            if min(box) < 0 or max(box) > size:
                raise ValueError(
                    f"rois: box {manifest.format_rois([box])!r} is outside the {size}x{size} image"
                )
        layout = Layout(condition, taxonomy.parse_skin_type(asked["skin_type"]), boxes)
        walk = self.generator.config.global_noise > 0
        return Picture(layout, noise_ends.parse(asked["noise"], self.by_region, walk))

    def paint(self, pictures: Sequence[Picture]) -> np.ndarray:
        """Paints pictures, uint8 [B, S, S, 3]; those of a plain seed as `generate` does.

        Of others, the global noise is mixed; noise of pixels is that of the first seed.
        """
        maps = layouts.draw([one.layout for one in pictures], self.generator.image_size)
        seeds = np.array([one.noise.start[0] for one in pictures], np.int64)
        if all(one.noise.seed is not None for one in pictures):
            return self._paint(maps, seeds)
        start = self._codes([one.noise.start for one in pictures])
        end = self._codes([one.noise.end for one in pictures])
        mixed = between(start, end, np.array([one.noise.share for one in pictures], np.float32))
        return self._paint(maps, seeds, Code(mixed, np.zeros_like(mixed)))

    def _codes(self, ends: Sequence[Tuple[int, int]]) -> np.ndarray:
        """Returns the global noise of the seeds around and inside the boxes, [B, N]."""
        around, inside = (
            self.generator.drawn_codes(np.array(seeds, np.int64)) for seeds in zip(*ends)
        )
        first = around.shape[1] - self.generator.config.lesion_noise
        return np.concatenate([around[:, :first], inside[:, first:]], axis=1)

    def png_files(self, pictures: Sequence[Picture]) -> List[bytes]:
        """Paints pictures as PNG files that say by what they were made."""
        digest = self.generator.digest
        return [
            provenance.stamp(
                png_encoding.encode_photograph(pixels),
                provenance.Provenance(
                    digest,
                    one.noise.start[0],
                    one.noise.text if one.noise.seed is None else "",
                ),
            )
            for one, pixels in zip(pictures, self.paint(pictures))
        ]


def between(start: np.ndarray, end: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Returns normal noise on the way from one to another, along a circle.

    So its variance stays what it is.

    Args:
      start: float32 [B, N].
      end: of the same shape.
      shares: of the way, float32 [B], 0 to 1.
    """
    angle = shares[:, None] * np.float32(math.pi / 2)
    return np.cos(angle) * start + np.sin(angle) * end

"""The measurements of `//evaluation:fidelity`, image by image.

Images are painted and measured a few maps at a time, so that memory does not grow with
their number.
"""

import dataclasses
import math
import sys
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from evaluation.features.image_sets import ImageSet
from evaluation.fidelity import checkerboard, counterfactuals, localization, roi_fidelity, tone
from evaluation.fidelity.results import Example
from preprocessing.data import taxonomy
from synthesis import layouts as map_sampler
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

_CHUNK = 16
_OTHER_NOISE = np.int64(1) << np.int64(31)  # added to seeds, beyond any number of maps
_TYPES = taxonomy.FITZPATRICK_TYPES


class Rows:
    """Measurements by kind, row by row."""

    def __init__(self) -> None:
        self._rows: Dict[str, List[Dict[str, Any]]] = {}

    def add(self, kind: str, **row: Any) -> None:
        """Adds one row."""
        self._rows.setdefault(kind, []).append(row)

    def frame(self, kind: str) -> pd.DataFrame:
        """Returns the rows of a kind."""
        return pd.DataFrame(self._rows[kind])


def _bar(total: int, what: str, progress: bool) -> tqdm:
    return tqdm(
        total=total,
        desc=what,
        unit="image",
        file=sys.stderr,
        disable=not progress,
        mininterval=1.0 if sys.stderr.isatty() else 15.0,
    )


def _each(images: ImageSet, what: str, progress: bool) -> Iterator[Tuple[np.ndarray, Layout, str]]:
    with _bar(len(images), f"{what} of {images.name} crops", progress) as bar:
        for image, layout, patient in zip(images.dataset(), images.layouts, images.patients):
            yield image.numpy(), layout, patient
            bar.update()


def tone_of_photographs(images: ImageSet, progress: bool = True) -> pd.DataFrame:
    """Measures the tone of photographs; columns patient, skin_type, ita."""
    rows = [
        {"patient": patient, "skin_type": layout.skin_type, "ita": tone.measure(image, layout)}
        for image, layout, patient in _each(images, "tone", progress)
    ]
    return pd.DataFrame(rows)


def lesions_of_photographs(images: ImageSet, progress: bool = True) -> Rows:
    """Measures place, contrast and spectrum of photographs; kinds "roi", "spectrum"."""
    rows = Rows()
    for image, layout, patient in _each(images, "lesions", progress):
        region = localization.find(image)
        rows.add("roi", patient=patient, **roi_fidelity.measure(image, layout, region))
        rows.add("spectrum", patient=patient, **checkerboard.measure(image))
    return rows


def paint(
    generator: TrainedGenerator, layouts: Sequence[Layout], seed: int, progress: bool = True
) -> Iterator[Example]:
    """Paints maps in all skin types, with moved boxes and, as they are, with other noise.

    All but the last of a map share their noise.

    Args:
      generator: paints.
      layouts: what the maps show.
      seed: of the noise (image i as of `image_sets.generated_images`) and the moves.
      progress: whether to show a bar.

    Yields:
      One example per layout.
    """
    with _bar(len(layouts), "generated images", progress) as bar:
        for start in range(0, len(layouts), _CHUNK):
            chunk = layouts[start : start + _CHUNK]
            for example in _paint_chunk(generator, chunk, start, seed):
                yield example
                bar.update()


def _paint_chunk(
    generator: TrainedGenerator, layouts: Sequence[Layout], start: int, seed: int
) -> List[Example]:
    size = generator.image_size
    indices = range(start, start + len(layouts))
    seeds = np.array(indices, np.int64) + (np.int64(seed) << np.int64(32))
    moved = [
        counterfactuals.move(layout, size, np.random.default_rng([seed, 2, index]))
        for index, layout in zip(indices, layouts)
    ]
    asked = [
        [dataclasses.replace(layout, skin_type=skin_type) for layout in layouts]
        for skin_type in _TYPES
    ]
    asked.append([there or layout for there, layout in zip(moved, layouts)])
    images = [generator.generate(map_sampler.draw(one, size), seeds) for one in asked]
    other_noise = generator.generate(map_sampler.draw(layouts, size), seeds + _OTHER_NOISE)
    return [
        Example(
            layout=layout,
            images=tuple(by_type[i] for by_type in images[:-1]),
            region=localization.find(images[layout.skin_type - 1][i]),
            other_noise=other_noise[i],
            moved=((there, images[-1][i]),) if there else (),
        )
        for i, (layout, there) in enumerate(zip(layouts, moved))
    ]


def measure_example(
    example: Example, index: int, real_means: np.ndarray, seed: int, rows: Rows
) -> None:
    """Measures what was painted from one map.

    Args:
      example: the images.
      index: of the map.
      real_means: ITA by skin type, as of `tone.type_means`; the skin type is changed
        to one that has photographs.
      seed: of the choice of that type.
      rows: receives kinds "tone", "roi", "spectrum" and "changes".
    """
    layout = example.layout
    own, size = layout.skin_type, example.images[0].shape[0]
    image = example.images[own - 1]
    degrees = [tone.measure(one, layout) for one in example.images]
    for skin_type, ita in zip(_TYPES, degrees):
        rows.add("tone", map=index, skin_type=skin_type, ita=ita)
    rows.add("roi", map=index, **roi_fidelity.measure(image, layout, example.region))
    rows.add("spectrum", map=index, **checkerboard.measure(image))
    others = [one for one in _TYPES if one != own and math.isfinite(real_means[one])]
    other = int(np.random.default_rng([seed, 3, index]).choice(others))
    regions = (example.region, localization.find(example.images[other - 1]))
    changes = counterfactuals.change_of_type(degrees[own - 1], degrees[other - 1], regions, size)
    changes["change_by_noise"] = counterfactuals.change_outside(
        (image, example.other_noise), layout.boxes
    )
    for there, elsewhere in example.moved:
        changes.update(
            counterfactuals.change_of_place(
                (image, elsewhere), (layout, there), localization.find(elsewhere)
            )
        )
    row = {**counterfactuals.NOT_MOVED, **changes}
    rows.add("changes", map=index, from_type=own, to_type=other, **row)

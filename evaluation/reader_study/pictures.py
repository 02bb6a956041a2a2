"""The pictures of a reader study: test photographs, and synthetic images like them."""

import collections
import dataclasses
import itertools
from typing import Any, Dict, Iterable, List, Optional, Protocol, Sequence, Tuple

import numpy as np

from common import pseudonyms
from evaluation.features import image_sets
from evaluation.reader_study.design import Photograph, Picture
from preprocessing.data import records
from synthesis import layouts
from synthesis.figures import crop_choice
from synthesis.figures.crop_choice import Crop
from synthesis.layouts import Layout
from synthesis.trained_generator import TrainedGenerator

SPLIT = "test"
Painted = Tuple[List[np.ndarray], List[str]]  # pixels uint8 [S, S, 3]; sources


class Painter(Protocol):
    """Where synthetic images come from.

    Attributes:
      conditions: those it has images of.
      image_size: rows and columns of the images.
      source: what the key says of it.
    """

    conditions: Tuple[str, ...]
    image_size: int
    source: Dict[str, Any]

    def stock(self) -> Optional[Dict[str, int]]:
        """Returns how many images there are by condition; None is as many as are wanted."""

    def paint(self, pictures: Sequence[Picture], seed: int) -> Painted:
        """Returns an image, and what it was made from, for each picture.

        Raises:
          ValueError: there are too few.
        """


class RunPainter:
    """Paints varied validation maps, as in the paper, by the generator of a run."""

    def __init__(self, generator: TrainedGenerator, data_dir: str) -> None:
        self._generator = generator
        self._layouts: Dict[str, List[Layout]] = collections.defaultdict(list)
        for layout in layouts.read_layouts(data_dir, "validation", generator.conditions):
            self._layouts[layout.condition].append(layout)
        self.conditions = tuple(self._layouts)
        self.image_size = generator.image_size
        self.source = {
            "run_dir": generator.run_dir,
            "step": generator.step,
            "digest": generator.digest,
        }

    def stock(self) -> Optional[Dict[str, int]]:
        """Paints as many as are wanted."""
        return None

    def paint(self, pictures: Sequence[Picture], seed: int) -> Painted:
        """Paints a condition's maps in turn, in the wanted skin type; see `Painter`."""
        order = np.random.default_rng([seed, 2])
        turns = {
            name: itertools.cycle(order.permutation(len(stock)).tolist())
            for name, stock in self._layouts.items()
        }
        varied, sources = [], []
        for number, picture in enumerate(pictures):
            stock = self._layouts[picture.condition]
            place = next(turns[picture.condition])
            layout = dataclasses.replace(stock[place], skin_type=picture.skin_type)
            rng = np.random.default_rng([seed, 3, number])
            varied.append(layouts.vary(layout, self.image_size, rng))
            sources.append(f"map {place} of {picture.condition}")
        # The seeds of images are 32 bits and their number.
        images = image_sets.generated_images(self._generator, varied, seed=seed % (1 << 31))
        return list(images.pixels()) if varied else [], sources


class RecordPainter:
    """Takes images from the records of `//synthesis:generate`."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        info = records.read_info(folder)
        self.image_size = info.image_size
        self.source = {"records": folder, "digest": info.digest}
        for record in records.read(folder, "crops", "train", images=False):
            if not record.synthetic:
                raise ValueError(f"{folder}: {record.image_id} is not marked as synthetic")
        self._crops = crop_choice.list_crops(folder, "train")
        self.conditions = tuple(crop_choice.by_condition(self._crops))

    def stock(self) -> Optional[Dict[str, int]]:
        """Has what is in the records."""
        return {name: len(one) for name, one in crop_choice.by_condition(self._crops).items()}

    def paint(self, pictures: Sequence[Picture], seed: int) -> Painted:
        """Takes each image once, of the wanted skin type where there is one; see `Painter`."""
        stock = {
            name: crop_choice.shuffled(crops, name, seed)
            for name, crops in crop_choice.by_condition(self._crops).items()
        }
        taken: List[Crop] = []
        for picture in pictures:
            left = stock[picture.condition]
            if not left:
                wanted = sum(one.condition == picture.condition for one in pictures)
                there = sum(one.layout.condition == picture.condition for one in self._crops)
                raise ValueError(
                    f"{self._folder}: {there} synthetic images of {picture.condition}, the study "
                    f"needs {wanted}"
                )
            taken.append(min(left, key=lambda one: one.layout.skin_type != picture.skin_type))
            left.remove(taken[-1])
        pixels = crop_choice.read_photographs(self._folder, "train", taken)
        return pixels, [crop.image_id for crop in taken]


def photographs_source(data_dir: str) -> Dict[str, Any]:
    """Returns what the key says of the photographs."""
    return {"records": data_dir, "split": SPLIT, "digest": records.read_info(data_dir).digest}


def list_photographs(
    data_dir: str, painter: Painter, conditions: Optional[Iterable[str]] = None
) -> List[Photograph]:
    """Lists the test crops that can be shown.

    Args:
      data_dir: records of photographs.
      painter: of what they are shown beside.
      conditions: wanted ones; all that the painter has by default.

    Raises:
      ValueError: records of another size than the painter's, or no crop of a condition
        that is asked for.
    """
    size = records.read_info(data_dir).image_size
    if size != painter.image_size:
        raise ValueError(
            f"{data_dir}: photographs of {size}x{size} beside synthetic images of "
            f"{painter.image_size}x{painter.image_size}: resolution would tell them apart"
        )
    found = [
        Photograph(
            *(one.index, one.layout.condition, one.layout.skin_type, one.patient_id, one.image_id),
            one.skin_type_source,
        )
        for one in crop_choice.list_crops(data_dir, SPLIT)
        if one.layout.condition in painter.conditions
    ]
    wanted = {one.condition for one in found} if conditions is None else set(conditions)
    lacking = sorted(wanted - {one.condition for one in found})
    if lacking:
        raise ValueError(
            f"{data_dir}: no {SPLIT} crop, or no map to paint from, of {', '.join(lacking)}"
        )
    return [one for one in found if one.condition in wanted]


def fetch_pictures(
    pictures: Iterable[Picture], data_dir: str, painter: Painter, seed: int
) -> Tuple[Dict[str, Picture], Dict[str, np.ndarray]]:
    """Reads photographs and paints synthetic pictures.

    Args:
      pictures: of a study.
      data_dir: records of the photographs.
      painter: of the others.
      seed: of the study.

    Returns:
      The pictures with their sources and skin types, and pixels uint8 [S, S, 3], by id.

    Raises:
      ValueError: the painter has too few.
    """
    chosen = list(pictures)
    real = [one for one in chosen if not one.synthetic]
    crops = {one.index: one for one in crop_choice.list_crops(data_dir, SPLIT)}
    photographs = crop_choice.read_photographs(data_dir, SPLIT, [crops[one.crop] for one in real])
    pixels = {one.picture_id: image for one, image in zip(real, photographs)}
    synthetic = [one for one in chosen if one.synthetic]
    painted, sources = painter.paint(synthetic, seed)
    names = pseudonyms.load_or_create(data_dir)
    known = {
        one.picture_id: dataclasses.replace(one, source=names.name("patient", one.source))
        for one in real
    }
    for one, image, source in zip(synthetic, painted, sources):
        known[one.picture_id] = dataclasses.replace(one, source=source)
        pixels[one.picture_id] = image
    return known, pixels

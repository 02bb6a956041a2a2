"""Pictures, records and a generator of known fidelity, for tests."""

import pathlib
from typing import Any, Iterator, Mapping, Sequence, Tuple

import numpy as np
from skimage import color

from preprocessing.data import maps, records, taxonomy
from preprocessing.data.manifest import Box
from training import testing_data

# ITA by skin type, degrees; [0] is not a type.
TONES = (20.0, 60.0, 48.0, 34.0, 20.0, -5.0, -45.0)
LESION = (35.0, 45.0, 25.0)  # L*, a*, b*: a red disc, unlike all of them


def skin_image(degrees: float, size: int = 64, noise: float = 0.5, seed: int = 0) -> np.ndarray:
    """Returns plain skin of an ITA, lit from one side, uint8 [size, size, 3]."""
    rng = np.random.default_rng(seed)
    yellow = 14.0
    colors = np.empty((size, size, 3))
    colors[...] = (50.0 + yellow * np.tan(np.radians(degrees)), 10.0, yellow)
    colors += rng.normal(0.0, noise, colors.shape)
    colors[..., 0] += np.linspace(-1.5, 1.5, size)
    return _pixels(colors)


def _pixels(colors: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(color.lab2rgb(colors), 0, 1)).astype(np.uint8)


def add_discs(image: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Returns the picture with a lesion, an ellipse, filling every box."""
    image = image.copy()
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    lesion = _pixels(np.array([[LESION]]))[0, 0]
    for box in boxes:
        across = (2 * x - box.x0 - box.x1) / (box.x1 - box.x0)
        along = (2 * y - box.y0 - box.y1) / (box.y1 - box.y0)
        image[across * across + along * along <= 1.0] = lesion
    return image


class PlantedGenerator:
    """Paints what maps ask for, exactly, or with one planted fault.

    Attributes: those of `TrainedGenerator` that evaluations use.
    """

    def __init__(
        self,
        size: int = 64,
        slope: float = 1.0,
        checkerboard: int = 0,
        fixed_lesion: bool = False,
        conditions: Sequence[str] = ("Melanoma",),
    ):
        """Plants faults.

        Args:
          size: rows and columns.
          slope: of the painted tone against `TONES`, about 20 degrees.
          checkerboard: grey levels of a pattern with a period of two pixels.
          fixed_lesion: whether the lesion is in the middle, wherever the boxes are.
          conditions: see `TrainedGenerator`.
        """
        self.image_size = size
        self.conditions = tuple(conditions)
        self.run_dir, self.step, self.digest = "planted", 7, "planted"
        self.description: Mapping[str, Any] = {"dataset": {"digest": "0" * 64}}
        self._slope, self._checkerboard, self._fixed = slope, checkerboard, fixed_lesion

    def check_dataset(self, data_dir: str, info: records.DatasetInfo) -> None:
        """Accepts everything."""

    def generate(self, semantic_maps: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Paints uint8 [B, S, S, 3], each with noise of its seed."""
        return np.stack([self._paint(*one) for one in zip(semantic_maps, seeds)])

    def batches(
        self, semantic_maps: np.ndarray, seeds: np.ndarray, batch_size: int = 32
    ) -> Iterator[np.ndarray]:
        """Paints all as one batch."""
        yield self.generate(semantic_maps, seeds)

    def _paint(self, drawn: np.ndarray, seed: np.int64) -> np.ndarray:
        decoded = maps.decode(drawn)
        size = self.image_size
        degrees = 20.0 + self._slope * (TONES[decoded.skin_type] - 20.0)
        image = skin_image(degrees, size, seed=int(seed))
        rows, columns = np.nonzero(decoded.roi)
        box = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        if self._fixed:
            box = Box(3 * size // 8, 3 * size // 8, 5 * size // 8, 5 * size // 8)
        image = add_discs(image, [box]).astype(int)
        image[::2] += self._checkerboard
        return np.clip(image, 0, 255).astype(np.uint8)


def boxes_at(size: int, number: int, seed: int = 0) -> Tuple[Box, ...]:
    """Returns boxes of about a third of the frame's side, at random places."""
    rng = np.random.default_rng(seed)
    sides = rng.integers(size // 4, size * 2 // 5, (number, 2))
    corners = rng.integers(2, size - sides - 2)
    return tuple(Box(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sides))


def write_dataset(
    folder: str,
    size: int = 64,
    per_split: Sequence[int] = (24, 24, 36),
    condition: str = "Melanoma",
    skin_types: Sequence[int] = taxonomy.FITZPATRICK_TYPES,
) -> None:
    """Writes records of skin of `TONES` with a lesion in a box; a patient has two crops."""
    splits = ("train", "validation", "test")
    testing_data.write_dataset(folder, size, (condition,), per_split, shards=1)
    for seed, (split, number) in enumerate(zip(splits, per_split)):
        crops = []
        for index, box in enumerate(boxes_at(size, number, seed)):
            skin_type = skin_types[index // 2 % len(skin_types)]
            off = 3.0 * (-1) ** (index // 2 // len(skin_types))  # people of a type differ
            image = skin_image(TONES[skin_type] + off, size, seed=1000 * seed + index)
            drawn = maps.encode(skin_type, taxonomy.code(condition), [box], size, size)
            crop = records.Record(
                image_png=testing_data.png(add_discs(image, [box])),
                map_png=testing_data.png(drawn),
                height=size,
                width=size,
                boxes=(box,),
                condition=condition,
                fitzpatrick=skin_type,
                case_id=f"{split}{index}",
                patient_id=f"{split}{index // 2}",
                image_id=f"{split}{index}",
            )
            crops.append(crop)
        path = pathlib.Path(folder, "crops", records.shard_name(split, 0, 1))
        testing_data.write_records(path, crops)

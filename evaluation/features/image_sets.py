"""Sets of images to compare: photographs out of records, and generated ones.

A set knows what every image shows (`Layout`) and whose it is, has a digest of its
content, and yields its pixels as often as they are wanted: from the records or the
generator, a few at a time.
"""

import dataclasses
import hashlib
import sys
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from common import pseudonyms
from preprocessing.data import manifest, records
from synthesis.layouts import Layout, draw, layout_of
from synthesis.trained_generator import TrainedGenerator

NOBODY_NAMED = (
    'each photograph counts as a patient, so "patients" are photographs, and intervals are too '
    "narrow where several show one person"
)
_DRAWN_AT_ONCE = 1024  # maps; a multiple of the batches that are painted


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """Images of one size, in a fixed order.

    Attributes:
      name: for messages, e.g. "test" or "generated".
      digest: sha256 of the content, as hex.
      layouts: what each image shows.
      patients: whose it is, by image; for generated ones, empty texts.
      image_ids: of the photograph, or of the map that was painted.
      skin_type_sources: who says the skin type, by image; see `manifest.SKIN_TYPE_SOURCES`.
      dataset: makes a `tf.data.Dataset` of uint8 [S, S, 3].
      patients_unnamed: whether nobody named patients, so that each photograph is one.
    """

    name: str
    digest: str
    layouts: Tuple[Layout, ...]
    patients: Tuple[str, ...]
    image_ids: Tuple[str, ...]
    skin_type_sources: Tuple[str, ...]
    dataset: Callable[[], tf.data.Dataset]
    patients_unnamed: bool = False

    def __len__(self) -> int:
        return len(self.layouts)

    @property
    def conditions(self) -> np.ndarray:
        """Conditions by image."""
        return np.array([layout.condition for layout in self.layouts])

    @property
    def skin_types(self) -> np.ndarray:
        """Fitzpatrick types by image; 0 is unknown."""
        return np.array([layout.skin_type for layout in self.layouts], int)

    @property
    def types_estimated(self) -> np.ndarray:
        """Whether the skin type is an estimate from the image's own colour, by image."""
        return np.array([manifest.is_estimated(one) for one in self.skin_type_sources], bool)

    @property
    def skin_type_groups(self) -> np.ndarray:
        """The group by skin type, by image; see `manifest.skin_type_group`."""
        pairs = zip(self.skin_types.tolist(), self.skin_type_sources)
        return np.array([manifest.skin_type_group(*pair) for pair in pairs])

    def notes(self) -> Tuple[str, ...]:
        """Returns what a reader of numbers by skin type, or by patient, should know."""
        unknown, estimated = int((self.skin_types == 0).sum()), int(self.types_estimated.sum())
        of = f"of {len(self):,} {self.name} crops"
        notes = []
        if self.patients_unnamed:
            notes.append(NOBODY_NAMED)
        if unknown:
            notes.append(f"{unknown:,} {of} are of unknown skin type: in no number by skin type")
        if estimated:
            notes.append(
                f"the skin types of {estimated:,} {of} are estimates from their colour (ITA), "
                "which agree with annotated ones poorly"
            )
        return tuple(notes)

    def describe(self, prefix: str) -> Dict[str, Any]:
        """Returns what a protocol says of photographs: how many, of how many people, which."""
        return {
            f"{prefix}_images": len(self),
            f"{prefix}_patients": len(set(self.patients)),
            f"{prefix}_digest": self.digest,
            f"{prefix}_skin_types_unknown": int((self.skin_types == 0).sum()),
            f"{prefix}_skin_types_estimated": int(self.types_estimated.sum()),
        }

    def under(self, names: pseudonyms.Pseudonyms) -> "ImageSet":
        """Returns the same images with pseudonyms of their patients and photographs."""
        return dataclasses.replace(
            self,
            patients=tuple(names.name("patient", one) for one in self.patients),
            image_ids=tuple(names.name("photograph", one) for one in self.image_ids),
        )

    def pixels(self) -> np.ndarray:
        """Returns all images at once, uint8 [N, S, S, 3]."""
        return np.stack([image.numpy() for image in self.dataset()])


def real_images(data_dir: str, split: str, conditions: Optional[Iterable[str]] = None) -> ImageSet:
    """Returns the photographs of a split; synthetic images among the records are left out.

    Args:
      data_dir: what `//preprocessing:preprocess` wrote.
      split: "train", "validation" or "test".
      conditions: those to keep; all by default.

    Raises:
      ValueError: no such records, or corrupt ones, or no photograph among them.
    """
    wanted = None if conditions is None else set(conditions)
    digest = hashlib.sha256()
    kept: List[bool] = []  # of all crops of the split
    shown: List[Layout] = []
    patients: List[str] = []
    image_ids: List[str] = []
    sources: List[str] = []
    for record in records.read(data_dir, "crops", split):
        kept.append(not record.synthetic and (wanted is None or record.condition in wanted))
        if kept[-1]:
            digest.update(hashlib.sha256(record.image_png).digest())
            shown.append(layout_of(record))
            patients.append(sys.intern(record.patient_id))
            image_ids.append(record.image_id)
            sources.append(sys.intern(record.fitzpatrick_source))
    if not shown:
        next(records.read(data_dir, "crops", split, conditions))  # of none of them at all
        raise ValueError(
            f"{data_dir}: the {split} crops of the wanted conditions are all synthetic"
        )
    shards = records.list_shards(data_dir, "crops", split)

    def decode(serialized: tf.Tensor) -> tf.Tensor:
        return records.decode_png(records.parse(serialized, ["image/encoded"])["image/encoded"])

    def dataset() -> tf.data.Dataset:
        every = tf.data.Dataset.zip(
            (records.stream(shards), tf.data.Dataset.from_tensor_slices(kept))
        )
        ours = every.filter(lambda _, keep: keep).map(lambda serialized, _: serialized)
        return ours.map(decode, num_parallel_calls=tf.data.AUTOTUNE)

    return ImageSet(
        split,
        digest.hexdigest(),
        *(tuple(shown), tuple(patients), tuple(image_ids), tuple(sources)),
        dataset,
        records.read_info(data_dir).patients_unnamed,
    )


def generated_images(
    generator: TrainedGenerator,
    layouts: Sequence[Layout],
    seed: int = 0,
    name: str = "generated",
    batch_size: int = 32,
) -> ImageSet:
    """Returns images to be painted from maps.

    Args:
      generator: paints them when they are wanted.
      layouts: what the maps show.
      seed: image i is painted with a seed made of this one and i.
      name: for messages.
      batch_size: images painted at once.
    """
    size, seeds = generator.image_size, seeds_of(len(layouts), seed)

    def paint() -> Iterator[np.ndarray]:
        for start in range(0, len(layouts), _DRAWN_AT_ONCE):
            some = slice(start, start + _DRAWN_AT_ONCE)
            yield from generator.batches(draw(layouts[some], size), seeds[some], batch_size)

    def dataset() -> tf.data.Dataset:
        batches = tf.data.Dataset.from_generator(
            paint, output_signature=tf.TensorSpec([None, size, size, 3], tf.uint8)
        )
        return batches.prefetch(2).unbatch()

    empty = ("",) * len(layouts)
    ids = tuple(f"{name}_{index:06d}" for index in range(len(layouts)))
    sources = ("requested",) * len(layouts)
    digest = digest_of_generated(generator.digest, layouts, size, seed)
    return ImageSet(name, digest, tuple(layouts), empty, ids, sources, dataset)


def seeds_of(number: int, seed: int) -> np.ndarray:
    """Returns the seeds that images are painted with, int64 [number]."""
    return np.arange(number, dtype=np.int64) + (np.int64(seed) << np.int64(32))


def digest_of_generated(
    generator_digest: str, layouts: Sequence[Layout], image_size: int, seed: int
) -> str:
    """Returns the digest of `generated_images` by what paints them."""
    digest = hashlib.sha256(generator_digest.encode())
    for layout in layouts:
        digest.update(layout.draw(image_size).tobytes())
    digest.update(seeds_of(len(layouts), seed).tobytes())
    return digest.hexdigest()


def first(images: ImageSet, number: int) -> ImageSet:
    """Returns the first images of a set."""
    if number >= len(images):
        return images
    return dataclasses.replace(
        images,
        digest=hashlib.sha256(f"{images.digest} {number}".encode()).hexdigest(),
        layouts=images.layouts[:number],
        patients=images.patients[:number],
        image_ids=images.image_ids[:number],
        skin_type_sources=images.skin_type_sources[:number],
        dataset=lambda: images.dataset().take(number),
    )

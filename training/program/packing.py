"""What a program is trained on: crops as they are, or the photographs they are cut from."""

import collections
import csv
import io
import os
import pathlib
import zipfile
from typing import Any, Iterable, Iterator, NamedTuple, Optional, Sequence

import numpy as np
from PIL import Image

from common import progress, pseudonyms
from preprocessing.cropping import windows
from preprocessing.data import manifest, photographs, records
from preprocessing.sharding import photograph_records
from preprocessing.sharding.plans import Settings
from training import input_pipeline
from training.program.runner import crops
from training.run import Run

_COLUMNS = ("row", "photograph", "patient", "condition", "skin_type")
_PLACES = ("left", "top", "right", "bottom", "divisor", "orientation", "code", "boxes")
_QUALITY = 92  # of JPEG files that are made anew
_STEP = 0.9  # from one size to the next smaller one that is tried, at most
_SMALLEST = 0.1


def write_shown(run: Run, folder: pathlib.Path) -> int:
    """Writes the crops of the sample grids; returns their number."""
    shown = input_pipeline.fixed_examples(
        run.data_dir, run.info, run.conditions, run.config.training.num_samples
    )
    maps, images = shown["map"].numpy(), shown["image"].numpy()
    jpeg = {}
    for number, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=_QUALITY)
        jpeg[f"image_{number}"] = np.frombuffer(buffer.getvalue(), np.uint8)
    np.savez_compressed(folder / "shown.npz", maps=maps, **jpeg)
    return len(maps)


def _identity(run: Run, names: pseudonyms.Pseudonyms, record: records.Record) -> list[Any]:
    photograph = names.name("photograph", record.image_id)
    patient = names.name("patient", record.patient_id)
    return [photograph, patient, record.condition, record.fitzpatrick]


def write_crops(run: Run, folder: pathlib.Path) -> str:
    """Writes the training crops; returns what was written, in words."""
    size = run.config.model.image_size
    names = pseudonyms.load_or_create(run.data_dir)
    count = input_pipeline.count_examples(run.info, "train", run.conditions)
    arrays = {
        kind: np.lib.format.open_memmap(
            folder / f"train_{kind}.npy", "w+", np.uint8, (count, size, size, 3)
        )
        for kind in ("maps", "images")
    }
    with open(folder / crops.TABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        found = records.read(run.data_dir, "crops", "train", run.conditions)
        for row, record in enumerate(found):
            arrays["maps"][row], arrays["images"][row] = record.semantic_map(), record.image()
            writer.writerow([row, *_identity(run, names, record)])
    for array in arrays.values():
        array.flush()
    return f"{count:,} crops"


class _Packed(NamedTuple):
    """A photograph that is ready to be sent.

    Attributes:
      jpeg: the file, without metadata.
      divisor: that it is decoded at, for the decoder's own reduction.
      orientation: EXIF's, applied after decoding.
      scale: (across, down), pixels of the decoded image per pixel of the photograph.
    """

    jpeg: bytes
    divisor: int
    orientation: int
    scale: tuple[float, float]


def write_photographs(
    run: Run,
    folder: pathlib.Path,
    cases: Sequence[str],
    image_dirs: Sequence[str],
    most: float,
) -> str:
    """Writes the photographs and windows that the training crops were cut from.

    Files of JPEG go as they are, without their metadata; others, and all where they
    would be more than `most` bytes, are made anew, as large as that allows.

    Args:
      run: whose crops.
      folder: receives photographs.zip and crops.csv.
      cases: the manifests that the records were made of.
      image_dirs: of their photographs; by default, their own folders.
      most: bytes of all photographs.

    Returns:
      What was written, in words.

    Raises:
      ValueError: the manifest does not fit the records, or there is no room.
    """
    table = _windows_by_photograph(run)
    found, _, root = manifest.read_several(cases, image_dirs)
    named, rows = ", ".join(cases), {row.image_id: row for row in found}
    settings = _settings(run)
    wanted = collections.Counter(record.image_id for record, _ in table)
    for image_id in wanted:
        if image_id not in rows:
            raise ValueError(f"{named}: has no usable row of {image_id}, which the records show")
    packed = _pack_all([rows[name] for name in wanted], root, settings, most)
    names = pseudonyms.load_or_create(run.data_dir)
    archive_path = folder / crops.PHOTOGRAPHS
    with zipfile.ZipFile(archive_path, "w", zipfile.ZIP_STORED) as archive:
        for image_id, one in packed.items():
            entry = zipfile.ZipInfo(f"{names.name('photograph', image_id)}.jpg")
            archive.writestr(entry, one.jpeg)
    differences = []
    with open(folder / crops.TABLE, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS + _PLACES)
        opened: tuple[str, Optional[Image.Image]] = ("", None)
        for number, (record, window) in enumerate(table):
            one = packed[record.image_id]
            place = _placed(window, one)
            boxes = ";".join(" ".join(map(repr, map(float, box))) for box in record.boxes)
            tail = [*place, one.divisor, one.orientation, record.condition_code, boxes]
            writer.writerow([number, *_identity(run, names, record), *tail])
            if opened[0] != record.image_id:
                opened = record.image_id, crops.decode(one.jpeg, one.divisor, one.orientation)
            differences.append(_difference(record, opened[1], place, run.data_dir, named))
    size = archive_path.stat().st_size / 2**20
    return (
        f"{len(packed):,} photographs ({size:,.1f} MiB) and {len(table):,} windows; their crops "
        f"differ from the records' by {np.mean(differences):.2f} of 255 levels on average, "
        f"{max(differences):.2f} in the worst"
    )


def _settings(run: Run) -> Settings:
    fields = {**run.info.settings}
    names = Settings.__dataclass_fields__
    if not set(fields) >= {"image_size", "full_size"}:
        raise ValueError(f"{run.data_dir}/dataset.json: does not say how its crops were made")
    fields = {name: value for name, value in fields.items() if name in names}
    if "split_fractions" in fields:
        fields["split_fractions"] = tuple(fields["split_fractions"])
    return Settings(**fields)


def _windows_by_photograph(run: Run) -> list[tuple[records.Record, windows.Window]]:
    """Returns the training crops, and the window of each, those of a photograph together."""
    path = pathlib.Path(run.data_dir, "crops.csv")
    if not path.is_file():
        raise ValueError(f"{path}: no such file; records without it cannot go as photographs")
    of_photograph: dict[str, list[windows.Window]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                window = windows.Window(*(int(row[name]) for name in ("x0", "y0", "size")))
                of_photograph.setdefault(row["image_id"], []).append(window)
    table = []
    # Windows stand in the order in which the crops of a photograph were written.
    taken: collections.Counter[str] = collections.Counter()
    for record in records.read(run.data_dir, "crops", "train", run.conditions):
        found = of_photograph.get(record.image_id, [])
        if taken[record.image_id] >= len(found):
            raise ValueError(f"{path}: has no window of a crop of {record.image_id}")
        table.append((record, found[taken[record.image_id]]))
        taken[record.image_id] += 1
    return sorted(table, key=lambda pair: pair[0].image_id)


def _placed(window: windows.Window, one: _Packed) -> tuple[float, ...]:
    corners = (window.x0, window.y0, window.x0 + window.size, window.y0 + window.size)
    return tuple(corner * one.scale[axis % 2] for axis, corner in enumerate(corners))


def _difference(
    record: records.Record,
    image: Optional[Image.Image],
    place: tuple[float, ...],
    data_dir: str,
    cases: str,
) -> float:
    """Returns the mean difference of a crop cut anew, in levels; its map must be the same."""
    assert image is not None
    size = record.height
    drawn = crops.draw_map(size, record.fitzpatrick, record.condition_code, record.boxes)
    if not np.array_equal(drawn, record.semantic_map()):
        raise ValueError(f"{data_dir}: a map of {record.image_id} is not what its boxes say")
    ours = crops.cut(image, place, size).astype(np.float32)
    difference = float(np.abs(ours - record.image()).mean())
    if difference > 16:
        raise ValueError(
            f"{cases}: the photograph of {record.image_id} is not the one that the records of "
            f"{data_dir} were made of: crops differ by {difference:.0f} levels"
        )
    return difference


def _pack_all(
    rows: list[manifest.Photograph],
    image_dir: str,
    settings: Settings,
    most: float,
) -> dict[str, _Packed]:
    """Packs the photographs, at the largest scale at which all fit into `most` bytes."""
    scale = 1.0
    while scale >= _SMALLEST:
        packed, total = {}, 0
        for one in _progress(rows, scale):
            packed[one.image_id] = _pack(one, image_dir, settings, scale)
            total += len(packed[one.image_id].jpeg)
            if total > most:
                break
        else:
            return packed
        expected = total * len(rows) / len(packed)  # bytes grow about as the area
        scale *= min(_STEP, (most / expected) ** 0.5)
    raise ValueError(
        f"{len(rows):,} photographs do not fit into {most / 2**20:.1f} MiB even at a tenth of "
        "their size; raise --max_mib, or leave --photographs out"
    )


def _progress(rows: list[manifest.Photograph], scale: float) -> Iterator[manifest.Photograph]:
    what = "photographs" if scale == 1 else f"photographs at {scale:.0%}"
    with progress.bar(total=len(rows), what=what, unit="photographs") as bar:
        for row in rows:
            yield row
            bar.update(1)


def _pack(row: manifest.Photograph, image_dir: str, settings: Settings, scale: float) -> _Packed:
    path = os.path.join(image_dir, row.image)

    def largest_divisor(size: tuple[int, int]) -> int:
        return photograph_records.largest_divisor(row.rois, size, settings)

    decoded = photographs.decode_photograph(path, settings.max_pixels, largest_divisor)
    if scale == 1:
        whole = 1.0 / decoded.divisor
        with open(path, "rb") as file:
            bare = without_metadata(file.read())
        for orientation in (1, *crops.TURNS) if bare else ():
            # The decoder is the judge of whether nothing was lost.
            ours = crops.decode(bare, decoded.divisor, orientation)
            if ours.size == decoded.image.size and ours.tobytes() == decoded.image.tobytes():
                return _Packed(bare, decoded.divisor, orientation, (whole, whole))
    full = photographs.read_photograph(path, settings.max_pixels)
    size = [max(1, round(length * scale)) for length in full.size]
    small = full if scale == 1 else full.resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY, subsampling=0 if scale == 1 else 2)
    return _Packed(buffer.getvalue(), 1, 1, (small.width / full.width, small.height / full.height))


def without_metadata(jpeg: bytes) -> bytes:
    """Returns a JPEG file without the segments that tell more than its pixels.

    Kept are JFIF's and Adobe's, which say how colours are coded. What follows the
    picture (a phone's second picture, a film) goes too.

    Returns:
      The file; b"" for what is no JPEG, or a damaged one.
    """
    if jpeg[:2] != b"\xff\xd8":
        return b""
    parts = [jpeg[:2]]
    for marker, start, end in _segments(jpeg):
        body = jpeg[start + 4 : end]
        jfif = marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) == 14
        adobe = marker == 0xEE and body.startswith(b"Adobe")
        if jfif or adobe or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            parts.append(jpeg[start:end])
        if marker == 0xD9:
            return b"".join(parts)
    return b""


def _segments(jpeg: bytes) -> Iterable[tuple[int, int, int]]:
    """Yields marker, begin and end of the segments; a scan is one with its data."""
    at = 2
    while at + 4 <= len(jpeg) or jpeg[at : at + 2] == b"\xff\xd9":
        if jpeg[at] != 0xFF:
            return
        marker = jpeg[at + 1]
        if marker == 0xD9:
            yield marker, at, at + 2
            return
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == 0xDA:  # a scan: its data end where a marker is that is none of theirs
            while True:
                end = jpeg.find(b"\xff", end)
                if end < 0 or end + 1 >= len(jpeg):
                    return
                if jpeg[end + 1] != 0 and not 0xD0 <= jpeg[end + 1] <= 0xD7:
                    break
                end += 2
        yield marker, at, end
        at = end

"""Builds a reader study: what readers are asked, their pages, the key."""

import dataclasses
import pathlib
import secrets
import shutil
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from common import files, locks
from evaluation.reader_study import answer_key, design, page
from evaluation.reader_study.answer_key import Key, Reader
from evaluation.reader_study.design import Design, Material, Photograph, Picture
from evaluation.reader_study.page import PageText
from preprocessing.data import taxonomy

if TYPE_CHECKING:
    from evaluation.reader_study.pictures import Painter

_LESS = 0.05  # by which a study is made smaller until there are images enough


@dataclasses.dataclass(frozen=True)
class StudyRequest:
    """What is to be built.

    Attributes:
      numbers: how much of what, by field of `Design`; None is as much as the paper's, or as
        there is.
      readers: how many.
      image_pixels: rows and columns of the image files.
      conditions: to show, in any spelling; all of the painter's by default.
      seed: of choice and order; drawn at random by default.
      text: of the first page.
    """

    numbers: Mapping[str, Optional[int]]
    readers: int = 10
    image_pixels: int = 256
    conditions: Optional[Sequence[str]] = None
    seed: Optional[int] = None
    text: PageText = PageText()


def check_no_study(folder: str, overwrite: bool, move_old_to: Optional[str] = None) -> None:
    """Makes sure that no study and no answers get lost.

    Args:
      folder: where a study is to be built.
      overwrite: whether one without answers may be replaced.
      move_old_to: where a study that is there is to go.

    Raises:
      ValueError: a study is there, and neither is allowed; answers are there, and
        nothing says where they go; or the place to move to is taken.
    """
    if move_old_to is not None:
        target = pathlib.Path(move_old_to)
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ValueError(f"{target}: --move_old_to is a new or an empty folder")
        if pathlib.Path(folder).resolve() in (target.resolve(), *target.resolve().parents):
            raise ValueError(f"{target}: --move_old_to is inside of the study that is to be moved")
        return
    if not answer_key.key_path(folder).exists():
        return
    answers = [path for path in pathlib.Path(folder, "answers").glob("*") if path.name[0] != "."]
    if answers:
        raise ValueError(
            f"{folder}: holds answers to the study that is there, such as {answers[0].name}, and "
            "only its own key can score them; pass --move_old_to=FOLDER to keep both there, or "
            "choose another --output_dir"
        )
    if not overwrite:
        raise ValueError(
            f"{folder}: holds a study, and only its own key can score its answers; choose another "
            "--output_dir or pass --overwrite"
        )


def move_study(folder: str, target: str) -> None:
    """Moves a study with its answers and results, so that it can be scored there.

    The key goes last: a study whose move was cut short is one still.

    Raises:
      ValueError: it is being served.
    """
    pathlib.Path(target).mkdir(parents=True, exist_ok=True)
    if pathlib.Path(folder, "answers").exists():
        with locks.only_writer(pathlib.Path(folder, "answers")):
            pass  # nobody serves it
    for name in ("answers", "results", "hand_out", answer_key.key_path("").parent.name):
        source = pathlib.Path(folder, name)
        if source.exists():
            shutil.move(str(source), str(pathlib.Path(target, name)))


def make_key(
    request: StudyRequest,
    asked: Design,
    seed: int,
    material: Material,
    shown: Mapping[str, Picture],
    sources: Mapping[str, Any],
) -> Key:
    """Returns the key of a study, with tokens that no seed repeats.

    Args:
      request: what is built.
      asked: how much of what.
      seed: of choice and order.
      material: from `choose_material`.
      shown: its pictures by id, with their sources.
      sources: where they come from.
    """
    width = max(2, len(str(request.readers)))
    readers: Dict[str, Reader] = {}
    for number in range(1, request.readers + 1):
        name = f"reader_{number:0{width}d}"
        trials = design.trials_of_reader(material, asked.repeats, seed, number)
        readers[name] = Reader(name, secrets.token_urlsafe(24), trials)
    made_from = {
        **sources,
        "design": dataclasses.asdict(asked),
        "seed": seed,
        "image_pixels": request.image_pixels,
        "jpeg_quality": page.JPEG_QUALITY,
        "conditions": sorted({one.condition for one in shown.values()}),
    }
    return Key(secrets.token_hex(8), made_from, shown, readers)


def write_study(
    folder: str, key: Key, pixels: Mapping[str, np.ndarray], image_pixels: int, text: PageText
) -> None:
    """Writes the pages of a study, and its key.

    Args:
      folder: of the study; pages of an earlier study there are removed.
      key: of the study.
      pixels: uint8 [S, S, 3] by picture id.
      image_pixels: rows and columns of the image files.
      text: of the first page.
    """
    encoded = dict(zip(pixels, page.encode_alike(list(pixels.values()), image_pixels)))
    answer_key.write_key(folder, key)
    for old in answer_key.page_path(folder, "any").parent.glob("reader_*.html"):
        old.unlink()
    for reader in key.readers.values():
        html = page.render_page(key.study, reader, encoded, text)
        files.write_text(answer_key.page_path(folder, reader.name), html)


def build_study(
    request: StudyRequest,
    folder: str,
    data_dir: str,
    painter: "Painter",
    move_old_to: Optional[str] = None,
) -> str:
    """Builds a study.

    Args:
      request: what.
      folder: where.
      data_dir: records of photographs.
      painter: of synthetic images.
      move_old_to: where a study that is in the folder goes, with its answers.

    Returns:
      What was built, for the screen.

    Raises:
      ValueError: too few photographs or synthetic images, or images of another size.
    """
    from evaluation.reader_study import pictures  # TensorFlow, which nothing else here needs

    seed = secrets.randbits(48) if request.seed is None else request.seed
    wanted = request.conditions and [taxonomy.canonical(name) for name in request.conditions]
    photographs = pictures.list_photographs(data_dir, painter, wanted)
    asked, material = _choose(request.numbers, photographs, painter.stock(), seed)
    shown, pixels = pictures.fetch_pictures(material.pictures.values(), data_dir, painter, seed)
    sources = {"real": pictures.photographs_source(data_dir), "synthetic": painter.source}
    key = make_key(request, asked, seed, material, shown, sources)
    if move_old_to is not None:
        move_study(folder, move_old_to)
    write_study(folder, key, pixels, request.image_pixels, request.text)
    fewer = _fewer(request.numbers, asked, len({one.image_id for one in photographs}))
    return _summary(asked, folder, material, key, fewer)


def _choose(
    numbers: Mapping[str, Optional[int]],
    photographs: Sequence[Photograph],
    stock: Optional[Mapping[str, int]],
    seed: int,
) -> Tuple[Design, Material]:
    """Chooses as much as was asked for; of what was left open, as much as there is.

    Args:
      numbers: by field of `Design`; None is open.
      photographs: to choose from.
      stock: synthetic images by condition; None is without end.
      seed: of the study.
    """
    for share in np.arange(1.0, 0.0, -_LESS):
        asked = design.fit(numbers, photographs, share)
        material = design.choose_material(asked, photographs, seed)
        painted = [one.condition for one in material.pictures.values() if one.synthetic]
        lacks = stock is not None and any(
            painted.count(name) > stock.get(name, 0) for name in {*painted}
        )
        if not lacks or None not in numbers.values():
            break
    return asked, material


def _fewer(numbers: Mapping[str, Optional[int]], asked: Design, photographs: int) -> str:
    """Returns what was reduced below the paper's numbers unasked, in words."""
    reduced = [
        f"{name} {getattr(Design, name)} to {number}"
        for name, number in dataclasses.asdict(asked).items()
        if numbers.get(name) is None
        and number < getattr(Design, name)
        and (name != "synthetic" or numbers.get("real") is None)
    ]
    if not reduced:
        return ""
    reason = f"{photographs} different photographs to show"
    if not asked.questions and numbers.get("questions") is None:
        named = [one for one in reduced if not one.startswith(("questions", "images_per"))]
        reduced = [*named, "no relevance test, which needs two conditions"]
    return f"  note: reduced, with {reason}: {', '.join(reduced)}"


def _summary(asked: Design, folder: str, material: Material, key: Key, fewer: str) -> str:
    real = sum(not one.synthetic for one in material.pictures.values())
    first_page = answer_key.page_path(folder, next(iter(key.readers)))
    conditions = len(key.made_from["conditions"])
    lines: List[str] = [
        f"Reader study {key.study}: {len(key.readers)} readers, {real} photographs and "
        f"{len(material.pictures) - real} synthetic images, "
        f"{conditions} condition{'s' if conditions > 1 else ''}"
    ]
    if asked.real:
        shown = f"{asked.real} + {asked.synthetic} pictures, {asked.repeats} shown twice"
        lines.append(f"  realism    {shown}")
    if asked.pairs:
        lines.append(f"  pairs      {asked.pairs}")
    if asked.questions:
        shown = f"{asked.questions} questions of {asked.images_per_question} images"
        lines.append(f"  relevance  {shown}")
    size = first_page.stat().st_size / 1e6
    lines += [
        f"  pages      {first_page.parent}  ({size:.1f} MB each)",
        f"  key        {answer_key.key_path(folder)}  DO NOT HAND OUT",
    ]
    if fewer:
        lines.append(fewer)
    if material.reused:
        lines.append(f"  note: {material.reused} photographs are in more than one part; the test")
        lines.append("  split has too few for all. Parts are then not quite independent.")
    lines += [
        "next: give each reader one page and collect their files in "
        f"{folder}/answers, or let them answer over the network:",
        f"  bazel run //evaluation:reader_study -- serve --study_dir={folder}",
    ]
    return "\n".join(lines)

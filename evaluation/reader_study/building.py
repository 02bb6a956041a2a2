"""Builds a reader study from test photographs and a painter of synthetic images."""

import secrets
from typing import Any, List, Mapping

from evaluation.reader_study import assembly, choice
from evaluation.reader_study import key as reader_study_key
from evaluation.reader_study import pictures as reader_study_pictures
from evaluation.reader_study.assembly import Request
from evaluation.reader_study.design import Design, Material
from evaluation.reader_study.key import Key
from evaluation.reader_study.pictures import Painter


def build(
    request: Request, folder: str, data_dir: str, painter: Painter, sources: Mapping[str, Any]
) -> str:
    """Builds a study.

    Args:
      request: what.
      folder: where.
      data_dir: records of photographs.
      painter: of synthetic images.
      sources: where both come from, for the key.

    Returns:
      What was built, for the screen.

    Raises:
      ValueError: too few photographs or synthetic images, or images of another size.
    """
    seed = secrets.randbits(48) if request.seed is None else request.seed
    photographs = reader_study_pictures.list_photographs(data_dir, painter, request.conditions)
    material = choice.choose(request.design, photographs, seed)
    pictures, pixels = reader_study_pictures.fetch(
        material.pictures.values(), data_dir, painter, seed
    )
    key = assembly.make_key(request, seed, material, pictures, sources)
    assembly.write(folder, key, pixels, request.image_pixels, request.text)
    return _summary(request, folder, material, key)


def _parts(design: Design) -> List[str]:
    lines = []
    if design.real:
        shown = f"{design.real} + {design.synthetic} pictures, {design.repeats} shown twice"
        lines.append(f"  realism    {shown}")
    if design.pairs:
        lines.append(f"  pairs      {design.pairs}")
    if design.questions:
        shown = f"{design.questions} questions of {design.images_per_question} images"
        lines.append(f"  relevance  {shown}")
    return lines


def _summary(request: Request, folder: str, material: Material, key: Key) -> str:
    real = sum(not one.synthetic for one in material.pictures.values())
    page = reader_study_key.page_path(folder, next(iter(key.readers)))
    lines = [
        f"Reader study {key.study}: {len(key.readers)} readers, {real} photographs and "
        f"{len(material.pictures) - real} synthetic images, "
        f"{len(key.made_from['conditions'])} conditions",
        *_parts(request.design),
        f"  pages      {page.parent}  ({page.stat().st_size / 1e6:.1f} MB each)",
        f"  key        {reader_study_key.key_path(folder)}  DO NOT HAND OUT",
    ]
    if material.reused:
        lines.append(f"  note: {material.reused} photographs are in more than one part; the test")
        lines.append("  split has too few for all. Parts are then not quite independent.")
    lines += [
        "next: give each reader one page and collect their files in "
        f"{folder}/answers, or let them answer over the network:",
        f"  bazel run //evaluation:reader_study -- serve --study_dir={folder}",
    ]
    return "\n".join(lines)

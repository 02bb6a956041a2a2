"""Writes procedural clinical photographs with known truth, as files with a manifest."""

import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
from typing import Callable, List, Optional

import numpy as np
from PIL import Image

from common import files, progress
from preprocessing.data import manifest
from preprocessing.demo import patients, render, skin_surface

_FORMAT_QUALITY = 92
_ROTATE = {
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}


def save_photograph(image: np.ndarray, orientation: int, path: pathlib.Path) -> None:
    """Writes a JPEG; a turned camera stores turned pixels and says so in EXIF."""
    picture = Image.fromarray(image)
    exif = Image.Exif()
    if orientation != 1:
        picture = picture.transpose(_ROTATE[orientation])
        exif[0x0112] = orientation
    with files.replacing(path) as temporary:
        picture.save(temporary, "JPEG", quality=_FORMAT_QUALITY, exif=exif)


def _write_case(job: patients.Job, folder: str) -> List[manifest.Photograph]:
    """Renders and writes the photographs of a case; returns their rows."""
    seeds = [
        int(np.random.SeedSequence([job.seed, kind, number]).generate_state(1)[0])
        for kind, number in ((2, job.patient), (3, job.index))
    ]
    rows = []
    for number, description in enumerate(
        patients.describe_case(job.condition, job.skin_type, seeds[0], seeds[1])
    ):
        rng = np.random.default_rng([job.seed, 4, job.index, number])
        image, truth = render.render(description, rng)
        if not truth.rois:
            continue
        image_id = f"demo_{job.index:05d}_{number + 1}"
        save_photograph(
            image, description.camera.orientation, pathlib.Path(folder, "images", image_id + ".jpg")
        )
        lab = description.surface.lab
        rows.append(
            manifest.Photograph(
                case_id=f"case_{job.index:05d}",
                patient_id=f"patient_{job.patient:05d}",
                image_id=image_id,
                image=f"images/{image_id}.jpg",
                condition=job.condition,
                fitzpatrick=job.skin_type,
                rois=truth.rois,
                extra={
                    "true_ita": f"{skin_surface.ita(lab[0], lab[2]):.2f}",
                    "body_part": description.scene.part,
                },
            )
        )
    return rows


def write_demo_cases(
    output_dir: str,
    num_cases: int = 240,
    seed: int = 0,
    overwrite: bool = False,
    workers: Optional[int] = None,
) -> str:
    """Writes a data set of procedural clinical photographs.

    Args:
      output_dir: gets `cases.csv` and `images/*.jpg`; 600 x 800 to 960 x 1280
        pixels, some of them turned by their EXIF tag.
      num_cases: consultations, of 1 to 3 photographs each.
      seed: another seed is another set of patients. The same seed gives the same
        files for any number of workers.
      overwrite: replace what is there.
      workers: processes; None for one per core.

    Returns:
      The path of `cases.csv`.

    Raises:
      ValueError: the folder is not empty and `overwrite` is false, or `num_cases`
        is not positive.
    """
    if num_cases < 1:
        raise ValueError(f"num_cases must be at least 1, not {num_cases}")
    target = pathlib.Path(output_dir)
    if target.is_file():
        raise ValueError(f"{target}: is a file, not a folder")
    if target.is_dir() and any(target.iterdir()) and not overwrite:
        raise ValueError(f"{target}: is not empty; choose another folder or say --overwrite")
    cases = target / "cases.csv"
    cases.unlink(missing_ok=True)
    (target / "images").mkdir(parents=True, exist_ok=True)
    for old in (target / "images").glob("demo_*.jpg*"):
        old.unlink()
    jobs = patients.plan(num_cases, seed)
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    with contextlib.ExitStack() as stack:
        draw: Callable = map
        if workers > 1:
            # Not "fork": TensorFlow's threads do not survive it.
            context = multiprocessing.get_context("spawn")
            pool = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
            draw = functools.partial(stack.enter_context(pool).map, chunksize=2)
        drawn = draw(functools.partial(_write_case, folder=str(target)), jobs)
        rows = list(progress.bar(drawn, len(jobs), "demo cases", "cases"))
    manifest.write_cases(str(cases), [row for case in rows for row in case])
    return str(cases)

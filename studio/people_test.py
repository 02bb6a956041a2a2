"""A small pipeline, and a search of all that may leave the machine for names of people."""

import io
import itertools
import pathlib
import re
import shutil
import tempfile
import zipfile

import numpy as np
import pandas as pd
from absl.testing import absltest
from PIL import Image

from common.testing_programs import run_program
from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph
from training import testing_data

# In every patient, case and photograph id and in every file name; as NumPy has it, too.
_WORDS = ("NAMEOFPATIENT", "NAMEOFCASE", "NAMEOFPHOTO", "NAMEOFFILE")
_NAMES = re.compile(
    b"|".join(word.encode(coding) for word in _WORDS for coding in ("ascii", "utf-32-le")), re.I
)
_TRIAL = ("--feature_network=embedded", "--cache_dir=cache")
# Whatever stays with the photographs: records, and what is decoded of them for speed.
_STAYS = ("photographs", "records", "cache", "runs/small/evaluation/augmentation/cache")
# Program, flags.
_PIPELINE = (
    ("preprocessing.preprocess", "--cases=photographs/cases.csv", "--output_dir=records",
     "--image_size=32", "--full_size=32", "--nofind_duplicates", "--direct_num_workers=1"),
    ("training.train", "--data_dir=records", "--workdir=runs/small", *testing_data.SMALL_SETTINGS,
     "--config.encoder.base_filters=4", "--config.loss.kl=0.1", "--config.loss.code=0.1",
     "--config.training.steps=2"),
    ("synthesis.export", "--output_dir=exported"),
    ("synthesis.generate", "--num_images=4", "--output_dir=generated", "--format=png",
     "--batch_size=4", "--like=NAMEOFPHOTO_0"),
    ("synthesis.gallery", "--per_condition=1", "--num_conditions=2", "--output=gallery.png"),
    ("synthesis.sweep", "--kind=skin_type", "--rows=2", "--output=sweep.png"),
    ("training.export_program", "--workdir=runs/small", "--output_dir=program"),
    ("training.export_program", "--workdir=runs/small", "--output_dir=small_program",
     "--photographs=photographs/cases.csv"),
    ("evaluation.export_features", "--program=program", "--data_dir=records", *_TRIAL),
    ("evaluation.fid", "--trials=4", "--partings=2", *_TRIAL),
    ("evaluation.fidelity", "--num_images=8"),
    ("evaluation.memorization", "--num_images=12", "--num_planted=4", "--alpha=0.2",
     "--max_copy_rate=-1", *_TRIAL),
    ("evaluation.augmentation", "--arms=real+synthetic", "--seeds=0", "--num_synthetic=12",
     "--config.model.input_size=32", "--config.training.steps=2",
     "--config.training.validate_every=1", "--config.training.batch_size=4"),
    ("evaluation.reader_study", "build", "--output_dir=study", "--real=6", "--synthetic=6",
     "--repeats=2", "--pairs=2", "--questions=2", "--images_per_question=4", "--readers=2",
     "--image_pixels=32"),
    ("evaluation.report",),
)  # fmt: skip


def _write_photographs(folder: pathlib.Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    splits = ["train"] * 12 + ["validation"] * 10 + ["test"] * 16
    for number, split in enumerate(splits):
        pixels = rng.integers(0, 20, (60, 80, 3)) + np.array([200 - 3 * number, 150, 120])
        box = Box(20, 15, 50, 45)
        pixels[15:45, 20:50] //= 2
        name = f"NAMEOFFILE_{number}.jpg"
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
        rows.append(
            Photograph(
                f"NAMEOFCASE_{number}",
                f"NAMEOFPATIENT_{number}",
                f"NAMEOFPHOTO_{number}",
                name,
                ("Acne", "Melanoma")[number % 2],
                1 + number % 6,
                (box,),
                split,
            )  # fmt: skip
        )
    manifest.write_cases(str(folder / "cases.csv"), rows)


def _texts(path: pathlib.Path, content: bytes):
    """Yields what a file holds, unpacked where it is packed."""
    yield path.as_posix().encode()
    yield content
    if path.suffix in (".zip", ".npz"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from _texts(pathlib.Path(name), archive.read(name))
    if path.suffix == ".parquet":
        yield pd.read_parquet(io.BytesIO(content)).to_csv().encode()


class PeopleTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def _found(self):
        """Returns the files that name somebody, by path."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            place = path.relative_to(self.root)
            if not path.is_file() or any(place.is_relative_to(one) for one in _STAYS):
                continue
            hits = (_NAMES.search(text) for text in _texts(place, path.read_bytes()))
            hit = next(itertools.chain(filter(None, hits), [None]))
            if hit:
                found[str(place)] = hit[0]
        return found

    def test_what_leaves_the_machine_names_nobody(self):
        _write_photographs(self.root / "photographs")
        for program, *flags in _PIPELINE:
            done = run_program(program, *flags, folder=str(self.root))
            self.assertEqual(done.returncode, 0, f"{program}: {done.stderr}")
        for name in (
            *("exported/MODEL_CARD.md", "generated/cases.csv", "program/crops.csv"),
            *("small_program/photographs.zip", "study/hand_out/reader_01.html"),
            *("runs/small/evaluation/memorization.csv", "runs/small/evaluation/report.html"),
            "runs/small/evaluation/augmentation/predictions/real/test_seed_0.parquet",
        ):
            self.assertTrue((self.root / name).is_file(), name)
        self.assertEqual(self._found(), {})
        # The search sees names where there are some.
        for name in ("a.parquet", "b.npz", "NAMEOFFILE_1.txt"):
            (self.root / name).touch()
        pd.DataFrame({"patient_id": ["NAMEOFPATIENT_1"] * 99}).to_parquet(self.root / "a.parquet")
        np.savez_compressed(self.root / "b.npz", names=np.array(["NAMEOFCASE_1"]))
        self.assertCountEqual(self._found(), ["a.parquet", "b.npz", "NAMEOFFILE_1.txt"])

        # Who asks where a patient's photographs went is told.
        done = run_program(
            "preprocessing.inspect_data", "--patient=NAMEOFPATIENT_0", folder=str(self.root)
        )
        for line in ("records: records of the patient: 1 in crops/train, 1 in full/train",
                     "program/crops.csv", "small_program/photographs.zip",
                     "photographs/NAMEOFFILE_0.jpg: photograph of the patient",
                     "generated/manifest.json", "runs/small/config.json"):  # fmt: skip
            self.assertIn(line, done.stdout)


if __name__ == "__main__":
    absltest.main()

import csv
import json
import pathlib
import shutil
import tempfile

import numpy as np
import pandas as pd
from absl.testing import absltest
from PIL import Image

from common import pseudonyms
from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph
from preprocessing.inspection import whereabouts
from preprocessing.sharding import pipeline, plans


class WhereaboutsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = root = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, root)
        rng = np.random.default_rng(0)
        rows = []
        for number in range(6):
            pixels = rng.integers(90, 200, (60, 80, 3), np.uint8)
            Image.fromarray(pixels).save(root / f"IMG_{number}.jpg")
            owner = f"Ms {'ABC'[number // 2]}"
            rows.append(
                Photograph(f"visit {number // 2}", owner, f"IMG_{number}", f"IMG_{number}.jpg",
                           "Acne", 3, (Box(9, 9, 50, 40),))
            )  # fmt: skip
        manifest.write_cases(str(root / "cases.csv"), rows)
        settings = plans.Settings(image_size=32, full_size=32, find_duplicates=False)
        info = pipeline.preprocess(str(root / "cases.csv"), str(root / "records"), settings)
        cls.names = names = pseudonyms.load_or_create(root / "records")
        cls.theirs = names.name("patient", "Ms B")
        for folder, name, content in (
            ("run", "config.json", {"dataset": {"digest": info.digest}}),
            ("other_run", "config.json", {"dataset": {"digest": "0" * 64}}),
            ("study/private", "answer_key.json", {"source": cls.theirs}),
            ("generated", "manifest.json", {"code": names.name("photograph", "IMG_2")}),
        ):
            (root / folder).mkdir(parents=True)
            (root / folder / name).write_text(json.dumps(content))
        (root / "program").mkdir()
        (root / "program" / "program.json").write_text("{}")
        with open(root / "program" / "crops.csv", "w", newline="") as file:
            csv.writer(file).writerows([("row", "patient"), (0, names.name("patient", "Ms A")),
                                        (1, cls.theirs)])  # fmt: skip
        patients = [names.name("patient", one) for one in ("Ms A", "Ms B")]
        pd.DataFrame({"patient_id": patients * 50}).to_parquet(root / "run" / "said.parquet")

    def test_finds_what_holds_or_was_made_of_a_patient(self):
        for asked in ("Ms B", self.theirs):
            found = whereabouts.find(asked, str(self.root))
            places = {str(one.path.relative_to(self.root)): (one.kind, one.why) for one in found}
            self.assertCountEqual(
                places,
                ["records", "cases.csv", "IMG_2.jpg", "IMG_3.jpg", "records/crops.csv",
                 "run/config.json", "run/said.parquet", "study/private/answer_key.json",
                 "generated/manifest.json", "program/crops.csv"],
            )  # fmt: skip
            self.assertEqual(places["cases.csv"][1], "names the patient in rows 4, 5")
            self.assertRegex(places["records"][1], r"2 in crops/\w+, 2 in full/\w+")
            self.assertEqual(places["run/config.json"][0], "run")
            self.assertEqual(places["program/crops.csv"][0], "program")
            self.assertEqual(places["study/private/answer_key.json"][0], "key of a study")
            shown = whereabouts.text(asked, str(self.root), found)
            self.assertIn("IMG_2.jpg: photograph of the patient", shown)

    def test_nothing(self):
        found = whereabouts.find("Ms", str(self.root))
        self.assertEmpty(found)
        self.assertIn("Ms: nothing in ", whereabouts.text("Ms", str(self.root), found))
        with self.assertRaisesRegex(ValueError, "gone: no such folder"):
            whereabouts.find("Ms B", str(self.root / "gone"))


if __name__ == "__main__":
    absltest.main()

import os

import pandas as pd
from absl.testing import absltest

from common.testing_programs import run_program
from training import testing_data


class GridSearchWithFidTest(absltest.TestCase):
    def test_compares_by_the_distance_to_photographs(self):
        folder = self.create_tempdir().full_path
        testing_data.write_dataset(os.path.join(folder, "data"), per_split=(16, 16, 4))
        settings = [
            "--data_dir=data",
            "--workdir=search",
            "--trials=2",
            "--feature_network=embedded",
            "--l1=1,100",
            "--roi=1",
            "--feature_matching=1",
            "--steps=2",
            *testing_data.SMALL_SETTINGS,
        ]
        done = run_program("evaluation.grid_search_with_fid", *settings, folder=folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = pd.read_csv(os.path.join(folder, "search", "grid_search.csv"))
        (name,) = (one for one in table.columns if one.startswith("objective."))
        self.assertRegex(name, r"^objective\.frechet_random_224_[0-9a-f]{6}$")
        distances = table[name]
        self.assertLen(distances, 2)
        self.assertEqual(distances.tolist(), sorted(distances))
        self.assertGreater(distances.min(), 0)
        self.assertEqual(set(table["loss.l1"]), {1.0, 100.0})


if __name__ == "__main__":
    absltest.main()

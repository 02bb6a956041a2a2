"""Preprocessing on Dask's distributed engine, of which a worker is killed."""

import pathlib
import shutil

import distributed
import numpy as np
from absl.testing import absltest
from PIL import Image

from common import files, testing_s3
from preprocessing.data import manifest
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import pipeline, plans, testing_dask

_SETTINGS = plans.Settings(image_size=32, full_size=48, photographs_per_shard=2)


def _write_data(folder, count):
    rng = np.random.default_rng(0)
    rows = []
    for n in range(count):
        pixels = np.array((204, 158, 122)) + rng.normal(0, 3, (60, 80, 3))
        pixels[20:40, 30:50] *= 0.5
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{n}.jpg")
        place = (f"{n}.jpg", "Acne", 3, (Box(30, 20, 50, 40),))
        rows.append(Photograph(f"c{n}", f"p{n}", f"i{n}", *place))
    manifest.write_cases(str(folder / "cases.csv"), rows)
    return str(folder / "cases.csv")


def _contents(output):
    names = ["crops.csv", "rejected.csv", "duplicates.csv", "contact_sheet.png", "dataset.json"]
    paths = [files.at(output) / name for name in names]
    for kind in ("crops", "full"):
        paths += files.list_folder(f"{output}/{kind}")
    return {str(path).removeprefix(output): files.sha256_of(path) for path in paths}


class DaskTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())
        cls.root = pathlib.Path(absltest.TEST_TMPDIR.value) / "dask"
        shutil.rmtree(cls.root, ignore_errors=True)
        cls.root.mkdir(parents=True)
        cls.cases = _write_data(cls.root, 40)
        pipeline.preprocess(cls.cases, str(cls.root / "direct"), _SETTINGS)
        cls.expected = _contents(str(cls.root / "direct"))

    def test_the_same_bytes_by_two_workers(self):
        output = str(self.root / "dask")
        with (
            testing_dask.cluster(2) as cluster,
            distributed.get_task_stream(cluster.client) as tasks,
        ):
            pipeline.preprocess(self.cases, output, _SETTINGS, beam_args=cluster.beam_args)
        self.assertEqual(_contents(output), self.expected)
        self.assertLen({task["worker"] for task in tasks.data}, 2)

    def test_a_worker_is_killed_and_the_job_completes_in_object_storage(self):
        output = f"s3://{testing_s3.BUCKET}/killed"
        marker = f"PUT /{testing_s3.BUCKET}/killed/.unfinished/.job/done/"
        testing_dask.run_and_kill_a_worker(
            lambda beam_args: pipeline.preprocess(
                self.cases, output, _SETTINGS, beam_args=beam_args
            ),
            lambda: sum(one.startswith(marker) for one in self.server.requests) >= 5,
        )
        self.assertEqual(_contents(output), self.expected)
        written = [one for one in self.server.requests if one.startswith(marker)]
        self.assertBetween(len(written), len(set(written)), len(set(written)) + 1)


if __name__ == "__main__":
    absltest.main()

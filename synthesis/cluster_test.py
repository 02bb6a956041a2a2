"""Generation into object storage, on this machine and on Dask's distributed engine."""

import hashlib
import os
import re
import tempfile
from unittest import mock

from absl.testing import absltest

from common import files, testing_s3
from preprocessing.data import fetching, records
from preprocessing.sharding import testing_dask
from synthesis import generation, layouts, trained_generator
from training import testing_data


def _contents(folder):
    paths = [path for kind in ("crops", "images") for path in files.list_folder(f"{folder}/{kind}")]
    paths += [files.at(folder) / name for name in ("cases.csv", "dataset.json", "manifest.json")]
    return {
        str(path).removeprefix(folder): hashlib.sha256(files.read_bytes(path)).hexdigest()
        for path in paths
    }


class GenerateInStorageTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())
        folder = cls.enter_context(tempfile.TemporaryDirectory())
        cls.generator = trained_generator.load(testing_data.train_run(folder, steps=2).workdir)
        sources = layouts.read_layouts(os.path.join(folder, "data"), "validation")
        cls.layouts = [sources[number % len(sources)] for number in range(10)]
        local = os.path.join(folder, "out")
        generation.generate(cls._job(local), cls.generator)
        cls.expected = _contents(local)
        assert len(cls.expected) == 3 + 10 + 3, cls.expected

    @classmethod
    def _job(cls, output_dir):
        request = {"num_images": 10}
        sizes = {"batch_size": 4, "images_per_shard": 4, "png": True}
        return generation.Job(output_dir, request, cls.layouts, **sizes)

    def setUp(self):
        super().setUp()
        self.output = f"s3://{testing_s3.BUCKET}/{self.id()}"
        self.addCleanup(self.server.allow)

    def test_a_failing_put_and_a_listing_that_lags(self):
        self.server.fail("PUT .*/images/synthetic_00000005.png", 1000, status=403)
        with self.assertRaisesRegex(ValueError, "train-00001-of-00003.tfrecord: .*Forbidden.*goes"):
            generation.generate(self._job(self.output), self.generator)
        self.assertFalse(files.at(f"{self.output}/manifest.json").exists())
        self.server.allow()
        self.server.requests.clear()
        with mock.patch.object(self.server, "lag", 3600.0):
            description = generation.generate(self._job(self.output), self.generator)
        written = [
            one for one in self.server.requests if one.startswith("PUT") and "/crops/" in one
        ]
        self.assertLen(written, 1)
        self.assertEqual(_contents(self.output), self.expected)
        self.assertIn("PNG files", generation.summary_text(description, self.output, "R"))
        other = generation.Job(self.output, {}, self.layouts[:2])
        with self.assertRaisesRegex(ValueError, f"{self.output}: holds another job"):
            generation.generate(other, self.generator)
        generation.generate(other, self.generator, overwrite=True)
        self.assertFalse(files.at(f"{self.output}/images").is_dir())

    def test_two_workers_of_dask(self):
        with testing_dask.cluster(2) as cluster:
            generation.generate(self._job(self.output), self.generator, cluster.beam_args)
        self.assertEqual(_contents(self.output), self.expected)
        with (
            tempfile.TemporaryDirectory() as cache,
            mock.patch.dict(os.environ, {"XDG_CACHE_HOME": cache}),
        ):
            copied = fetching.local_copy(self.output)
            self.assertLen(list(records.read(copied, "crops", "train")), 10)

    def test_a_worker_is_killed_and_the_job_completes(self):
        marker = re.compile(rf"PUT .*{re.escape(self.id())}/.*/done/")
        testing_dask.run_and_kill_a_worker(
            lambda beam_args: generation.generate(
                self._job(self.output), self.generator, beam_args
            ),
            lambda: any(map(marker.match, self.server.requests)),
        )
        self.assertEqual(_contents(self.output), self.expected)


if __name__ == "__main__":
    absltest.main()

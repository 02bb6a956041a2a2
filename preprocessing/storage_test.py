"""From a manifest in object storage to records there, whatever fails on the way."""

import dataclasses
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

import numpy as np
from absl.testing import absltest
from PIL import Image

from common import files, testing_s3
from preprocessing.data import fetching, manifest
from preprocessing.data.manifest import Box, Photograph
from preprocessing.sharding import pipeline, plans

_ROOT = f"s3://{testing_s3.BUCKET}"
_COUNT = 12
_SETTINGS = plans.Settings(image_size=32, full_size=64, photographs_per_shard=2)
_DATA_SET = {"crops.csv", "rejected.csv", "duplicates.csv", "contact_sheet.png", "dataset.json"}


def _write_data(folder):
    rng = np.random.default_rng(0)
    rows = []
    for n in range(_COUNT):
        pixels = np.array((204, 158, 122)) + rng.normal(0, 3, (60, 80, 3))
        pixels[20:40, 30:50] *= 0.5
        encoded = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(encoded, "JPEG")
        files.write_bytes(f"{folder}/images/{n}.jpg", encoded.getvalue())
        place = (f"images/{n}.jpg", "Acne", 3, (Box(30, 20, 50, 40),))
        rows.append(Photograph(f"c{n}", f"p{n}", f"i{n}", *place))
    rows.append(Photograph("c", "q", "missing", "none.jpg", "Acne", 1, rows[0].rois))
    rows.append(Photograph("c", "q", "outside", "../x.jpg", "Acne", 1, rows[0].rois))
    rows.append(Photograph("c", "q", "local", "/etc/hostname", "Acne", 1, rows[0].rois))
    manifest.write_cases(f"{folder}/cases.csv", rows)


class PreprocessInStorageTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enter_context(testing_s3.serving_s3())
        local = cls.enter_context(tempfile.TemporaryDirectory())
        for folder in (local, f"{_ROOT}/in"):
            _write_data(folder)
        pipeline.preprocess(f"{local}/cases.csv", f"{local}/out", _SETTINGS)
        cls.expected = cls._contents(f"{local}/out")
        assert {*cls.expected} > {*_DATA_SET, "pseudonyms.key"}, cls.expected

    def setUp(self):
        super().setUp()
        self.output = f"{_ROOT}/{self.id()}"
        self.addCleanup(self.server.allow)

    def _preprocess(self, overwrite=False, **settings):
        settings = dataclasses.replace(_SETTINGS, **settings)
        pipeline.preprocess(f"{_ROOT}/in/cases.csv", self.output, settings, overwrite=overwrite)

    @staticmethod
    def _contents(output):
        """Digests by path, but for the key, which is drawn, and reasons with paths in them."""
        found = {}
        for path in files.list_folder(output):
            below = files.list_folder(path) if path.name in ("crops", "full") else [path]
            for one in below:
                content = files.read_bytes(one)
                name = str(one).removeprefix(f"{output}/")
                if name == "rejected.csv":
                    rows = content.split(b"\n")[1:-1]
                    content = b"\n".join(sorted(row.split(b",")[1] for row in rows))
                found[name] = hashlib.sha256(content).hexdigest()
                if name == "pseudonyms.key":
                    found[name] = str(len(content))
        return found

    def _check(self):
        self.assertEqual(self._contents(self.output), self.expected)

    def test_the_same_bytes_as_on_this_machine(self):
        self._preprocess()
        self._check()
        with self.assertRaisesRegex(ValueError, f"^{self.output}: already holds .*--overwrite$"):
            self._preprocess()
        self._preprocess(overwrite=True)
        self._check()
        with (
            tempfile.TemporaryDirectory() as cache,
            mock.patch.dict(os.environ, {"XDG_CACHE_HOME": cache}),
        ):
            copied = fetching.local_copy(self.output)
            self.assertEqual(self._contents(copied), self.expected)

    def test_puts_that_fail(self):
        self.server.fail("PUT .*/crops/", 3, status=503)  # and succeed in the end
        self.server.fail("PUT .*/full/train-00004", 1000, status=403)
        with self.assertRaisesRegex(
            ValueError,
            r"^s3://\S+: train-00004-of-\d+\.tfrecord: .*Forbidden.*; what is finished is kept, "
            "and the same command goes on$",
        ):
            self._preprocess()
        self.assertFalse(files.at(f"{self.output}/dataset.json").exists())
        self.server.allow()
        with self.assertLogs("absl", "WARNING") as logs:
            self._preprocess()
        self.assertRegex(logs.output[-1], r"taking up \d+ of \d+ shards from an interrupted run")
        self._check()

    def test_a_photograph_that_the_storage_does_not_give_is_not_lost(self):
        self.server.fail("GET .*/in/images/7.jpg", 1000, status=501)
        with self.assertRaisesRegex(ValueError, "the same command goes on$"):
            self._preprocess(find_duplicates=False)
        self.server.allow()
        self._preprocess()
        self._check()

    def test_a_listing_that_lags(self):
        with mock.patch.object(self.server, "lag", 3600.0):
            self._preprocess()
        files.remove(f"{self.output}/.unfinished")  # what could not be seen could not be removed
        self._check()

    def test_killed_between_two_shards(self):
        killed = subprocess.Popen(
            [
                *(sys.executable, "-m", "preprocessing.preprocess", "--image_size=32"),
                *(f"--cases={_ROOT}/in/cases.csv", f"--output_dir={self.output}"),
                *("--full_size=64", "--photographs_per_shard=2", "--direct_num_workers=1"),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        key = self.output.removeprefix("s3:/")
        marker = f"PUT {key}/.unfinished/.job/done/"
        while sum(request.startswith(marker) for request in self.server.requests) < 3:
            self.assertIsNone(killed.poll())
            time.sleep(0.01)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
        finished = [path.stem for path in files.list_folder(f"{self.output}/.unfinished/.job/done")]
        self.assertBetween(len(finished), 2, 6)
        self.server.requests.clear()
        with (
            mock.patch.object(self.server, "lag", 3600.0),  # the new run does not see them listed
            self.assertLogs("absl", "WARNING") as logs,
        ):
            self._preprocess()
        self.assertRegex(logs.output[0], "taking over from preprocess, process .* has ended")
        for name in finished:
            self.assertNotIn(f"PUT {key}/.unfinished/crops/{name}", self.server.requests)
        files.remove(f"{self.output}/.unfinished")  # what could not be seen could not be removed
        self._check()

    def test_an_interrupted_publication_goes_on(self):
        self.server.fail(f"PUT .*{self.id()}/(crops.csv|dataset.json)", 1000, status=403)
        with self.assertRaisesRegex(OSError, "Forbidden"):
            self._preprocess()
        self.assertNotEmpty(files.list_folder(f"{self.output}/crops"))
        self.assertTrue(files.at(f"{self.output}/pseudonyms.key").exists())
        self.server.allow()
        with self.assertLogs("absl", "WARNING") as logs:
            self._preprocess()
        self.assertIn("taking up 7 of 7 shards", logs.output[-1])
        self._check()


if __name__ == "__main__":
    absltest.main()

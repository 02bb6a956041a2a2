import os
import pathlib
import zipfile

import numpy as np
from absl.testing import absltest

from evaluation.features import on_disk


class OnDiskTest(absltest.TestCase):
    def test_an_array_in_a_file_leaves_no_name_behind(self):
        folder = self.create_tempdir().full_path
        with absltest.mock.patch.object(on_disk.tempfile, "tempdir", folder):
            array = on_disk.empty((3, 2), np.float32)
        array[:] = 7
        self.assertIsInstance(array, np.memmap)
        self.assertEmpty(os.listdir(folder))
        self.assertEqual(on_disk.empty((0, 2), np.float32).shape, (0, 2))

    def test_reads_what_numpy_stored(self):
        path = pathlib.Path(self.create_tempdir().full_path, "stored.npz")
        features = np.arange(12, dtype=np.float32).reshape(4, 3)
        np.savez(path, digest="x", features=features, none=np.empty((0, 3)))
        found = on_disk.stored(path, "features")
        np.testing.assert_array_equal(found, features)
        self.assertIsInstance(found, np.memmap)
        self.assertEqual(on_disk.stored(path, "none").shape, (0, 3))
        with self.assertRaises(KeyError):
            on_disk.stored(path, "others")
        path.write_bytes(path.read_bytes()[:50])
        with self.assertRaises(zipfile.BadZipFile):
            on_disk.stored(path, "features")

    def test_compressed_is_refused(self):
        path = pathlib.Path(self.create_tempdir().full_path, "stored.npz")
        np.savez_compressed(path, features=np.zeros((4, 3)))
        with self.assertRaisesRegex(ValueError, "features is compressed"):
            on_disk.stored(path, "features")

    def test_takes_rows_in_memory_and_in_a_file(self):
        array = np.random.default_rng(0).normal(size=(9000, 300))
        few, many = np.array([5, 2]), np.arange(8999, -1, -1)
        self.assertNotIsInstance(on_disk.take(array, few), np.memmap)
        np.testing.assert_array_equal(on_disk.take(array, few), array[few])
        taken = on_disk.take(array, many)
        self.assertIsInstance(taken, np.memmap)
        np.testing.assert_array_equal(taken, array[::-1])

    def test_blocks_are_all_rows(self):
        array = np.arange(10, dtype=np.float32).reshape(5, 2)
        found = [*on_disk.blocks(array, 2)]
        self.assertEqual([one.shape for one in found], [(2, 2), (2, 2), (1, 2)])
        np.testing.assert_array_equal(np.concatenate(found), array)


if __name__ == "__main__":
    absltest.main()

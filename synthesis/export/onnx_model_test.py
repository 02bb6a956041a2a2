import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
from absl.testing import absltest

from model.generator import noise_inputs
from preprocessing.data import maps
from preprocessing.data.manifest import Box
from synthesis import trained_generator
from synthesis.export import exported, onnx_model
from training import testing_data


class OnnxModelTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        run_dir = testing_data.train_run(folder, steps=2).workdir
        cls.generator = trained_generator.load(run_dir)
        for weight in cls.generator.network.trainable_weights:
            weight.assign(weight * 2)  # so that noise shows in 8 bits
        cls.path = os.path.join(folder, "exported")
        cls.written = onnx_model.export(cls.generator, cls.path)
        cls.model = onnx.load(cls.written[0])

    def test_the_card_paints_the_picture_of_its_seed(self):
        card = pathlib.Path(self.path, exported.CARD).read_text()
        self.assertIn(self.generator.digest, card)
        (program,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
        program += "\nimport sys\nassert 'tensorflow' not in sys.modules\n"
        program += "np.save(sys.argv[1], image)\n"
        file = os.path.join(self.create_tempdir().full_path, "image.npy")
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment["PYTHONPATH"] = self.path
        done = subprocess.run(
            [sys.executable, "-c", program, file],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.path,
            env=environment,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        semantic_map = maps.encode(3, 0, [Box(8, 8, 24, 24)], 32, 32)[np.newaxis]
        expected = onnx_model.float32_network(self.generator)
        painter = trained_generator.Painter(expected)
        image = painter.paint(semantic_map, np.array([1]))
        self.assertLessEqual(np.abs(np.load(file).astype(int) - image).max(), 1)
        other = painter.paint(semantic_map, np.array([2]))
        self.assertGreater(np.abs(other.astype(int) - image).max(), 5)

    def test_any_batch_and_named_dimensions(self):
        session = onnxruntime.InferenceSession(self.written[0])
        inputs = {one.name: one for one in session.get_inputs()}
        self.assertEqual(list(inputs), ["map", *noise_inputs(self.generator.network)])
        self.assertEqual(inputs["map"].shape, ["B", 32, 32, 3])
        metadata = session.get_modelmeta().custom_metadata_map
        self.assertEqual(metadata["generator_digest"], self.generator.digest)
        network = onnx_model.float32_network(self.generator)
        for count in (1, 9):  # each skin type, unknown ones too
            self.assertLessEqual(onnx_model.largest_difference(self.model, network, count), 1)

    def test_other_pictures_are_an_error(self):
        path = os.path.join(self.create_tempdir().full_path, "other")
        twin = onnx_model.float32_network(self.generator)
        twin.set_weights([weight * 1.2 for weight in twin.get_weights()])
        with (
            absltest.mock.patch.object(onnx_model, "convert", return_value=self.model),
            absltest.mock.patch.object(onnx_model, "float32_network", return_value=twin),
            self.assertRaisesRegex(ValueError, r"paints other pictures .*: \d+ levels of 255"),
        ):
            onnx_model.export(self.generator, path)
        self.assertFalse(os.path.exists(path))

    def test_operations_that_onnx_lacks_are_an_error(self):
        semantic_map = tf.keras.Input((4, 4, 3), name="map")
        drawn = tf.keras.Input((4, 4), name="pixel_noise")
        lacking = tf.keras.layers.Lambda(tf.linalg.cholesky)(drawn)[..., tf.newaxis]
        inputs = {"map": semantic_map, "pixel_noise": drawn}
        network = tf.keras.Model(inputs, semantic_map + lacking)
        with self.assertRaisesRegex(ValueError, "no operators for Cholesky"):
            onnx_model.convert(network)

    def test_an_existing_folder_is_kept(self):
        with self.assertRaisesRegex(ValueError, "exported: exists; .* --overwrite"):
            onnx_model.export(self.generator, self.path)


if __name__ == "__main__":
    absltest.main()

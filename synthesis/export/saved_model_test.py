import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from preprocessing.data import maps, taxonomy
from preprocessing.data.manifest import Box
from synthesis import trained_generator
from synthesis.export import exported, saved_model
from training import testing_data

# What a user's program does, with TensorFlow and nothing of ours.
_PROGRAM = """
import json, sys
import tensorflow as tf
ours = {"model", "preprocessing", "synthesis", "training"}
assert not ours & {name.split(".")[0] for name in sys.modules}
request = json.load(sys.stdin)
model = tf.saved_model.load(sys.argv[1])
signature = model.signatures[request["signature_name"]]
# TF Serving's columnar form: a tensor per input name.
types = {name: spec.dtype for name, spec in signature.structured_input_signature[1].items()}
inputs = {name: tf.constant(value, types[name]) for name, value in request["inputs"].items()}
outputs = signature(**inputs)
outputs = {name: value.numpy().tolist() for name, value in outputs.items()}
json.dump({"outputs": outputs}, sys.stdout)
"""


class DrawRequestTest(parameterized.TestCase):
    def test_equals_the_codec(self):
        size, boxes = 64, [Box(3, 10, 20, 30), Box(40, 0.4, 64, 17)]
        rows = [[list(box) for box in boxes] + [[0.0] * 4]]
        drawn = saved_model.draw_request(
            tf.constant([26], tf.int64), tf.constant([5], tf.int64), rows, size
        )
        np.testing.assert_array_equal(drawn[0], maps.encode(5, 26, boxes, size, size))

    @parameterized.parameters(
        (27, 1, [3, 3, 16, 16], "condition is not in 0..26"),
        (0, -1, [3, 3, 16, 16], "skin_type is not in 1..6, or 0 for unknown"),
        (0, 7, [3, 3, 16, 16], "skin_type is not in 1..6"),
        (0, 1, [16, 3, 16, 16], "pixels of the 32x32 image; one is empty, inverted or outside"),
        (0, 1, [3, 3, 16, 33], "pixels of the 32x32 image; one is empty, inverted or outside"),
        (0, 1, [0.1, 0.1, 0.5, 0.5], "x0 y0 x1 y1 in pixels .*; these look like fractions"),
    )
    def test_bad_requests(self, condition, skin_type, box, message):
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, message):
            saved_model.draw_request(
                tf.constant([condition], tf.int64), tf.constant([skin_type], tf.int64), [[box]], 32
            )

    def test_no_box_and_unknown_type(self):
        drawn = saved_model.draw_request([3], [0], np.zeros((1, 2, 4)), 32)
        self.assertFalse(drawn.numpy().any())

    def test_another_number(self):
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "as many skin types and"):
            saved_model.draw_request([3, 4], [1, 1], [[[3, 3, 9, 9]]], 32)


class ExportTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        run_dir = testing_data.train_run(folder, steps=2).workdir
        cls.generator = trained_generator.load(run_dir)
        cls.path = saved_model.export(cls.generator, os.path.join(folder, "exported"))
        rng = np.random.default_rng(0)
        cls.boxes = [Box(*corner, *(corner + 9)) for corner in rng.integers(0, 20, (3, 2))]
        cls.codes, cls.types, cls.seeds = [0, 12, 25], [1, 4, 6], [5, -6, 7]
        cls.maps = np.stack(
            [
                maps.encode(skin_type, code, [box], 32, 32)
                for skin_type, code, box in zip(cls.types, cls.codes, cls.boxes)
            ]
        )
        cls.images = cls.generator.generate(cls.maps, np.array(cls.seeds))

    def _call(self, request):
        """Sends the JSON of a request to a program of its own."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, self.path],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.path,
            env=environment,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return {name: np.array(v) for name, v in json.loads(done.stdout)["outputs"].items()}

    def test_from_request_in_json(self):
        outputs = self._call(
            {
                "signature_name": "from_request",
                "inputs": {
                    "condition": self.codes,
                    "skin_type": self.types,
                    "boxes": [[[int(side) for side in box]] for box in self.boxes],
                    "seed": self.seeds,
                },
            }
        )
        np.testing.assert_array_equal(outputs["map"], self.maps)
        np.testing.assert_array_equal(outputs["image"], self.images)

    def test_from_map_in_json(self):
        inputs = {"map": self.maps.tolist(), "seed": self.seeds}
        outputs = self._call({"signature_name": "from_map", "inputs": inputs})
        np.testing.assert_array_equal(outputs["image"], self.images)

    def test_any_batch_size(self):
        signature = tf.saved_model.load(self.path).signatures["from_map"]
        for number in (1, 2, 3):
            image = signature(
                map=tf.constant(self.maps[:number]), seed=tf.constant(self.seeds[:number], tf.int64)
            )["image"]
            difference = np.abs(image.numpy().astype(int) - self.images[:number])
            self.assertLessEqual(difference.max(), 1)  # sums of other batches may round otherwise

    def test_taxonomy_is_inside(self):
        asset = json.loads(pathlib.Path(self.path, exported.TAXONOMY).read_text())
        self.assertEqual(asset["conditions"], list(taxonomy.CONDITIONS))
        request = {"signature_name": "from_request", "inputs": asset["example"]}
        outputs = self._call(request)  # as anyone may paste it
        decoded = maps.decode(outputs["map"][0].astype(np.uint8))
        self.assertEqual((decoded.condition_code, decoded.skin_type), (0, 3))
        self.assertTrue(decoded.roi[8:24, 8:24].all())
        card = pathlib.Path(self.path, exported.CARD).read_text()
        self.assertIn("boxes=tf.constant([[[8, 8, 24, 24]]], tf.float32)", card)

    def test_model_card_lies_beside(self):
        card = pathlib.Path(self.path, exported.CARD).read_text()
        self.assertIn(self.generator.digest, card)
        self.assertIn("Not a medical device", card)

    def test_an_existing_folder_is_kept(self):
        with self.assertRaisesRegex(ValueError, "exported: exists; .* --overwrite"):
            saved_model.export(self.generator, self.path)
        before = os.stat(self.path).st_ino
        saved_model.export(self.generator, self.path, overwrite=True)
        self.assertNotEqual(os.stat(self.path).st_ino, before)


if __name__ == "__main__":
    absltest.main()

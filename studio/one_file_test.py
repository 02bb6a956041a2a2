import html
import shutil
import tempfile

from absl.testing import absltest

from common import testing_pages
from studio import one_file, testing
from studio.onnxruntime_web import Runtime
from studio.training_data import TrainingData
from synthesis import trained_generator
from synthesis.export import onnx_model


class OneFileTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.generator = trained_generator.load(testing.train(folder))
        cls.data = TrainingData(f"{folder}/data", cls.generator)
        cls.network = onnx_model.float32_network(cls.generator)
        cls.model = onnx_model.convert(cls.network)

    def test_half_floats_are_smaller_and_paint_the_same(self):
        smaller = one_file.halved(self.model)
        self.assertLess(smaller.ByteSize(), 0.7 * self.model.ByteSize())
        self.assertLessEqual(onnx_model.largest_difference(smaller, self.network, 4), 2)

    def test_weights_stay_where_half_floats_paint_other_pictures(self):
        with (
            absltest.mock.patch.object(onnx_model, "convert", return_value=self.model),
            absltest.mock.patch.object(onnx_model, "largest_difference", return_value=3),
        ):
            self.assertEqual(one_file._model(self.generator).ByteSize(), self.model.ByteSize())

    def test_the_page(self):
        with absltest.mock.patch.object(onnx_model, "convert", return_value=self.model):
            page = one_file.render(self.generator, self.data, Runtime(b"module", b"wasm"))
        testing_pages.check_page(page)
        policy = html.unescape(page)
        self.assertIn("blob: 'wasm-unsafe-eval'; connect-src 'none'", policy)
        self.assertIn("Permission is hereby granted", testing_pages.visible_text(page))
        self.assertIn("<section hidden>\n<h2>Start from a validation map", page)
        for patient in {one.shard for one in self.data.known()[1]}:
            self.assertNotIn(patient, page)


if __name__ == "__main__":
    absltest.main()

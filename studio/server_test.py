import io
import json
import shutil
import struct
import tempfile
import urllib.error
import urllib.request
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from common import testing_pages
from preprocessing.data import records
from preprocessing.data.manifest import Box
from studio import opening, painter, server, testing
from synthesis import layouts, provenance, trained_generator
from synthesis.layouts import Layout

_ASKED = {"condition": "Acne", "skin_type": "3", "rois": "4 4 20 20", "noise": "7"}


def _unpacked(content):
    files = []
    while content:
        (length,) = struct.unpack("<I", content[:4])
        files.append(content[4 : 4 + length])
        content = content[4 + length :]
    return files


class ServerTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, folder)
        cls.run_dir, cls.data_dir = testing.train(folder), f"{folder}/data"
        cls.generator = trained_generator.load(cls.run_dir)
        cls.painters, cls.data, _ = opening.prepare([cls.generator], cls.data_dir, insist=True)
        app = server.make_app(cls.painters, cls.data, "", testing.TOKEN)
        cls.client = app.test_client()

    def _paint(self, *pictures, **fields):
        body = {"run": 0, "page": "p", "lane": "test", "number": 1, "pictures": pictures, **fields}
        return self.client.post(f"/{testing.TOKEN}/paint", data=json.dumps(body))

    def _pixels(self, **changes):
        reply = self._paint({**_ASKED, **changes})
        self.assertEqual(reply.status_code, 200, reply.data[:99])
        (png,) = _unpacked(reply.data)
        return np.asarray(Image.open(io.BytesIO(png))), provenance.read(png)

    def test_paints_what_generate_paints(self):
        pixels, mark = self._pixels()
        layout = Layout("Acne", 3, (Box(4, 4, 20, 20),))
        expected = self.generator.generate(layouts.draw([layout], 32), np.array([7]))[0]
        np.testing.assert_array_equal(pixels, expected)
        self.assertEqual(mark, provenance.Provenance(self.generator.digest, 7))

    def test_float32_where_the_processor_has_no_bfloat16(self):
        description = {**self.generator.description, "precision": "mixed_bfloat16"}
        without = mock.patch.object(painter.precision, "choose_precision", return_value="float32")
        with without, mock.patch.object(self.generator, "description", description):
            twin = painter.StudioPainter(self.generator)
        with mock.patch.object(self.generator, "generate", side_effect=AssertionError):
            (image,) = twin.paint([twin.picture(_ASKED)])
        np.testing.assert_array_equal(image, self._pixels()[0])

    def test_noise_of_several_seeds(self):
        pixels, mark = self._pixels(noise="7~8@0.0000")
        np.testing.assert_array_equal(pixels, self._pixels()[0])
        pixels, mark = self._pixels(noise="7~8@0.5")
        self.assertEqual(mark.mixture, "7~8@0.5")
        self.assertGreater(np.abs(pixels - self._pixels()[0].astype(int)).max(), 0)
        codes = self.painters[0]._codes([(7, 8)])[0]
        skin, lesion = self.generator.drawn_codes(np.array([7, 8]))
        channels = self.generator.config.lesion_noise
        self.assertGreater(channels, 0)
        np.testing.assert_array_equal(codes[:-channels], skin[:-channels])
        np.testing.assert_array_equal(codes[-channels:], lesion[-channels:])

    def test_the_way_keeps_the_variance(self):
        start, end = np.random.default_rng(0).normal(size=(2, 8, 4000)).astype(np.float32)
        for share in (0.0, 0.3, 0.5, 1.0):
            mixed = painter.between(start, end, np.full(8, share, np.float32))
            self.assertAlmostEqual(float(mixed.std()), 1.0, delta=0.02)
        np.testing.assert_allclose(mixed, end, atol=1e-5)

    def test_several_at_once(self):
        files = _unpacked(self._paint(_ASKED, {**_ASKED, "noise": "8"}).data)
        self.assertEqual([provenance.read(one).seed for one in files], [7, 8])

    @parameterized.parameters(
        ({"condition": "Acnee"}, "unknown condition 'Acnee'"),
        ({"condition": "Cyst"}, "this generator was not trained on Cyst"),
        ({"skin_type": "7"}, "skin type '7' is not"),
        ({"rois": ""}, "no box"),
        ({"rois": "4 4 4 9"}, "box '4 4 4 9' is empty"),
        ({"rois": "4 4 40 9"}, "box '4 4 40 9' is outside the 32x32 image"),
        ({"noise": "x"}, "noise 'x' is not"),
        ({"noise": 7}, "noise '7' is not text"),
        ({"more": "x"}, "a picture is asked for by"),
    )
    def test_bad_pictures(self, changes, message):
        reply = self._paint({**_ASKED, **changes})
        self.assertEqual(reply.status_code, 400)
        self.assertIn(message, reply.text)

    @parameterized.parameters(
        ({"run": 1}, "run 1 is not in 0..0"),
        ({"run": True}, "run True is not"),
        ({"number": "1"}, "page, lane and number"),
        ({"lane": "x" * 100}, "have 101 letters, above 80"),
        ({"pictures": []}, "1 to 32 pictures"),
        ({"pictures": [_ASKED] * 33}, "1 to 32 pictures"),
        ({"pictures": [3]}, "a picture is asked for by"),
    )
    def test_bad_requests(self, fields, message):
        reply = self._paint(_ASKED, **fields)
        self.assertEqual(reply.status_code, 400)
        self.assertIn(message, reply.text)
        bodies = ("[]", "{", "[" * 100_000)
        for body in bodies:
            reply = self.client.post(f"/{testing.TOKEN}/paint", data=body)
            self.assertEqual(reply.status_code, 400)

    def test_only_the_secret_address(self):
        for path in ("/", "/other/", "/other/data", "/other/photographs/0.png"):
            self.assertEqual(self.client.get(path).status_code, 404, path)
        self.assertEqual(self.client.post("/other/paint", data="{}").status_code, 404)
        body = b"x" * (server.LARGEST_BODY + 1)
        reply = self.client.post(f"/{testing.TOKEN}/paint", data=body)
        self.assertEqual(reply.status_code, 413)

    def test_other_hosts_and_origins(self):
        with testing.serving(self.run_dir, self.data_dir) as running:
            address = f"{running.url}/{testing.TOKEN}/"
            for headers, status in (
                ({"Host": "evil.example"}, 421),
                ({"Origin": "http://evil.example"}, 403),
            ):
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(urllib.request.Request(address, headers=headers))
                self.assertEqual(caught.exception.code, status)

    def test_counts_and_photographs(self):
        known = json.loads(self.client.get(f"/{testing.TOKEN}/data").data)
        expected = {}
        for one in records.read(self.data_dir, "crops", "train"):
            own = expected.setdefault((one.condition, str(one.fitzpatrick)), (set(), set()))
            own[0].add(one.image_id)
            own[1].add(one.patient_id)
        common = self.data.commonest
        self.assertLen(
            expected[common[0], str(common[1])][0], max(len(s) for s, _ in expected.values())
        )
        for (condition, skin_type), sets in expected.items():
            self.assertEqual(known["counts"][condition][skin_type], [len(s) for s in sets])
        real = list(records.read(self.data_dir, "crops", "validation"))
        self.assertLen(known["examples"], len(real))
        for number in (0, len(real) - 1):
            reply = self.client.get(f"/{testing.TOKEN}/photographs/{number}.png")
            self.assertEqual(reply.data, real[number].image_png)
        reply = self.client.get(f"/{testing.TOKEN}/photographs/{len(real)}.png")
        self.assertEqual(reply.status_code, 404)

    def test_the_nearest_training_photograph(self):
        address = f"/{testing.TOKEN}/nearest"
        reply = self.client.post(address, data=json.dumps(_ASKED))
        self.assertEqual(reply.status_code, 200, reply.data[:99])
        text, png = _unpacked(reply.data)
        found = json.loads(text)
        self.assertIn(found["condition"], self.generator.conditions)
        self.assertGreater(found["ratio"], 0)
        self.assertEqual(np.asarray(Image.open(io.BytesIO(png))).shape, (32, 32, 3))
        for body in ("{", json.dumps({**_ASKED, "rois": ""})):
            self.assertEqual(self.client.post(address, data=body).status_code, 400)
        self.assertEqual(self.client.post("/other/nearest", data="{}").status_code, 404)

    def test_without_the_records(self):
        painters, data, reason = opening.prepare([self.generator], "/gone", insist=False)
        self.assertIsNone(data)
        self.assertIn("/gone", reason)
        client = server.make_app(painters, data, reason, "t").test_client()
        self.assertIsNone(json.loads(client.get("/t/data").data)["counts"])
        self.assertEqual(client.get("/t/photographs/0.png").status_code, 404)
        self.assertEqual(client.post("/t/nearest", data=json.dumps(_ASKED)).status_code, 404)
        with self.assertRaisesRegex(ValueError, "/gone"):
            opening.prepare([self.generator], "/gone", insist=True)

    def test_a_newer_request_overtakes(self):
        turns = server.Turns()
        turns.take("p", "picture", 1)
        turns.take("q", "picture", 9)
        self.assertFalse(turns.overtaken("p", "picture", 1))
        turns.take("p", "picture", 2)
        self.assertTrue(turns.overtaken("p", "picture", 1))
        self.assertFalse(turns.overtaken("p", "strip", 1))
        for number in range(1000):
            turns.take(str(number), "picture", 1)
        self.assertLessEqual(len(turns._newest), 256)
        self.assertEqual(self._paint(_ASKED, lane="late", number=5).status_code, 200)
        self.assertEqual(self._paint(_ASKED, lane="late", number=4).status_code, 204)

    def test_the_page(self):
        reply = self.client.get(f"/{testing.TOKEN}/")
        # Pictures have no address before they are painted.
        testing_pages.check_page(reply.text)
        self.assertIn("default-src 'none'", reply.headers["Content-Security-Policy"])


if __name__ == "__main__":
    absltest.main()

import base64
import hashlib
import io
import os
import pathlib
import tarfile
import urllib.error

from absl.testing import absltest

from studio import onnxruntime_web


def _package():
    """Returns a package of the same layout, and its digest."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as package:
        for name, content in (
            ("ort.wasm.bundle.min.mjs", b"module"),
            ("ort-wasm-simd-threaded.wasm", b"wasm"),
        ):
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            package.addfile(member, io.BytesIO(content))
    content = buffer.getvalue()
    return content, base64.b64encode(hashlib.sha512(content).digest()).decode()


class RuntimeTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.content, digest = _package()
        mock = absltest.mock.patch
        self.enter_context(mock.object(onnxruntime_web, "_SHA512", digest))
        self.enter_context(mock.dict(os.environ, {"XDG_CACHE_HOME": f"{self.folder}/cache"}))
        self.fetch = self.enter_context(mock.object(onnxruntime_web.urllib.request, "urlopen"))
        self.fetch.side_effect = lambda *_, **__: io.BytesIO(self.content)

    def test_it_is_fetched_once(self):
        for _ in range(2):
            self.assertEqual(onnxruntime_web.read(None), (b"module", b"wasm"))
        self.fetch.assert_called_once()

    def test_a_file(self):
        path = pathlib.Path(self.folder, "web.tgz")
        path.write_bytes(self.content)
        self.assertEqual(onnxruntime_web.read(str(path)).wasm, b"wasm")
        path.write_bytes(self.content[:-1])
        with self.assertRaisesRegex(ValueError, "web.tgz: not onnxruntime-web.*digest differs"):
            onnxruntime_web.read(str(path))
        self.fetch.assert_not_called()

    def test_no_network(self):
        self.fetch.side_effect = urllib.error.URLError("no such host")
        with self.assertRaisesRegex(
            ValueError, "cannot be fetched .*no such host.*--onnxruntime_web"
        ):
            onnxruntime_web.read(None)

    def test_another_file_is_not_kept(self):
        self.content += b"more"
        with self.assertRaisesRegex(ValueError, "^https://.*digest differs"):
            onnxruntime_web.read(None)
        self.assertFalse(os.path.exists(f"{self.folder}/cache"))


if __name__ == "__main__":
    absltest.main()

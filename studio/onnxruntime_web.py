"""ONNX Runtime for browsers, from its package of npm, kept in the user's cache."""

import base64
import hashlib
import pathlib
import tarfile
import urllib.error
import urllib.request
from typing import NamedTuple, Optional

from common import files, progress

VERSION = "1.30.0"
NAME = f"onnxruntime-web-{VERSION}.tgz"
_ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/{NAME}"
# As npm's `integrity`: the sha512 of the package.
_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
_SECONDS = 60
LICENSE = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this "
    'software and associated documentation files (the "Software"), to deal in the Software '
    "without restriction, including without limitation the rights to use, copy, modify, merge, "
    "publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons "
    "to whom the Software is furnished to do so, subject to the following conditions: The above "
    "copyright notice and this permission notice shall be included in all copies or substantial "
    'portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, '
    "EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS "
    "FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT "
    "HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF "
    "CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE "
    "USE OR OTHER DEALINGS IN THE SOFTWARE."
)


class Runtime(NamedTuple):
    """The two files of the runtime: a JavaScript module and WebAssembly."""

    module: bytes
    wasm: bytes


def _check(content: bytes, source: str) -> None:
    if base64.b64encode(hashlib.sha512(content).digest()).decode() != _SHA512:
        raise ValueError(f"{source}: not {NAME} of npm, or damaged: its digest differs")


def read(archive: Optional[str]) -> Runtime:
    """Reads the runtime.

    Args:
      archive: the package; by default it is taken from the user's cache, or fetched once.

    Raises:
      ValueError: it cannot be fetched, or is not the package whose digest is known.
      OSError: `archive` cannot be read.
    """
    cached = pathlib.Path(files.user_cache_dir("onnxruntime"), NAME)
    if archive or cached.exists():
        path = pathlib.Path(archive) if archive else cached
        _check(path.read_bytes(), str(path))
    else:
        try:
            with (
                progress.doing(f"fetching {NAME}"),
                urllib.request.urlopen(_ADDRESS, timeout=_SECONDS) as reply,
            ):
                content = reply.read()
        except (urllib.error.URLError, OSError) as error:
            raise ValueError(
                f"{_ADDRESS}: cannot be fetched ({error}); fetch it elsewhere (npm pack "
                f"onnxruntime-web@{VERSION}) and pass --onnxruntime_web=FILE.tgz"
            ) from error
        _check(content, _ADDRESS)
        path = cached
        files.write_bytes(path, content)
    with tarfile.open(path) as package:
        found = []
        for name in ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"):
            member = package.extractfile(f"package/dist/{name}")
            assert member is not None
            found.append(member.read())
    return Runtime(*found)

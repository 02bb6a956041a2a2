"""What a module imports, and what an edit of one does, for tests of programs' digests."""

import contextlib
import functools
import importlib.util
import os
import pathlib
import subprocess
import sys
from typing import Iterator, Set
from unittest import mock

from common import files

# They carry the bytes that other modules make.
CARRIERS = {
    "common.addresses",
    "common.files",
    "common.progress",
    "preprocessing.sharding.beam_runner",
    "preprocessing.sharding.jobs",
}
_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PRINT = """
import importlib, sys
importlib.import_module(sys.argv[1])
rooms = ("common", "evaluation", "model", "preprocessing", "synthesis", "training")
for name, module in sys.modules.items():
    if name.split(".")[0] in rooms and not hasattr(module, "__path__"):
        print(name)
"""


def own_modules(name: str) -> Set[str]:
    """Returns the project's modules that a module imports in a process of its own, and it."""
    result = subprocess.run(
        [sys.executable, "-c", _PRINT, name],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


@contextlib.contextmanager
def edited(name: str, program: "functools._lru_cache_wrapper[str]") -> Iterator[None]:
    """Makes the source of a module another one, as far as digests can see.

    Args:
      name: of the module.
      program: a cached digest of modules.
    """
    spec = importlib.util.find_spec(name)
    assert spec is not None, name
    real = files.sha256_of

    def sha256_of(path: files.PathLike) -> str:
        return "edited" if str(path) == spec.origin else real(path)

    program.cache_clear()
    with mock.patch.object(files, "sha256_of", sha256_of):
        yield
    program.cache_clear()

"""A program on a device that JAX knows: compiled functions and the values of variables."""

import gzip
import hashlib
import json
import math
import pathlib
import re
import sys
import time
import zipfile
import zlib
from typing import Any

import jax

jax.config.update("jax_enable_x64", True)  # seeds and iterations are of 64 bits

import numpy as np  # noqa: E402

from .first_value import first_value  # noqa: E402

FORMAT_VERSION = 3
# Versions of JAX that the project's tests ran with, for Python 3.10, 3.11 and 3.12.
TESTED = ("0.6.2", "0.10.2", "0.11.2", "0.12.0.1")


class ProgramError(Exception):
    """Something that the user can mend; its message is one line."""


def say(text: str) -> None:
    """Tells the user."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def compile_hlo(path: pathlib.Path, device: Any) -> Any:
    """Compiles a serialized HLO module; all that is private in JAX is in here.

    Returns:
      What takes a list of buffers on the device and returns a list of them.

    Raises:
      ProgramError: there is no whole module, or this JAX has another inside.
    """
    started = time.time()
    try:
        module = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ProgramError(f"{path}: cannot be read ({error})") from error
    try:
        from jax._src.lib import xla_client
        from jaxlib import _jax

        computation = xla_client.XlaComputation(module)
        text = _jax.mlir.xla_computation_to_mlir_module(computation)
        text = text.decode() if isinstance(text, bytes) else text
        executable = device.client.compile_and_load(
            without_copies(text), (device,), xla_client.CompileOptions()
        )
    except (ImportError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ProgramError(
            f"JAX {jax.__version__} is not built as this runner expects ({reason}); "
            f"install one of {', '.join(TESTED)}"
        ) from error
    name = path.name.split(".")[0]
    say(f"{name}: compiled in {time.time() - started:.0f} s")
    return executable.execute


def without_copies(text: str) -> str:
    """Replaces the copies that mark a variable's way out, which GPUs refuse.

    A barrier of one value is the same.
    """
    return re.sub(
        r"mhlo\.copy (%[\w#]+) : (tensor<[^>]*>)",
        r"stablehlo.optimization_barrier \1 : \2",
        text,
    )


def read_meta(folder: pathlib.Path) -> tuple[dict[str, Any], str]:
    """Returns the contents of `program.json` and its digest.

    Raises:
      ProgramError: there is none, or it is of another format.
    """
    path = folder / "program.json"
    if not path.is_file():
        raise ProgramError(f"{folder}: no program; it has no program.json")
    content = path.read_bytes()
    try:
        meta = json.loads(content)
    except ValueError as error:
        raise ProgramError(f"{path}: cut off or damaged ({error})") from error
    if meta.get("format_version") != FORMAT_VERSION:
        raise ProgramError(
            f"{folder}: a program of format {meta.get('format_version')}, this runner takes "
            f"{FORMAT_VERSION}; use the run_program.py inside it, or export it again"
        )
    return meta, hashlib.sha256(content).hexdigest()


class Program:
    """A program on a device, with the values of its variables.

    Attributes:
      meta: contents of `program.json`.
      device: where it runs.
      values: buffers on the device, in the order of the program's variables.
    """

    def __init__(self, folder: pathlib.Path, device: Any):
        """Reads a program; its functions are compiled when they are called first.

        Raises:
          ProgramError: no such program, a damaged one, or one of another format.
        """
        self.folder, self.device = folder, device
        self.meta, self.digest = read_meta(folder)
        self.names = [variable["name"] for variable in self.meta["variables"]]
        self._index = {name: number for number, name in enumerate(self.names)}
        path = folder / "variables.npz"
        try:
            with np.load(path) as stored:
                self.values = [
                    self.put(first_value(variable, stored)) for variable in self.meta["variables"]
                ]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ProgramError(f"{path}: cannot be read ({error})") from error
        self._executables: dict[str, Any] = {}

    def put(self, array: Any) -> Any:
        """Brings an array to the device."""
        return jax.device_put(np.asarray(array), self.device)

    def get(self, name: str) -> np.ndarray:
        """Returns a variable's value; waits for it."""
        return np.asarray(self.values[self._index[name]])

    def set(self, name: str, value: Any) -> None:
        """Changes a variable's value."""
        number = self._index[name]
        like = self.meta["variables"][number]
        self.values[number] = self.put(np.asarray(value, like["dtype"]).reshape(like["shape"]))

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns all values by name."""
        return {name: np.asarray(value) for name, value in zip(self.names, self.values)}

    def restore(self, arrays: Any) -> None:
        """Takes the values that are in `arrays`, all or those of the averaged generator."""
        for name in arrays:
            self.set(name, arrays[name])

    def call(self, function: str, *inputs: Any) -> list[Any]:
        """Runs a function of the program; the variables that it changes are changed."""
        parts = self.meta["functions"][function]
        if function not in self._executables:
            path = self.folder / f"{function}.hlo.pb.gz"
            self._executables[function] = compile_hlo(path, self.device)
        captured = parts["captured"]
        arguments = [*inputs, *(self.values[number] for number in captured)]
        outputs = self._executables[function](arguments)
        for output, parameter in parts["aliases"]:
            self.values[captured[parameter - len(inputs)]] = outputs[output]
        return outputs

    @property
    def step(self) -> int:
        """Number of steps taken."""
        return int(self.get("step"))

    def wait(self) -> None:
        """Waits until the device has done what it was asked for."""
        jax.block_until_ready(self.values)

    def memory(self, name: str) -> float:
        """Returns a figure of the device's memory in bytes; not a number where unknown."""
        return (self.device.memory_stats() or {}).get(name, math.nan)

    def means(self, reset: bool) -> dict[str, float]:
        """Returns the running means of losses and accuracies since they were reset."""
        found = {}
        for name in self.meta["metrics"]:
            total, count = f"metric/{name}/total", f"metric/{name}/count"
            found[name] = float(self.get(total)) / max(float(self.get(count)), 1.0)
            if reset:
                self.set(total, 0)
                self.set(count, 0)
        return found

    def paint(self, maps: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Paints images, uint8 [N, S, S, 3], of maps of that shape and int64 [N] seeds."""
        size, painted = self.meta["sample_batch"], []
        for start in range(0, len(maps), size):
            rows = np.minimum(np.arange(start, start + size), len(maps) - 1)
            images = self.call("sample", self.put(maps[rows]), self.put(np.int64(seeds[rows])))
            painted.append(np.asarray(images[0]))
        return np.concatenate(painted)[: len(maps)]

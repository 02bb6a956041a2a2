"""Functions of TensorFlow as compiled programs (HLO) that any XLA runtime takes.

The parameters of a module are its inputs and then the variables it captures;
`input_output_alias` in its text says which output is the new value of which parameter.
"""

import gzip
import pathlib
import re
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.service import hlo_pb2

SUFFIX = ".hlo.pb.gz"


class Lowered(NamedTuple):
    """A function as a program.

    Attributes:
      hlo: the serialized module.
      captured: resources of the variables that are its last parameters.
      aliases: (output, parameter) where an output is a variable's new value.
    """

    hlo: bytes
    captured: Sequence[Any]
    aliases: list[tuple[int, int]]

    def write(self, folder: pathlib.Path, name: str) -> None:
        """Writes the module as NAME.hlo.pb.gz, the same bytes each time."""
        (folder / f"{name}{SUFFIX}").write_bytes(gzip.compress(self.hlo, mtime=0))


def lower(function: Callable[..., tf.Tensor], inputs: Sequence[tf.TensorSpec]) -> Lowered:
    """Compiles a function of tensors for any device."""
    compiled = tf.function(function, input_signature=list(inputs), jit_compile=True)
    captured = compiled.get_concrete_function().captured_inputs
    # Kept alive: the lowering reads the arguments' shapes alone.
    examples = [np.zeros(one.shape, one.dtype.as_numpy_dtype) for one in inputs]
    lowered = compiled.experimental_get_compiler_ir(*examples)
    header = lowered(stage="hlo").split("entry_computation_layout", 1)[0]
    aliases = re.findall(r"\{(\d*)\}: \((\d+), \{\}", header)
    pairs = [(int(output or 0), int(parameter)) for output, parameter in aliases]
    return Lowered(_without_paths(lowered(stage="hlo_serialized")), captured, pairs)


def _without_paths(hlo: bytes) -> bytes:
    """Removes the names of this machine's source files from a serialized module."""
    module = hlo_pb2.HloModuleProto.FromString(hlo)
    module.ClearField("stack_frame_index")
    for computation in module.computations:
        for instruction in computation.instructions:
            for name in ("source_file", "source_line", "stack_frame_id"):
                instruction.metadata.ClearField(name)
    return module.SerializeToString(deterministic=True)

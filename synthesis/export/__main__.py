"""Exports a generator as a SavedModel that needs none of this project's code.

  bazel run //synthesis:export -- --output_dir=D                  # newest run under runs/
  bazel run //synthesis:export -- --run_dir=R --step=4000 --output_dir=D

Signatures from_map and from_request, any batch size; the taxonomy inside as an asset;
a model card beside it, with the evaluation figures found in the run directory.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence

from synthesis import run_flags
from synthesis.export import saved_model

_GENERATOR = run_flags.define_generator()
_OUTPUT_DIR = run_flags.define_output_dir("Of the SavedModel.")
_OVERWRITE = run_flags.define_overwrite("what is in --output_dir")


def main(_: Sequence[str]) -> None:
    """Exports."""
    generator = _GENERATOR()
    output_dir = _OUTPUT_DIR()
    saved_model.export(generator, output_dir, _OVERWRITE.value)
    print(f"{output_dir}: SavedModel with from_map and from_request")
    print(os.path.join(output_dir, saved_model.CARD))
    print(f"next: saved_model_cli show --dir {output_dir} --all, or serve it with TF Serving")


if __name__ == "__main__":
    command_line.run(main)

"""Exports a generator as a model that needs none of this project's code.

  bazel run //synthesis:export -- --output_dir=D                  # newest run under runs/
  bazel run //synthesis:export -- --run_dir=R --step=4000 --output_dir=D
  bazel run //synthesis:export -- --format=onnx --output_dir=D

saved_model: signatures from_map and from_request. onnx: one function, from map and noise to
image, and noise.py, which draws the noise of a seed. Any batch size. Both have the
taxonomy and a model card with the evaluation figures found in the run directory.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import os
from typing import Sequence

from absl import flags

from synthesis import run_flags
from synthesis.export import exported, model_card, saved_model

_GENERATOR = run_flags.define_generator()
_FORMAT = flags.DEFINE_enum("format", model_card.SAVED_MODEL, model_card.FORMS, "Of the model.")
_OUTPUT_DIR = run_flags.define_output_dir("Of the model.")
_OVERWRITE = run_flags.define_overwrite("what is in --output_dir")


def main(_: Sequence[str]) -> None:
    """Exports."""
    generator = _GENERATOR()
    output_dir = _OUTPUT_DIR()
    if _FORMAT.value == model_card.ONNX:
        from synthesis.export import onnx_model  # takes a second to load

        print("\n".join(onnx_model.export(generator, output_dir, _OVERWRITE.value)))
        print(f"next: give {os.path.join(output_dir, onnx_model.MODEL)} to any runtime of ONNX")
        return
    saved_model.export(generator, output_dir, _OVERWRITE.value)
    print(f"{output_dir}: SavedModel with from_map and from_request")
    print(os.path.join(output_dir, exported.CARD))
    print("next: load it as docs/how_to/export_a_savedmodel.md shows, or serve it with TF Serving")


if __name__ == "__main__":
    command_line.run(main)

"""Exports a training as a program for any device that JAX knows.

  bazel run //training:export_program -- --config=paper --data_dir=R --output_dir=P
  bazel run //training:export_program -- --workdir=runs/x --output_dir=P   # goes on there
  bazel run //training:export_program -- ... --photographs=cases.csv       # small

The folder is self-contained: copy it to a machine with an accelerator, JAX, NumPy and
Pillow. It holds photographs of people.
"""

import tempfile
from typing import Sequence

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

from absl import flags

from training import configurations, program_flags, run_directory
from training.program import export
from training.run import Run

_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Receives the program.", required=True)

_PHOTOGRAPHS = flags.DEFINE_list(
    "photographs",
    [],
    "Manifests that the records were made of: their photographs and the windows of the crops go "
    "instead of the crops, which are cut where the program runs.",
)
_IMAGE_DIR = flags.DEFINE_list(
    "image_dir", [], "Of the photographs of each manifest; the manifest's own folder."
)
_MAX_MIB = flags.DEFINE_float(
    "max_mib", 24.0, "Of the photographs; they are made smaller where they must.", 0, 100_000
)
_DRAW_WEIGHTS = flags.DEFINE_bool(
    "draw_weights",
    None,
    "The runner draws the networks' first weights itself, of the same distribution, instead of "
    "taking them along; by default, with --photographs. Not with --workdir.",
)


def main(_: Sequence[str]) -> None:
    """Reads the flags and exports."""
    output_dir = command_line.user_path(_OUTPUT_DIR.value)
    checkpoint, photographs = None, _PHOTOGRAPHS.value
    for name in ("image_dir", "max_mib"):
        if flags.FLAGS[name].present and not photographs:
            raise ValueError(f"--{name} is of --photographs, which are not asked for")
    packed = export.Packing(
        cases=[command_line.user_path(path) for path in photographs],
        image_dirs=[command_line.user_path(path) for path in _IMAGE_DIR.value],
        max_mib=_MAX_MIB.value,
        drawn=bool(photographs) if _DRAW_WEIGHTS.value is None else _DRAW_WEIGHTS.value,
    )
    if program_flags.WORKDIR.value:
        command_line.exclude("workdir", ["config.", "data_dir", "draw_weights"])
        if configurations.is_named():
            raise ValueError("--workdir and --config exclude each other")
        workdir = program_flags.workdir()
        run = export.run_of(workdir)
        checkpoint = run_directory.newest_checkpoint(workdir)[1]
    else:
        # No run is begun there: the folder is only a name.
        run = Run(program_flags.CONFIG.value, program_flags.data_dir(), tempfile.mkdtemp())
    written = export.export_program(run, output_dir, checkpoint, packed)
    print(
        f"{output_dir}: {written}\n"
        "It holds photographs of people: treat it as the data set itself.\nNext:\n"
        f"  bazel run //training:run_program -- {output_dir} --output_dir=OUT\n"
        "or copy the folder to another machine:\n"
        "  python3 PROGRAM/run_program.py PROGRAM --output_dir=OUT"
    )


if __name__ == "__main__":
    command_line.run(main, prepare=configurations.expand_names)

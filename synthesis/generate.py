"""Generates the images a data set lacks.

  bazel run //synthesis:generate -- --num_images=20000 --output_dir=D
  bazel run //synthesis:generate -- --num_images=5000 --output_dir=D --condition=Melanoma
  bazel run //synthesis:generate -- --num_images=5000 --output_dir=D --skin_type=5,6
  bazel run //synthesis:generate -- --num_images=5000 --output_dir=D --balance=condition
  bazel run //synthesis:generate -- --requests=wanted.csv --output_dir=D --format=png
  bazel run //synthesis:generate -- --num_images=100 --output_dir=D --like=IMAGE_ID

Without a choice, conditions and skin types are as common as in training. --requests
is a CSV with condition, skin_type, count and optionally rois. --like paints with the
code of a photograph of the records: its skin, its light, its lesion. Flags of Apache
Beam may be added; --output_dir may be s3:// or gs://. An interrupted job goes on when
the same command is given again.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import dataclasses
import sys
from typing import Sequence

from absl import flags

from preprocessing.sharding import beam_runner
from synthesis import generation, run_flags, wanted
from synthesis.wanted import Request

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_output_dir("Folder for the images.", remote=True)
flags.DEFINE_integer(
    "num_images", None, "How many; with --requests it is in there.", 1, wanted.MOST_IMAGES
)
flags.DEFINE_list("condition", [], "Conditions, in equal shares.")
flags.DEFINE_list("skin_type", [], "Fitzpatrick types 1..6 or unknown, in equal shares.")
flags.DEFINE_list("balance", [], "Fill what training lacks: condition, skin_type or both.")
flags.DEFINE_string("requests", None, "CSV of what is wanted.")
_ALLOW_UNSEEN = flags.DEFINE_bool(
    "allow_unseen", False, "Also paint conditions that the generator was not trained on."
)
flags.DEFINE_enum(
    "maps",
    "validation",
    ["validation", "synthetic"],
    "Where boxes come from: validation maps, moved about, or the training split's statistics.",
)
flags.DEFINE_integer("images_per_map", 1, "Different images of each map.", 1, wanted.MOST_IMAGES)
_SEED = flags.DEFINE_integer("seed", 0, "Of maps and images.", 0, command_line.LARGEST_SEED)
_LIKE = run_flags.define_like()
_FORMAT = flags.DEFINE_enum(
    "format", "tfrecord", ["tfrecord", "png"], "png writes PNG files and cases.csv beside records."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images painted at once.", 1, 4096)
_OVERWRITE = run_flags.define_overwrite("another job in --output_dir")
_IMAGES_PER_SHARD = flags.DEFINE_integer(
    "images_per_shard", 1024, "Images in one record file.", 1, wanted.MOST_IMAGES
)


def _request() -> Request:
    fields = {field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Request)}
    if fields["requests"]:
        fields["requests"] = command_line.user_path(fields["requests"])
    return Request(**fields)


def main(argv: Sequence[str]) -> None:
    """Generates; `argv` holds the flags for Beam."""
    beam_runner.parse_options(argv[1:])  # a misspelt flag is told first
    request = _request()
    generator = _GENERATOR()
    output_dir = _OUTPUT_DIR()
    job, table, warning = generation.plan(
        request,
        generator,
        _DATA_DIR(generator),
        output_dir,
        allow_unseen=_ALLOW_UNSEEN.value,
        seed=_SEED.value,
        like=_LIKE.value,
        png=_FORMAT.value == "png",
        batch_size=_BATCH_SIZE.value,
        images_per_shard=_IMAGES_PER_SHARD.value,
    )
    if request.balance:
        print(table)
    if warning:
        print(f"warning: {warning}", file=sys.stderr)
    description = generation.generate(job, generator, argv[1:], _OVERWRITE.value)
    if job.like:
        print(f"\n{job.like.said}")
    print(generation.summary_text(description, output_dir, generator.run_dir))


if __name__ == "__main__":
    command_line.run(main, pass_unknown_flags=True)

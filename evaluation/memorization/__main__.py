"""Audits a trained generator for copies of the photographs it was trained on.

  bazel run //evaluation:memorization                          # newest run under runs/
  bazel run //evaluation:memorization -- --run_dir=R --max_copy_rate=0.02
  bazel run //evaluation:memorization -- --run_dir=R --feature_network=PATH --layer=pool_3

Compares generated images with their nearest training crops, and held-out photographs
of other patients with theirs: how many come too close in feature space or as
thumbnails (copy rate), how many are farther than other patients are (authentic), and
to which patients. Copies planted on purpose tell what the audit finds and what not.
Writes memorization.json with the whole protocol, memorization.csv (one row per image),
memorization.png (the closest pairs: look at them) and TensorBoard scalars to
RUN_DIR/evaluation.

Exit status 1 unless a trained network shows the copy rate to be at most --max_copy_rate:
the upper end of its 95 % interval is, for the maps of every split. So
`memorization && export` lets nothing out for lack of evidence.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import sys
from typing import Sequence

from absl import flags

from common.report import Report
from evaluation.features import feature_flags
from evaluation.memorization import report
from evaluation.memorization.auditor import Auditor, AuditProtocol
from synthesis import run_flags

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_OUTPUT_DIR = run_flags.define_evaluation_dir()
_MAX_COPY_RATE = flags.DEFINE_float(
    "max_copy_rate",
    0.05,
    "Exit status 1 unless the copy rate is shown to be at most this; negative: never.",
    -1,
    1,
)
_ALPHA = flags.DEFINE_float(
    "alpha", AuditProtocol.alpha, "Share of held-out photographs that the threshold flags.", 0, 1
)
_NUM_IMAGES = flags.DEFINE_integer(
    "num_images",
    AuditProtocol.num_images,
    "Images to paint from the maps of each split.",
    1,
    1_000_000,
)
_NUM_PLANTED = flags.DEFINE_integer(
    "num_planted",
    AuditProtocol.num_planted,
    "Copies planted to measure what is found; 0 for none.",
    0,
    1_000_000,
)
_NUM_PAIRS = flags.DEFINE_integer("num_pairs", 24, "Closest pairs to draw.", 1, 1000)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of maps, images and planted copies.", 0, command_line.LARGEST_SEED
)
_MAP_SPLIT = flags.DEFINE_list(
    "map_split",
    list(AuditProtocol.map_splits),
    "Where maps come from: train as they are, validation or test varied.",
)
_HELD_OUT_SPLIT = flags.DEFINE_string(
    "held_out_split", AuditProtocol.held_out_split, "Photographs of other patients."
)
_OVERWRITE = run_flags.define_overwrite("an audit by another protocol")


def main(_: Sequence[str]) -> None:
    """Measures, writes and prints; the exit status is the verdict."""
    generator = _GENERATOR()
    output_dir, data_dir = _OUTPUT_DIR(generator.run_dir), _DATA_DIR(generator)
    auditor = Auditor(
        generator,
        data_dir,
        feature_flags.extractor(data_dir, generator.conditions),
        AuditProtocol(
            alpha=_ALPHA.value,
            num_images=_NUM_IMAGES.value,
            map_splits=tuple(_MAP_SPLIT.value),
            held_out_split=_HELD_OUT_SPLIT.value,
            num_planted=_NUM_PLANTED.value,
            seed=_SEED.value,
        ),
    )
    results = Report(output_dir, "memorization", auditor.description, _OVERWRITE.value)
    limit = _MAX_COPY_RATE.value
    with feature_flags.stoppable(), results.alone():
        audit = auditor.audit()
        report.write(audit, limit, results)
        pairs = report.closest_pairs(audit, generator, _NUM_PAIRS.value)
        picture = results.write_figure(report.draw(audit, pairs))
        results.write_verdict(audit.step, report.verdict(audit, limit))
    told = f"bazel run //evaluation:report -- --run_dir={generator.run_dir}"
    results.show(report.table(audit, limit), f"look at the pairs in {picture}", told)
    reason = report.refusal(audit, limit)
    if reason:
        sys.stdout.flush()
        print(f"refused: {reason}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    command_line.run(main)

"""`//evaluation:reader_study -- score`: its flags; the work is in `report`."""

import os
from typing import Sequence

from absl import flags

from common import command_line
from evaluation.reader_study import answers, report
from evaluation.reader_study import key as reader_study_key

_STUDY_DIR = flags.DEFINE_string("study_dir", None, "What `build` made.", required=True)
_ANSWERS = flags.DEFINE_list(
    "answers",
    [],
    "Files of answers, folders of them, .sqlite files of `serve`; default: what is in "
    "STUDY_DIR/answers.",
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Default: STUDY_DIR/results.")
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace results of other answers.")


def main(_: Sequence[str]) -> str:
    """Scores a study; returns what to tell the user."""
    folder = command_line.user_path(_STUDY_DIR.value)
    key = reader_study_key.read(folder)
    given = [command_line.user_path(path) for path in _ANSWERS.value]
    panel, refused = answers.load(given or [os.path.join(folder, "answers")], key)
    results = report.evaluate(key, panel, refused)
    output_dir = command_line.user_path(_OUTPUT_DIR.value or os.path.join(folder, "results"))
    report.check_output(results, output_dir, _OVERWRITE.value)
    return report.summary(results, report.write(results, output_dir))

"""`//evaluation:reader_study -- score`: its flags; the work is in `reader_study_report`."""

import os
from typing import Sequence

from absl import flags

from evaluation import reader_study_answers, reader_study_key, reader_study_report
from preprocessing import command_line

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
    panel, refused = reader_study_answers.load(given or [os.path.join(folder, "answers")], key)
    results = reader_study_report.evaluate(key, panel, refused)
    output_dir = command_line.user_path(_OUTPUT_DIR.value or os.path.join(folder, "results"))
    reader_study_report.check_output(results, output_dir, _OVERWRITE.value)
    return reader_study_report.summary(results, reader_study_report.write(results, output_dir))

"""Makes the tiny data set and trained run that tests of programs share.

  python -m training.testing_fixture --output=fixture.tar

Tests take it from where the environment variable DERMGAN_TEST_FIXTURE says, and train
a run of their own where it says nothing.
"""

import shutil
import tempfile

# First: it quiets TensorFlow's start-up.
from common import command_line  # isort: skip

from absl import flags

from training import testing_data

_OUTPUT = flags.DEFINE_string("output", None, "A file that ends in .tar.", required=True)


def main(_: object) -> None:
    """Makes the fixture."""
    output = command_line.user_path(_OUTPUT.value)
    with tempfile.TemporaryDirectory() as folder:
        testing_data.make_shared_run(folder)
        shutil.make_archive(output.removesuffix(".tar"), "tar", folder)


if __name__ == "__main__":
    command_line.run(main)

"""Flags of the programs that train: --config, --data_dir, --workdir."""

import datetime
from typing import ContextManager

from absl import flags
from ml_collections import config_flags

from common import command_line
from preprocessing.data import fetching
from training import configurations, demo_data

CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "demo (the default), clinical, paper, paper26, pix2pix, or a Python file with get_config().",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "Records of //preprocessing:preprocess; demo data where none is given."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where the outputs go; a new folder under runs/ by default."
)


def data_dir() -> str:
    """Returns the records to train on, after making the demo data where none are given.

    Raises:
      ValueError: numbers that no training can have; nothing is made then.
    """
    configurations.check_numbers(CONFIG.value)
    if DATA_DIR.value:
        return fetching.local_copy(DATA_DIR.value)
    return demo_data.make_dataset(command_line.user_path("data/demo"), CONFIG.value)


def workdir(prefix: str = "", remote: bool = False) -> str:
    """Returns where the outputs go; a new folder is named by prefix, configuration and time.

    With `remote` it may lie in object storage, for `mirrors.writing`.
    """
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = WORKDIR.value or f"runs/{prefix}{CONFIG.value.name}-{stamp}"
    return command_line.user_path(folder, remote)


def stoppable(folder: str) -> ContextManager[None]:
    """Ends the program quietly on Ctrl-C, and says how it goes on with the same folder."""
    return command_line.stoppable(f"continue with the same options and --workdir={folder}")

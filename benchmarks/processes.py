"""What the processes of a group take."""

import os
import pathlib
from typing import Dict, NamedTuple


class Process(NamedTuple):
    """Peak memory in MiB and processor time in seconds."""

    peak: float
    seconds: float


def of_group(group: int) -> Dict[int, Process]:
    """Looks at every living process of a group."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                peak = (folder / "status").read_text().split("VmHWM:")[1].split()[0]
                ticks = (folder / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
                seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
                found[int(folder.name)] = Process(int(peak) / 1024, seconds)
        except (OSError, IndexError):
            continue  # It has ended, or is ending.
    return found

"""`//evaluation:reader_study -- power`: its flags; the work is in `simulation`."""

from typing import List, Sequence

import numpy as np
from absl import flags

from evaluation.reader_study import simulation
from evaluation.reader_study.simulation import Panel

_FPR = flags.DEFINE_float("fpr", 0.30, "Synthetic images taken for real; the paper's.")
_DIFFERENCES = flags.DEFINE_list(
    "differences", ["0", "0.1", "0.22"], "True TPR - FPR; the paper's is 0.22."
)
_READERS = flags.DEFINE_list("readers", ["5", "10", "20"], "Numbers of readers.")
_PICTURES = flags.DEFINE_list("pictures", ["40", "80", "160"], "Pictures of each kind.")
_READER_SD = flags.DEFINE_float("reader_sd", 0.4, "SD of the readers' criteria and d'.")
_PICTURE_SD = flags.DEFINE_float("picture_sd", 0.5, "SD of the pictures' realism.")
_STUDIES = flags.DEFINE_integer("studies", 200, "Simulated studies per number.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the simulation.")


def _row(readers: int, pictures: int, differences: Sequence[float]) -> str:
    widths, shares = [], []
    for difference in differences:
        panel = Panel(
            readers, pictures, _FPR.value, difference, _READER_SD.value, _PICTURE_SD.value
        )
        half, excluded = simulation.power(panel, _STUDIES.value, _SEED.value)
        widths.append(half)
        shares.append(f"{100 * excluded:.0f} %")
    cells = [str(readers), f"{pictures} + {pictures}", f"± {np.mean(widths):.2f}", *shares]
    return f"| {' | '.join(cells)} |"


def main(_: Sequence[str]) -> str:
    """Simulates; returns the table in Markdown."""
    differences = [float(one) for one in _DIFFERENCES.value]
    heads = ["readers", "pictures", "interval"]
    heads += [f"0 excluded if {difference:g}" for difference in differences]
    lines: List[str] = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for readers in map(int, _READERS.value):
        for pictures in map(int, _PICTURES.value):
            lines.append(_row(readers, pictures, differences))
    note = (
        f"{_STUDIES.value} simulated studies each, FPR {_FPR.value:g}, SD of readers "
        f"{_READER_SD.value:g} and of pictures {_PICTURE_SD.value:g}; 95 % intervals of TPR - FPR "
        "over readers and pictures."
    )
    return "\n".join([*lines, "", note])

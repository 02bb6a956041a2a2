"""`//evaluation:reader_study -- power`: how many readers and pictures a study needs.

Simulates the realism test: a reader takes a picture for real if reader, picture and
chance together exceed a criterion,

  evidence = mean of the kind + picture + noise > criterion of the reader,

all normal, noise of variance 1. Each simulated study is judged by the interval that
`score` gives for TPR - FPR, over readers and pictures.
"""

import dataclasses
import math
from typing import List, Sequence, Tuple

import numpy as np
from absl import flags
from scipy import special

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
_REPLICATES = 400


@dataclasses.dataclass(frozen=True)
class Panel:
    """Who reads what.

    Attributes:
      readers: how many.
      pictures: of each kind.
      fpr: share of synthetic pictures taken for real, on average.
      difference: true TPR - FPR.
      reader_sd: of the readers' criteria, and of their d'.
      picture_sd: of the pictures' realism.
    """

    readers: int
    pictures: int
    fpr: float
    difference: float
    reader_sd: float
    picture_sd: float

    def __post_init__(self) -> None:
        """Raises ValueError for numbers that make no panel."""
        if self.readers < 2 or self.pictures < 2:
            raise ValueError(f"{self.readers} readers of {self.pictures} pictures are too few")
        if not (0 < self.fpr < 1 and 0 < self.fpr + self.difference < 1):
            raise ValueError(
                f"FPR {self.fpr} and TPR {self.fpr + self.difference:g} must be between 0 and 1"
            )
        if min(self.reader_sd, self.picture_sd) < 0:
            raise ValueError(f"SDs {self.reader_sd} and {self.picture_sd} must not be negative")


def simulate(panel: Panel, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Returns one study: who took which real and which synthetic picture for real.

    Args:
      panel: who reads what.
      rng: source of randomness.

    Returns:
      Two bool [readers, pictures].
    """
    criteria = rng.normal(0, panel.reader_sd, (panel.readers, 1))
    # Half of a reader's own d' raises the real pictures, half lowers the synthetic ones.
    own = rng.normal(0, panel.reader_sd, (panel.readers, 1)) / 2
    spread = math.sqrt(1 + 1.25 * panel.reader_sd**2 + panel.picture_sd**2)
    chosen = []
    for rate, sign in ((panel.fpr + panel.difference, 1), (panel.fpr, -1)):
        mean = spread * special.ndtri(rate)  # so that `rate` is what readers get on average
        realism = rng.normal(0, panel.picture_sd, panel.pictures)
        noise = rng.normal(size=(panel.readers, panel.pictures))
        chosen.append(mean + sign * own + realism + noise > criteria)
    return chosen[0], chosen[1]


def interval(
    real: np.ndarray, synthetic: np.ndarray, rng: np.random.Generator, replicates: int = _REPLICATES
) -> Tuple[float, float]:
    """Returns the 95 % bootstrap interval of TPR - FPR over readers and pictures.

    That of `cluster_bootstrap.estimate`, for pictures of different patients, by counts
    of how often each is drawn.
    """
    readers = len(real)
    drawn_readers = rng.multinomial(readers, np.full(readers, 1 / readers), replicates)
    differences = np.zeros(replicates)
    for chosen, sign in ((real, 1), (synthetic, -1)):
        pictures = chosen.shape[1]
        drawn = rng.multinomial(pictures, np.full(pictures, 1 / pictures), replicates)
        sums = (drawn_readers @ chosen.astype(float) * drawn).sum(axis=1)
        differences += sign * sums / (readers * pictures)
    low, high = np.percentile(differences, (2.5, 97.5))
    return float(low), float(high)


def power(panel: Panel, studies: int, seed: int) -> Tuple[float, float]:
    """Simulates studies.

    Returns:
      The mean half width of the interval, and the share of studies whose interval
      excludes 0: the power, or for a true difference of 0 the share of false alarms.
    """
    rng = np.random.default_rng([seed, panel.readers, panel.pictures])
    intervals = np.array([interval(*simulate(panel, rng), rng) for _ in range(studies)])
    excluded = (intervals[:, 0] > 0) | (intervals[:, 1] < 0)
    return float(np.diff(intervals).mean() / 2), float(excluded.mean())


def table(
    readers: Sequence[int], pictures: Sequence[int], differences: Sequence[float]
) -> List[str]:
    """Returns the table in Markdown."""
    heads = ["readers", "pictures", "interval"]
    heads += [f"0 excluded if {difference:g}" for difference in differences]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for count in readers:
        for number in pictures:
            found = [
                power(
                    Panel(
                        count,
                        number,
                        _FPR.value,
                        difference,
                        _READER_SD.value,
                        _PICTURE_SD.value,
                    ),
                    _STUDIES.value,
                    _SEED.value,
                )
                for difference in differences
            ]
            width = np.mean([half for half, _ in found])
            cells = [count, f"{number} + {number}", f"± {width:.2f}"]
            cells += [f"{100 * share:.0f} %" for _, share in found]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def main(_: Sequence[str]) -> str:
    """Simulates; returns the table."""
    lines = table(
        [int(one) for one in _READERS.value],
        [int(one) for one in _PICTURES.value],
        [float(one) for one in _DIFFERENCES.value],
    )
    note = (
        f"{_STUDIES.value} simulated studies each, FPR {_FPR.value:g}, SD of readers "
        f"{_READER_SD.value:g} and of pictures {_PICTURE_SD.value:g}; 95 % intervals of TPR - FPR "
        "over readers and pictures."
    )
    return "\n".join([*lines, "", note])

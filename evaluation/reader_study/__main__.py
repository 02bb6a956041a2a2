"""The paper's human tests as a kit: do people take synthetic images for real ones?

  bazel run //evaluation:reader_study -- build --run_dir=R --output_dir=D
  bazel run //evaluation:reader_study -- serve --study_dir=D
  bazel run //evaluation:reader_study -- score --study_dir=D
  bazel run //evaluation:reader_study -- power

build makes one page per reader, which opens from disk in any browser, and the answer
key, which nobody who reads may see. serve offers the pages over a network instead, by
one secret address per reader. score turns what readers handed in, in D/answers or named
by --answers, into the paper's Figure 7 with intervals. power says by simulation how many
readers and images a study needs.

The command comes first; `build --help` and so on list its flags. docs/reader_study.md
says how to run a study.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

from types import ModuleType
from typing import Callable, Sequence


def _printing(module: ModuleType) -> Callable[[Sequence[str]], None]:
    """Returns a command's `main`, printing what it returns."""
    return lambda argv: print(module.main(argv))


# Each command defines flags of its own and loads no more than it needs: build alone
# takes TensorFlow.
def _build() -> Callable[[Sequence[str]], None]:
    from evaluation.reader_study import build

    return _printing(build)


def _serve() -> Callable[[Sequence[str]], None]:
    from evaluation.reader_study import serve

    return _printing(serve)


def _score() -> Callable[[Sequence[str]], None]:
    from evaluation.reader_study import score

    return _printing(score)


def _power() -> Callable[[Sequence[str]], None]:
    from evaluation.reader_study import power

    return _printing(power)


if __name__ == "__main__":
    command_line.run_command({"build": _build, "serve": _serve, "score": _score, "power": _power})

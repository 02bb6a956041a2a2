"""Shows, while a study is served, who has answered how much."""

import contextlib
import threading
from typing import Callable, Iterator, Mapping, Tuple

from evaluation.reader_study.answer_key import Key

Answered = Mapping[str, Tuple[int, bool]]  # by reader: how many, and whether finished


def in_words(key: Key, answered: Answered) -> str:
    """Returns a line, e.g. "2 of 3 readers have begun: reader_01 finished, reader_02 5 of 18"."""
    parts = []
    for name, reader in key.readers.items():
        number, finished = answered.get(name, (0, False))
        if finished:
            parts.append(f"{name} finished")
        elif number:
            parts.append(f"{name} {number} of {len(reader.trials)}")
    begun = f"{len(parts)} of {len(key.readers)} readers have begun"
    return f"{begun}: {', '.join(parts)}" if parts else begun


@contextlib.contextmanager
def shown(
    key: Key,
    answered: Callable[[], Answered],
    say: Callable[[str], None],
    seconds: float = 10.0,
) -> Iterator[None]:
    """Says how the readers stand at the beginning, when that has changed, and at the end.

    Args:
      key: of the study.
      answered: tells how many answers there are.
      say: shows a line.
      seconds: between two lines, at least.
    """
    stop = threading.Event()

    def watch() -> None:
        said, ended = "", False
        while not ended:
            line = in_words(key, answered())
            if line != said:
                say(line)
            said, ended = line, stop.wait(seconds)
        if in_words(key, answered()) != said:
            say(in_words(key, answered()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

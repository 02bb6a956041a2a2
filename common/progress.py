"""Progress of long work: a bar on a terminal, elsewhere a plain line now and then.

The bar is there from the first second; what takes less than `_FIRST` writes no line.
"""

import contextlib
import io
import itertools
import sys
import threading
from typing import Any, Callable, Iterable, Iterator, Optional

import tqdm

_FIRST, _EVERY = 30.0, 60.0  # seconds


def _write_lines(line: Callable[[], str], waits: Iterable[float]) -> Callable[[], None]:
    """Writes lines on standard error, from a thread of its own; returns what ends that.

    Args:
      line: returns one; called when it is due.
      waits: seconds before each.
    """
    stream, stop = sys.stderr, threading.Event()

    def write() -> None:
        for seconds in waits:
            if stop.wait(seconds):
                return
            stream.write(f"{line()}\n")
            stream.flush()

    threading.Thread(target=write, daemon=True).start()
    return stop.set


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Bar(tqdm.tqdm):
    """A bar whose rate and remaining time leave out what came before the first items.

    Workers that start, networks that load and compile are no measure of what is to come.
    """

    n: float
    initial: float
    _begun = False

    def update(self, n: float = 1) -> Optional[bool]:
        """Counts `n` more; returns whether that was shown."""
        if self.disable or not n or self._begun:
            return super().update(n)
        self._begun = True
        self.n = self.initial = self.last_print_n = self.n + n
        self.last_print_t = self._time()
        if self.last_print_t < self.start_t + self.delay:
            return None
        return self.refresh()


class _Lines(_Bar):
    """A bar that is plain lines, the more often the younger it is."""

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, file=io.StringIO(), **options)
        waits = itertools.chain((_FIRST, _FIRST), itertools.repeat(_EVERY))
        self._end = _write_lines(self.line, waits)

    def display(self, *_: Any, **__: Any) -> None:
        """Shows nothing."""

    def close(self) -> None:
        """Ends the lines."""
        self._end()
        super().close()

    def line(self) -> str:
        """Returns how far it is, and how long it takes yet by the bar's own rate."""
        words = f"{self.desc}: {self.n:,.0f}" if self.desc else f"{self.n:,.0f}"
        if self.total is not None:
            words += f" of {self.total:,.0f}"
        words += self.unit.removesuffix("it")
        left = float(self.format_meter(**{**self.format_dict, "bar_format": "{remaining_s}"}))
        if left:
            words += f", about {_about(left)} left"
        return f"{words}; {self.postfix}" if self.postfix else words


def bar(
    items: Optional[Iterable[Any]] = None,
    total: Optional[int] = None,
    what: Optional[str] = None,
    unit: str = "",
    **options: Any,
) -> "tqdm.tqdm":
    """Returns a progress bar on standard error, or plain lines where that is no terminal.

    Args:
      items: what to count while it is gone through; without it, call `update`.
      total: how many; by default the number of items, where they know it.
      what: the words before the bar.
      unit: of the count, as "photographs".
      **options: further ones of tqdm; `disable=False` asks for a bar everywhere.
    """
    plain = "disable" not in options and not sys.stderr.isatty()
    options = {"smoothing": 0.1, **options}
    kind = _Lines if plain else _Bar
    return kind(items, total=total, desc=what, unit=f" {unit}" if unit else "it", **options)


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Shows what is done, where nothing can be counted, until it is."""
    shown = f"{what} ..."
    if not sys.stderr.isatty():
        end = _write_lines(lambda: shown, [_FIRST])
        try:
            yield
        finally:
            end()
        return
    terminal = sys.stderr
    terminal.write(f"{shown}\r")
    terminal.flush()
    try:
        yield
    finally:
        terminal.write(f"{' ' * len(shown)}\r")
        terminal.flush()


@contextlib.contextmanager
def watching(
    count: Callable[[], int], total: int, what: Optional[str] = None, unit: str = ""
) -> Iterator[None]:
    """Shows how far work is that others do, as long as the context lasts.

    Args:
      count: how much is done by now; asked from a thread of its own, twice a second at a
        terminal, else every ten seconds.
      total: how much there is to do.
      what: the words before the bar.
      unit: of both.
    """
    stop = threading.Event()

    def watch() -> None:
        with bar(total=total, what=what, unit=unit) as shown:
            pause, ended = 10.0 if isinstance(shown, _Lines) else 0.5, False
            while not ended:
                ended = stop.wait(pause)
                more = count() - shown.n
                if more:
                    shown.update(more)
                else:
                    shown.refresh()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

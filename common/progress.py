"""Progress of long work on the terminal: shown from the first second, silent elsewhere."""

import contextlib
import io
import sys
import threading
from typing import Any, Callable, Iterable, Iterator, Optional

import tqdm


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


def bar(
    items: Optional[Iterable[Any]] = None,
    total: Optional[int] = None,
    what: Optional[str] = None,
    unit: str = "",
    **options: Any,
) -> "tqdm.tqdm":
    """Returns a progress bar on standard error; none where that is no terminal.

    Args:
      items: what to count while it is gone through; without it, call `update`.
      total: how many; by default the number of items, where they know it.
      what: the words before the bar.
      unit: of the count, as "photographs".
      **options: further ones of tqdm.
    """
    options = {"disable": None, "smoothing": 0.1, **options}
    return _Bar(items, total=total, desc=what, unit=f" {unit}" if unit else "it", **options)


@contextlib.contextmanager
def doing(what: str) -> Iterator[None]:
    """Shows on a terminal what is done, where nothing can be counted, until it is."""
    terminal = sys.stderr if sys.stderr.isatty() else io.StringIO()
    shown = f"{what} ..."
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
      count: how much is done by now; asked twice a second from a thread of its own.
      total: how much there is to do.
      what: the words before the bar.
      unit: of both.
    """
    stop = threading.Event()

    def watch() -> None:
        with bar(total=total, what=what, unit=unit) as shown:
            ended = shown.disable
            while not ended:
                ended = stop.wait(0.5)
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

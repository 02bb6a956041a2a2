"""What something costs against something else that takes turns with it.

The machine's moods change: what is compared takes turns, and a ratio is the median of
the turns' ratios.
"""

import collections
import itertools
import statistics
import time
from typing import Callable, Dict, Iterable, List, Mapping, Optional, TypeVar

T = TypeVar("T")
Measured = Mapping[str, List[float]]  # by contender, a number for each turn


def seconds(work: Callable[[], object]) -> float:
    """Returns how long `work` takes on the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def speed(number: int, work: Callable[[], object]) -> float:
    """Returns how many a second `work` makes, where it makes `number`."""
    return number / seconds(work)


def reading_speed(batches: Iterable[object], number: int, batch_size: int) -> float:
    """Returns how many examples a second come from batches, after the first five.

    The iterator is of this call, so that between turns none reads ahead.
    """
    iterator = iter(batches)
    for _ in range(5):
        next(iterator)
    some = itertools.islice(iterator, number)
    return speed(number * batch_size, lambda: collections.deque(some, maxlen=0))


def take_turns(contenders: Mapping[str, Callable[[], T]], turns: int) -> Dict[str, List[T]]:
    """Calls every contender once a turn.

    Args:
      contenders: by name; each measures itself and returns what it found, so that it can
        prepare what does not count.
      turns: how many.

    Returns:
      What they returned, by name, in the order of the turns.
    """
    measured: Dict[str, List[T]] = {name: [] for name in contenders}
    for _ in range(turns):
        for name, contender in contenders.items():
            measured[name].append(contender())
    return measured


def ratio(measured: Measured, name: str, baseline: str) -> float:
    """Returns the median over the turns of one contender's number by the baseline's."""
    return statistics.median(one / other for one, other in zip(measured[name], measured[baseline]))


def table(
    title: str, unit: str, measured: Measured, *baselines: str, notes: Optional[Dict] = None
) -> str:
    """Returns a line per contender: its median, and its ratio to each baseline.

    Args:
      title: what is compared.
      unit: of the numbers.
      measured: numbers from `take_turns`.
      *baselines: contenders whose ratio is 1.
      notes: further words at the ends of lines, by contender.
    """
    heads = [f"x {baseline}".rjust(14) for baseline in baselines]
    turns = len(measured[baselines[0]])
    lines = [f"{title} (medians of {turns} turns)", f"  {'':28}{unit:>12}  {'  '.join(heads)}"]
    for name, values in measured.items():
        line = f"  {name:28}{statistics.median(values):12,.4g}"
        for head, baseline in zip(heads, baselines):
            line += f"  {ratio(measured, name, baseline):{len(head)}.2f}"
        lines.append(f"{line}  {(notes or {}).get(name, '')}".rstrip())
    return "\n".join(lines)

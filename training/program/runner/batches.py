"""Training batches on a device: shuffled, jittered and mirrored there."""

import math
import pathlib
import queue
import threading
from typing import Any, Generator

import jax
import jax.numpy as jnp
import numpy as np

from . import crops
from .device import Program, ProgramError, say

KINDS = ("maps", "images")
_SHARE_FOR_DATA = 0.5  # of the device's memory
_PREFETCHED = 4  # batches


class Batches:
    """Training batches as a function of the step."""

    def __init__(self, program: Program, streamed: bool = False):
        """Puts the crops on the device where they fit.

        Args:
          program: whose crops they are.
          streamed: leave them in the machine's memory all the same.

        Raises:
          ProgramError: crops of another size than the program's, or damaged ones.
        """
        meta, folder = program.meta, program.folder
        self._size, self._batch = meta["image_size"], meta["batch_size"]
        self._seed, self._mirror = meta["seed"], meta["mirror"]
        self._large = round(self._size * meta["jitter"])
        self._put = program.put
        arrays = _read(folder, self._size)
        for kind, array in zip(KINDS, arrays):
            shape = (len(arrays[0]), self._size, self._size, 3)
            if array.shape != shape or array.dtype != np.uint8 or len(array) < self._batch:
                raise ProgramError(
                    f"{folder}/train_{kind}.npy: {array.dtype} {list(array.shape)}, the program "
                    f"takes uint8 {list(shape)} of at least {self._batch}"
                )
        self.count, self._arrays = len(arrays[0]), arrays
        self._shown = _shown(folder, meta["shown_in_an_epoch"], self.count)
        memory = program.memory("bytes_limit")
        needed = sum(array.nbytes for array in arrays)
        fits = math.isnan(memory) or needed < _SHARE_FOR_DATA * memory
        self.on_device = fits and not streamed
        if self.on_device:
            self._arrays = [self._put(array) for array in arrays]
        where = "streamed: too large for the device" if not fits else "streamed, as asked for"
        where = "on the device" if self.on_device else where
        say(f"{self.count:,} training crops, {needed / 1e6:,.0f} MB, {where}")
        self._pick = jax.jit(self._augment if self.on_device else self._augment_rows)

    def plan(self, step: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns rows, corners (top, left) and flips of the batch of a step, from 0."""
        number = sum(shown for _, shown in self._shown)
        epoch, place = divmod(step, number // self._batch)
        rng = np.random.default_rng((self._seed, 0, epoch))
        shown = [np.resize(rng.permutation(rows), number) for rows, number in self._shown]
        order = rng.permutation(np.concatenate(shown))
        rows = order[place * self._batch : (place + 1) * self._batch]
        rng = np.random.default_rng((self._seed, 1, step))
        corners = rng.integers(0, self._large - self._size + 1, (self._batch, 2))
        flips = rng.random(self._batch) < 0.5
        return rows, corners, flips & self._mirror

    def _augment(self, maps: Any, images: Any, rows: Any, corners: Any, flips: Any) -> Any:
        return self._augment_rows(maps[rows], images[rows], corners, flips)

    def _augment_rows(self, maps: Any, images: Any, corners: Any, flips: Any) -> Any:
        return augment(maps, images, self._large, corners, flips)

    def _make(self, step: int) -> Any:
        rows, corners, flips = self.plan(step)
        if self.on_device:
            return self._pick(*self._arrays, self._put(rows), self._put(corners), self._put(flips))
        picked = [self._put(array[rows]) for array in self._arrays]
        return self._pick(*picked, self._put(corners), self._put(flips))

    def stream(self, start: int) -> Generator[Any, None, None]:
        """Yields the batches from a step on; a thread makes the next ones meanwhile."""
        made: queue.Queue[Any] = queue.Queue(_PREFETCHED)
        ended = threading.Event()

        def work() -> None:
            step = start
            while not ended.is_set():
                try:
                    batch = self._make(step)
                except Exception as error:  # the other thread raises it
                    batch = error
                while not ended.is_set():
                    try:
                        made.put(batch, timeout=0.2)
                        break
                    except queue.Full:
                        continue
                step += 1

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while True:
                batch = made.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            ended.set()
            thread.join()


def augment(maps: Any, images: Any, large: int, corners: Any, flips: Any) -> Any:
    """Enlarges, cuts and mirrors pairs, both alike, as the project's input pipeline.

    Args:
      maps: uint8 [B, S, S, 3]; enlarged by nearest neighbour.
      images: uint8 [B, S, S, 3]; enlarged bilinearly and rounded.
      large: rows and columns after enlarging.
      corners: int [B, 2], top and left of what is cut out.
      flips: bool [B], which are mirrored.

    Returns:
      Maps and images, as given.
    """
    size = images.shape[1]
    if large > size:
        shape = (len(maps), large, large, 3)
        enlarged = jax.image.resize(images.astype(jnp.float32), shape, "bilinear")
        images = jnp.round(enlarged).astype(jnp.uint8)
        maps = jax.image.resize(maps, shape, "nearest")
        side = (size, size, 3)
        cut = jax.vmap(lambda x, at: jax.lax.dynamic_slice(x, (at[0], at[1], 0), side))
        images, maps = cut(images, corners), cut(maps, corners)
    flips = flips[:, None, None, None]
    return tuple(jnp.where(flips, x[:, :, ::-1], x) for x in (maps, images))


def _shown(
    folder: pathlib.Path, by_condition: dict[str, int], count: int
) -> list[tuple[np.ndarray, int]]:
    """Returns groups of rows, and how many of each an epoch shows; without any, all once."""
    if not by_condition:
        return [(np.arange(count), count)]
    try:
        of_row = np.array([row["condition"] for row in crops.read_rows(folder)])
    except (OSError, KeyError, ValueError) as error:
        raise ProgramError(f"{folder / crops.TABLE}: cannot be read ({error})") from error
    groups = [(np.flatnonzero(of_row == name), shown) for name, shown in by_condition.items()]
    if len(of_row) != count or not all(len(rows) for rows, _ in groups):
        raise ProgramError(f"{folder / crops.TABLE}: does not fit the crops of the program")
    return groups


def _read(folder: pathlib.Path, size: int) -> Any:
    """Reads the crops, or makes them of photographs; [maps, images]."""
    if not (folder / crops.PHOTOGRAPHS).is_file():
        return [_load(folder / f"train_{kind}.npy") for kind in KINDS]
    say("cutting the crops out of the photographs")
    try:
        return crops.read(folder, size)
    except (OSError, ValueError, KeyError) as error:
        raise ProgramError(f"{folder}: its photographs cannot be used ({error})") from error


def _load(path: pathlib.Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise ProgramError(f"{path}: cannot be read ({error})") from error

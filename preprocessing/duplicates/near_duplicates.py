"""Near-duplicates: photographs that show the same scene.

Copies of one photograph under two patients let a test set leak into training. Found
are copies that were scaled, encoded again, made brighter or darker, turned by quarters,
mirrored, or cropped by up to a quarter of each side, and frames of one scene taken in a
row; the shares are in docs/results/collections.md.

Two steps. `landmarks` proposes pairs and says how the one would lie on the other. Most
lesions are a dark spot on even skin, and many pairs of such photographs look alike, so each
pair is verified: the one thumbnail is laid upon the other, and of both the fine structure,
with the same contrast everywhere, must correlate. Of a true copy the skin around the lesion
agrees too.
"""

import concurrent.futures
import os
from typing import Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np
import threadpoolctl

from common import progress
from preprocessing.duplicates import landmarks
from preprocessing.duplicates.landmarks import Candidates, Landmarks, gaussian, smooth
from preprocessing.duplicates.thumbnails import SIDE

MIN_CORRELATION = 0.8

_BLOCK = 16  # photographs whose landmarks are looked for at once
_VERIFIED_AT_ONCE = 128
# Gaussian sigmas, pixels: what is finer is left to the scaling, what is coarser is shade;
# and the surroundings that contrast is made even with. Coarse structure, at half the size,
# leads pictures upon each other, fine structure tells copies from what looks alike.
_LEADING, _TELLING = (0.6, 1.9, 3.0), (0.75, 2.0, 4.5)
_NOISE = 0.3  # Contrast below which structure is not enhanced, grey levels.
_MIN_STRUCTURE = 0.15  # Root mean square of the fine structure, grey levels.
_MIN_COMMON = 0.5  # Share of what the smaller picture shows that must be seen in the other.
_MIN_AREA = 0.35  # Share of the one that the other may show, at least.
_MOST_SCALED = 0.4  # Share by which steps may change the area.
_LONGEST_STEP = 0.12  # In units of half a side.
_LEAST_LEADING = (0.3, 0.55, 0.75)  # Correlation before each leading step,
_LEAST_TELLING = (0.3, 0.3)  # and before each telling one.


class Pair(NamedTuple):
    """Two photographs that are near-duplicates.

    Attributes:
      first: position of the one.
      second: position of the other, larger than `first`.
      turned: degrees by which the second is turned, counter-clockwise: 0, 90, 180 or 270.
      correlation: of the aligned fine structure, at most 1.
      mirrored: whether the second is the mirror image of the first, before it is turned.
    """

    first: int
    second: int
    turned: int
    correlation: float
    mirrored: bool


def _structure(
    values: np.ndarray, inside: np.ndarray, sigmas: Tuple[float, float, float]
) -> Tuple[np.ndarray, np.ndarray]:
    """Removes light and shade, and gives all parts of a picture the same contrast.

    Args:
      values: float32 [K, S, S], grey levels.
      inside: float32 of the same shape, 0 where there is nothing to see.
      sigmas: `_LEADING` or `_TELLING`.

    Returns:
      The structure, of mean 0 and norm 1 inside and 0 outside; and the mean square of it
      before contrast was made even, [K].
    """
    fine, coarse, around = (gaussian(sigma, values.shape[-1]) for sigma in sigmas)
    values = (smooth(values, fine) - smooth(values, coarse)) * inside
    power = values * values
    values /= np.sqrt(smooth(power, around) + _NOISE**2)
    area = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    values = (values - (values * inside).sum((1, 2), keepdims=True) / area) * inside
    norm = np.sqrt((values * values).sum((1, 2), keepdims=True))
    return values / np.maximum(norm, 1e-6), power.mean((1, 2))


def _line(side: int) -> np.ndarray:
    """Places of the pixels of a row, from -1 to 1."""
    return (np.arange(side, dtype=np.float32) - (side - 1) / 2) / (side / 2)


def _laid_upon(pictures: np.ndarray, warp: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Bilinear values of float32 [K, S, S] at the places that `warp` leads to.

    Args:
      pictures: NaN where there is nothing to see.
      warp: float32 [K, 2, 3], from (x, y, 1), in units of half a side from the middle.

    Returns:
      float32 [K, S, S], 0 where nothing is seen, and float32, whether it is seen.
    """
    side = pictures.shape[-1]
    line = _line(side)
    grid = np.stack(np.broadcast_arrays(line, line[:, None], np.float32(1))).reshape(3, -1)
    at = (warp @ grid) * np.float32(side / 2) + np.float32((side - 1) / 2)
    outside = (at < -0.5).any(axis=1) | (at > side - 0.5).any(axis=1)
    at = at.clip(0, np.float32(side - 1.001))
    corner = at.astype(np.int32)
    x, y = (at - corner).swapaxes(0, 1)
    flat = pictures.reshape(-1)
    place = np.arange(len(pictures), dtype=np.int32)[:, None] * side**2
    place = place + corner[:, 1] * side + corner[:, 0]
    upper = flat[place] * (1 - x) + flat[place + 1] * x
    lower = flat[place + side] * (1 - x) + flat[place + side + 1] * x
    values = upper * (1 - y) + lower * y
    unseen = outside | np.isnan(values)
    values[unseen] = 0
    return values.reshape(pictures.shape), (~unseen).astype(np.float32).reshape(pictures.shape)


def _filled(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Puts the mean of what is seen where nothing is, so that no edge is made."""
    mean = values.sum((1, 2), keepdims=True) / np.maximum(seen.sum((1, 2), keepdims=True), 1)
    return np.where(seen > 0, values, mean)


class _Laid(NamedTuple):
    """Pictures laid upon each other; float32 [K, S, S].

    Attributes:
      target: structure of the first.
      values: structure of the second.
      inside: 1 where both are seen.
    """

    target: np.ndarray
    values: np.ndarray
    inside: np.ndarray


def _compared(
    first: np.ndarray, second: np.ndarray, warp: np.ndarray, sigmas: Tuple[float, float, float]
) -> Tuple[np.ndarray, _Laid]:
    """Correlates structure; -1 where pictures have too little in common, or no structure."""
    clear = (~np.isnan(first)).astype(np.float32)
    moved, seen = _laid_upon(second, warp)
    inside = seen * clear
    target, _ = _structure(_filled(np.nan_to_num(first), clear), inside, sigmas)
    values, power = _structure(_filled(moved, seen), inside, sigmas)
    common = inside.sum((1, 2)) >= _MIN_COMMON * clear.sum((1, 2))
    usable = common & (power > _MIN_STRUCTURE**2)
    correlation = (target * values).sum((1, 2))
    return np.where(usable, correlation, -1), _Laid(target, values, inside)


def _stepped(warp: np.ndarray, laid: _Laid) -> np.ndarray:
    """A Gauss-Newton step (forward compositional, Baker & Matthews 2004, IJCV 56:221)."""
    count, side = laid.values.shape[:2]
    line = _line(side)
    xs, ys = line[None, :], line[:, None]
    down, across = (part * laid.inside for part in np.gradient(laid.values, 2 / side, axis=(1, 2)))
    parts = [across * xs, across * ys, across, down * xs, down * ys, down]
    jacobian = np.stack(parts, axis=1).reshape(count, 6, side * side)
    error = (laid.target - laid.values).reshape(count, -1, 1)
    normal = jacobian @ jacobian.transpose(0, 2, 1)
    normal += 1e-3 * np.eye(6, dtype=np.float32) * normal.trace(axis1=1, axis2=2)[:, None, None]
    change = np.linalg.solve(normal, jacobian @ error)[..., 0]
    change = change.clip(-_LONGEST_STEP, _LONGEST_STEP).reshape(-1, 2, 3)
    step = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
    step[:, :2] += change
    return warp @ step


def _halved(pictures: np.ndarray) -> np.ndarray:
    return (
        pictures.reshape(len(pictures), SIDE // 2, 2, SIDE // 2, 2).swapaxes(2, 3).mean(axis=(3, 4))
    )


def aligned_correlation(first: np.ndarray, second: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Correlates the fine structure of pictures after laying the second upon the first.

    Pairs without prospects are not taken to the end.

    Args:
      first: float32 [K, SIDE, SIDE], grey levels; NaN where there is nothing to see.
      second: likewise.
      warp: float32 [K, 2, 3], from places of the first to those of the second, (x, y) in
        units of half a side from the middle.

    Returns:
      float32 [K], the largest correlation of the fine structure, over the common part; -1
      where the pictures have no prospects.
    """
    best = np.full(len(first), -1, np.float32)
    going, warp = np.arange(len(first)), warp.astype(np.float32)
    begun = np.linalg.det(warp[:, :, :2])
    halves = _halved(first), _halved(second)
    stages = [(halves, _LEADING, least) for least in _LEAST_LEADING]
    stages += [((first, second), _TELLING, least) for least in (*_LEAST_TELLING, 1)]
    for (one, other), sigmas, least in stages:
        found, laid = _compared(one[going], other[going], warp, sigmas)
        size = np.linalg.det(warp[:, :, :2]) / begun[going]
        found = np.where(abs(size - 1) < _MOST_SCALED, found, -1)
        if sigmas is _TELLING:
            best[going] = np.maximum(best[going], found)
        kept = found >= least
        going = going[kept]
        if not len(going):
            break
        warp = _stepped(warp[kept], _Laid(*(part[kept] for part in laid)))
    return best


def _warps(found: Landmarks, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Float32 [P, 2, 3]: lays landmarks `other` upon `one`, see `aligned_correlation`."""
    turn = landmarks.turning(found.position[other]) @ landmarks.turning(
        found.position[one]
    ).transpose(0, 2, 1)
    scale = found.place[other, 2] / found.place[one, 2]
    turn = turn * scale[:, None, None]
    start, end = (
        ((found.place[side, :2] - (SIDE - 1) / 2) / (SIDE / 2))[..., None] for side in (one, other)
    )
    return np.concatenate([turn, end - turn @ start], axis=2).astype(np.float32)


def _verified(
    thumbnails: np.ndarray, found: Landmarks, near: Candidates, chosen: np.ndarray
) -> List[Pair]:
    """Verifies some of the candidates."""
    one, other = near.one[chosen], near.other[chosen]
    # The first is the one that shows less, so that it lies within the other.
    swap = found.place[one, 2] < found.place[other, 2]
    one, other = np.where(swap, other, one), np.where(swap, one, other)
    pictures = []
    for side in (found.photograph[one], found.photograph[other]):
        picture = thumbnails[side].astype(np.float32)
        picture[landmarks.rims(thumbnails[side])] = np.nan
        pictures.append(picture)
    warp = _warps(found, one, other)
    possible = abs(np.linalg.det(warp[:, :, :2])) > _MIN_AREA
    correlation = np.full(len(one), -1, np.float32)
    correlation[possible] = aligned_correlation(
        pictures[0][possible], pictures[1][possible], warp[possible]
    )
    pairs = []
    for place in np.flatnonzero(correlation >= MIN_CORRELATION):
        turn = warp[place, :, :2]
        mirrored = bool(np.linalg.det(turn) < 0)
        # Upon the first lies the second; turned back, it is the first, mirrored or not.
        turn = (turn if not swap[place] else np.linalg.inv(turn)) @ np.diag(
            [-1 if mirrored else 1, 1]
        )
        turned = int(np.rint(np.degrees(np.arctan2(turn[0, 1], turn[0, 0])) / 90)) % 4 * 90
        pair = near.first[chosen[place]], near.second[chosen[place]]
        pairs.append(Pair(int(pair[0]), int(pair[1]), turned, float(correlation[place]), mirrored))
    return pairs


def _blocks(count: int, size: int) -> Iterator[np.ndarray]:
    for begin in range(0, count, size):
        yield np.arange(begin, min(begin + size, count))


def find_pairs(thumbnails: np.ndarray, groups: Sequence[str]) -> List[Pair]:
    """Finds near-duplicates among photographs of different groups.

    Pictures without structure (a blank wall) are no one's duplicates. Where many
    photographs are alike, each is paired with a few only, which still connects them all.

    Args:
      thumbnails: uint8 [N, SIDE, SIDE], from `thumbnails.reduce`.
      groups: of each photograph, e.g. its patient.

    Returns:
      The pairs, by `first` and `second`.
    """
    count = len(thumbnails)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    if len(set(codes)) < 2:
        return []
    pairs: List[Pair] = []
    workers = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    # Threads of the matrix products beside these would wait for each other, at full load.
    alone = threadpoolctl.threadpool_limits(1, "blas")
    shown = progress.bar(None, 2 * count, "comparing photographs", "steps", delay=2)
    with alone, workers, shown as bar:

        def look(block: np.ndarray) -> Landmarks:
            return landmarks.find(thumbnails[block], block[0])

        def looked() -> Iterator[Landmarks]:
            for part in workers.map(look, _blocks(count, _BLOCK)):
                yield part
                bar.update(min(_BLOCK, count - bar.n))

        found = landmarks.join(looked(), count)
        near = landmarks.propose(found, codes, workers.map)

        def verify(chosen: np.ndarray) -> List[Pair]:
            return _verified(thumbnails, found, near, chosen)

        total = len(near.first)
        for done in workers.map(verify, _blocks(total, _VERIFIED_AT_ONCE)):
            pairs += done
            bar.update(min(_VERIFIED_AT_ONCE * count // total, 2 * count - bar.n))
    return sorted(pairs)

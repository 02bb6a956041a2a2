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

from common import progress
from preprocessing.duplicates import landmarks
from preprocessing.duplicates.landmarks import Candidates, Landmarks, gaussian, smooth
from preprocessing.duplicates.thumbnails import SIDE

MIN_CORRELATION = 0.75

_BLOCK = 256  # photographs whose landmarks are looked for at once
_VERIFIED_AT_ONCE = 256
# Gaussian sigmas, pixels: what is finer is left to the scaling, what is coarser is shade;
# and the surroundings that contrast is made even with. Coarse structure leads pictures upon
# each other, fine structure tells copies from what looks alike.
_LEADING, _TELLING = (0.8, 2.5, 4.0), (0.5, 1.3, 3.0)
_NOISE = 0.3  # Contrast below which structure is not enhanced, grey levels.
_MIN_STRUCTURE = 0.3  # Root mean square of the fine structure, grey levels.
_MIN_COMMON = 0.5  # Share of the smaller picture that must be seen in the other.
_MIN_AREA = 0.35  # Share of the one that the other may show, at least.
_LEADING_STEPS, _STEPS = 3, 5
_LEAST_LEADING = (0.3, 0.55, 0.75)  # Correlation before each of these steps.


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
      values: float32 [K, SIDE, SIDE], grey levels.
      sigmas: `_LEADING` or `_TELLING`.
      inside: float32 of the same shape, 0 where there is nothing to see.

    Returns:
      The structure, and the mean square of it before contrast was made even, [K].
    """
    fine, coarse, around = map(gaussian, sigmas)
    fine = (smooth(values, fine) - smooth(values, coarse)) * inside
    power = fine * fine
    return fine / np.sqrt(smooth(power, around) + _NOISE**2), power.mean((1, 2))


def _normalized(values: np.ndarray, inside: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Values of mean 0 and norm 1 inside, 0 outside; and their norms before."""
    area = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    centred = (values - (values * inside).sum((1, 2), keepdims=True) / area) * inside
    norm = np.maximum(np.sqrt((centred**2).sum((1, 2), keepdims=True)), 1e-6)
    return centred / norm, norm


def _laid_upon(pictures: np.ndarray, warp: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Bilinear values of float32 [K, SIDE, SIDE] at the places that `warp` leads to.

    Args:
      pictures: NaN where there is nothing to see.
      warp: float32 [K, 2, 3], from (x, y, 1), in pixels from the middle.

    Returns:
      float32 [K, SIDE, SIDE], 0 where nothing is seen, and float32, whether it is seen.
    """
    line = np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2
    grid = np.stack(np.broadcast_arrays(line, line[:, None], np.float32(1))).reshape(3, -1)
    at = warp @ grid + np.float32((SIDE - 1) / 2)
    outside = (at < -0.5).any(axis=1) | (at > SIDE - 0.5).any(axis=1)
    at = at.clip(0, np.float32(SIDE - 1.001))
    corner = at.astype(np.int32)
    x, y = (at - corner).swapaxes(0, 1)
    flat = pictures.reshape(-1)
    place = np.arange(len(pictures), dtype=np.int32)[:, None] * SIDE**2
    place = place + corner[:, 1] * SIDE + corner[:, 0]
    upper = flat[place] * (1 - x) + flat[place + 1] * x
    lower = flat[place + SIDE] * (1 - x) + flat[place + SIDE + 1] * x
    values = upper * (1 - y) + lower * y
    unseen = outside | np.isnan(values)
    values[unseen] = 0
    shape = (-1, SIDE, SIDE)
    return values.reshape(shape), (~unseen).astype(np.float32).reshape(shape)


def _filled(values: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Puts the mean of what is seen where nothing is, so that no edge is made."""
    mean = values.sum((1, 2), keepdims=True) / np.maximum(seen.sum((1, 2), keepdims=True), 1)
    return np.where(seen > 0, values, mean)


def aligned_correlation(
    first: np.ndarray, second: np.ndarray, warp: np.ndarray, steps: int = _STEPS
) -> np.ndarray:
    """Correlates the fine structure of pictures after laying the second upon the first.

    Gauss-Newton steps on an affine map (forward compositional, Baker & Matthews 2004,
    IJCV 56:221). Pairs without prospects are not taken to the end.

    Args:
      first: float32 [K, SIDE, SIDE], grey levels; NaN where there is nothing to see.
      second: likewise.
      warp: float32 [K, 2, 3], from places of the first to those of the second, (x, y) in
        pixels from the middle.
      steps: how many.

    Returns:
      float32 [K], the largest correlation of the fine structure, over the common part; -1
      where the pictures have no prospects.
    """
    best = np.full(len(first), -1, np.float32)
    line = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / (SIDE / 2)
    ys, xs = line[:, None], line[None, :]
    going, warp = np.arange(len(first)), warp.astype(np.float32).copy()
    begun = np.linalg.det(warp[:, :, :2])
    clear = (~np.isnan(first)).astype(np.float32)
    first = _filled(np.nan_to_num(first), clear)
    for step in range(steps + 1):
        leading = step < _LEADING_STEPS
        sigmas = _LEADING if leading else _TELLING
        moved, seen = _laid_upon(second[going], warp[going])
        inside = seen * clear[going]
        target, _ = _structure(first[going], inside, sigmas)
        target, _ = _normalized(target, inside)
        values, power = _structure(_filled(moved, seen), inside, sigmas)
        values, norm = _normalized(values, inside)
        found = (target * values).sum((1, 2))
        size = np.linalg.det(warp[going, :, :2]) / begun[going]
        usable = (inside.mean((1, 2)) >= _MIN_COMMON) & (abs(size - 1) < 0.4)
        usable &= power > _MIN_STRUCTURE**2 / 4
        if leading:
            kept = usable & (found >= _LEAST_LEADING[step])
        else:
            kept = usable
            best[going] = np.where(usable, np.maximum(best[going], found), best[going])
        if step == steps or not kept.any():
            break
        across = np.gradient(values, axis=2) * inside
        down = np.gradient(values, axis=1) * inside
        parts = [across * xs, across * ys, across, down * xs, down * ys, down]
        jacobian = np.stack(parts, axis=1).reshape(len(going), 6, -1)[kept]
        error = (target - values).reshape(len(going), -1, 1)[kept]
        going = going[kept]
        normal = jacobian @ jacobian.transpose(0, 2, 1)
        normal += 1e-3 * np.eye(6, dtype=np.float32) * normal.trace(axis1=1, axis2=2)[:, None, None]
        change = np.linalg.solve(normal, jacobian @ error)[..., 0].clip(-2, 2)
        step_by = np.zeros((len(going), 3, 3), np.float32)
        step_by[:, :2] = change.reshape(-1, 2, 3)
        step_by[:, :2, :2] /= SIDE / 2
        warp[going] = warp[going] @ (np.eye(3, dtype=np.float32) + step_by)
    return best


def _warps(found: Landmarks, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Float32 [P, 2, 3]: lays landmarks `other` upon `one`, see `aligned_correlation`."""
    turn = landmarks.turning(found.position[other]) @ landmarks.turning(
        found.position[one]
    ).transpose(0, 2, 1)
    scale = found.place[other, 2] / found.place[one, 2]
    turn = turn * scale[:, None, None]
    middle = np.float32((SIDE - 1) / 2)
    shift = (found.place[other, :2] - middle)[..., None] - turn @ (found.place[one, :2] - middle)[
        ..., None
    ]
    return np.concatenate([turn, shift], axis=2)


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
    with workers, progress.bar(None, 2 * count, "near-duplicates", "photographs", delay=2) as bar:

        def look(block: np.ndarray) -> Landmarks:
            return landmarks.find(thumbnails[block], block[0])

        parts = []
        for part in workers.map(look, _blocks(count, _BLOCK)):
            parts.append(part)
            bar.update(min(_BLOCK, count - bar.n))
        found = landmarks.join(parts)
        parts.clear()
        near = landmarks.propose(found, codes, workers.map)

        def verify(chosen: np.ndarray) -> List[Pair]:
            return _verified(thumbnails, found, near, chosen)

        total = len(near.first)
        for done in workers.map(verify, _blocks(total, _VERIFIED_AT_ONCE)):
            pairs += done
            bar.update(min(_VERIFIED_AT_ONCE * count // total, 2 * count - bar.n))
    return sorted(pairs)

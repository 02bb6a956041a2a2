"""Which photographs may show the same scene: what stands out in them looks alike.

Local features as of Lowe 2004 (IJCV 60:91): extrema of differences of Gaussians, each
described by the patch around it, scaled with the feature and turned and mirrored into one
of its eight positions, so that copies of all eight agree. A further landmark is the whole
picture. Descriptions that are alike are neighbours when they are sorted by the signs of
random projections (Charikar 2002, STOC); a few sorted orders find nearly all. So the time
grows as n log n, and a pair that shares several landmarks stands out among thousands of
pairs that share one.
"""

from typing import Callable, Iterable, List, NamedTuple, Tuple

import numpy as np
from scipy import fft, ndimage

from preprocessing.duplicates.thumbnails import SIDE

_SIGMAS = tuple(1.26**step for step in range(8))  # pixels
_MOST = 14  # landmarks of a photograph
_LEAST_CONTRAST = 0.01  # Of a landmark, in units of the local contrast.
_GRID = 8  # A description samples this many places along each side of the patch,
_STEP = 1.3  # this far apart, in units of the landmark's sigma.
_FREQUENCIES = 7  # Sum of the cosine transform's two frequencies, at most.
_UNCLEAR = 0.25  # A patch whose slopes are this alike is filed in two positions.
_TABLES, _NEIGHBOURS = 16, 6
_LEAST_LIKENESS = 0.88  # Cosine of two descriptions.
_LEAST_EVIDENCE = 0.1  # Sum of the squares of likenesses, each from 0 (the least) to 1.
_CANDIDATES = 4  # of a photograph, at most
_AT_ONCE = 1 << 15
_BLACK = 24  # Grey levels of a rim, at most.
_RIM = 4  # How far its edge reaches, pixels.
_LARGEST_RIM = 0.5  # Share of a picture; more black than that is no rim.


def gaussian(sigma: float, side: int = SIDE) -> np.ndarray:
    """Returns float32 [side, side], which smooths along one axis when it is multiplied with."""
    at = np.arange(side)
    weights = np.exp(-0.5 * ((at[:, None] - at) / sigma) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def smooth(pictures: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Smooths float32 [N, S, S] along both axes with a matrix of `gaussian`."""
    return matrix @ pictures @ matrix.T


def rims(thumbnails: np.ndarray) -> np.ndarray:
    """Bool [N, SIDE, SIDE]: in or at the black rim of a dermatoscope, the same for all."""
    black = thumbnails < _BLACK
    touched = np.flatnonzero(black[:, [0, -1]].any((1, 2)) | black[:, :, [0, -1]].any((1, 2)))
    rim = np.zeros_like(black)
    if len(touched):
        edge = np.pad(np.zeros((SIDE - 2, SIDE - 2), bool), 1, constant_values=True)
        near = np.ones((1, 3, 3), bool)  # In the same picture.
        found = ndimage.binary_propagation(black[touched] & edge, near, black[touched])
        found = ndimage.binary_dilation(found, near, iterations=_RIM)
        rim[touched] = found & (found.mean((1, 2), keepdims=True) < _LARGEST_RIM)
    return rim


class Landmarks(NamedTuple):
    """Landmarks of photographs; all arrays are of one length.

    Attributes:
      photograph: int32, which photograph.
      place: float32 [L, 3]: x and y in pixels of the thumbnail, and the scale.
      position: uint8, how the patch was turned and mirrored: see `turning`.
      first: bool, whether it is the first of the positions in which it is filed.
      description: float16 [L, D].
    """

    photograph: np.ndarray
    place: np.ndarray
    position: np.ndarray
    first: np.ndarray
    description: np.ndarray


# Offsets (x, y) in the patch of what stands at (x, y) of the description, by position.
_TURNINGS = np.array(
    [
        np.diag([-1 if p & 1 else 1, -1 if p & 2 else 1])
        @ (np.eye(2)[::-1] if p & 4 else np.eye(2))
        for p in range(8)
    ],
    np.float32,
)


def turning(position: np.ndarray) -> np.ndarray:
    """Returns float32 [L, 2, 2], which leads from a description to the photograph."""
    return _TURNINGS[position]


def _sample(
    levels: np.ndarray, level: np.ndarray, picture: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    """Bilinear values of [S, N, SIDE, SIDE] at float32 [L, P, 2] places."""
    xy = xy.clip(0, np.float32(SIDE - 1.001))
    corner = xy.astype(np.int32)
    x, y = (xy - corner)[..., 0], (xy - corner)[..., 1]
    flat = levels.reshape(-1)
    picture = (level * levels.shape[1] + picture).astype(np.int32)
    at = (picture[:, None] * SIDE + corner[..., 1]) * SIDE + corner[..., 0]
    upper = flat[at] * (1 - x) + flat[at + 1] * x
    lower = flat[at + SIDE] * (1 - x) + flat[at + SIDE + 1] * x
    return upper * (1 - y) + lower * y


def _rank(group: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Returns the rank of each entry within its group, 0 for the largest score."""
    order = np.lexsort((-score, group))
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(order)))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return rank


def _extrema(contrast: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Finds the strongest places of [S, N, SIDE, SIDE]: int [L, 4], and float32 [L, 3].

    Returns:
      (level, picture, row, column), and the parts of a level, row and column by which the
      parabola through the neighbours has its extremum aside.
    """
    most = abs(contrast)
    inner = most[1:-1, :, 1:-1, 1:-1]
    for axis in (0, 2, 3):
        line = most.swapaxes(0, axis)
        most = np.maximum(np.maximum(line[:-2], line[2:]), line[1:-1]).swapaxes(0, axis)
    places = np.stack(np.nonzero((inner >= most) & (inner > _LEAST_CONTRAST)), axis=1)
    places = places[_rank(places[:, 1], inner[tuple(places.T)]) < _MOST] + (1, 0, 1, 1)
    aside = []
    for axis in (0, 2, 3):
        step = np.eye(4, dtype=int)[axis]
        before, here, after = (contrast[tuple((places + n * step).T)] for n in (-1, 0, 1))
        bend = before - 2 * here + after
        bend[abs(bend) < 1e-6] = np.inf
        aside.append((0.5 * (before - after) / bend).clip(-0.5, 0.5))
    return places, np.stack(aside, axis=1)


def _positions(patches: np.ndarray) -> List[Tuple[np.ndarray, np.ndarray]]:
    """Returns the positions in which patches are filed: (which patch, its position)."""
    line = np.linspace(-1, 1, _GRID, dtype=np.float32)
    weights = np.exp(-np.add.outer(line**2, line**2)).astype(np.float32)
    x = np.tensordot(patches, weights * line, 2)
    y = np.tensordot(patches, weights * line[:, None], 2)
    size = np.hypot(x, y) + 1e-9
    position = (x < 0) * 1 + (y < 0) * 2 + (abs(y) > abs(x)) * 4
    flat = np.flatnonzero(np.minimum(abs(x), abs(y)) < _UNCLEAR * size)
    even = np.flatnonzero(abs(abs(x) - abs(y)) < 1.4 * _UNCLEAR * size)
    other = np.where(abs(x[flat]) < abs(y[flat]), 1, 2)
    return [
        (np.arange(len(patches)), position),
        (flat, position[flat] ^ other),
        (even, position[even] ^ 4),
    ]


def find(thumbnails: np.ndarray, begin: int = 0) -> Landmarks:
    """Finds the landmarks of thumbnails, uint8 [N, SIDE, SIDE]; `begin` is the first's number."""
    values = thumbnails.astype(np.float32)
    values -= smooth(values, gaussian(6.0))
    values /= np.sqrt(smooth(values * values, gaussian(6.0)) + 1)
    values[rims(thumbnails)] = 0
    levels = np.stack([smooth(values, gaussian(sigma)) for sigma in _SIGMAS])
    places, aside = _extrema(levels[1:] - levels[:-1])
    count = len(thumbnails)
    scale = np.float32(1.26) ** (places[:, 0] + aside[:, 0])
    place = np.stack([places[:, 3] + aside[:, 2], places[:, 2] + aside[:, 1], scale], axis=1)
    whole = np.full((count, 3), (SIDE - 1) / 2)
    whole[:, 2] = SIDE / _GRID / _STEP
    place = np.concatenate([place, whole]).astype(np.float32)
    picture = np.concatenate([places[:, 1], np.arange(count)])
    level = np.concatenate([places[:, 0] - 1, np.full(count, 2)])
    line = (np.arange(_GRID, dtype=np.float32) - (_GRID - 1) / 2) * np.float32(_STEP)
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    patches = _sample(levels, level, picture, place[:, None, :2] + place[:, None, 2:] * grid)
    patches -= patches.mean(axis=1, keepdims=True)
    patches /= np.sqrt((patches**2).sum(axis=1, keepdims=True)) + 1e-6
    patches = patches.reshape(-1, _GRID, _GRID)
    filed = _positions(patches)
    which, position = (np.concatenate(parts) for parts in zip(*filed))
    turned = np.empty((len(which), _GRID, _GRID), np.float32)
    for one in range(8):
        chosen = patches[which[position == one]]
        chosen = chosen[:, :: -1 if one & 2 else 1, :: -1 if one & 1 else 1]
        turned[position == one] = chosen.swapaxes(1, 2) if one & 4 else chosen
    sums = np.add.outer(np.arange(_GRID), np.arange(_GRID))
    waves = fft.dctn(turned, axes=(1, 2), norm="ortho")[:, (sums > 0) & (sums <= _FREQUENCIES)]
    return Landmarks(
        (picture[which] + begin).astype(np.int32),
        place[which],
        position.astype(np.uint8),
        np.arange(len(which)) < len(patches),
        waves.astype(np.float16),
    )


class Candidates(NamedTuple):
    """Pairs of photographs that may be copies; all arrays are of one length.

    Attributes:
      first: int32, number of the one.
      second: int32, of the other.
      one: int, a landmark of the first.
      other: int, the landmark of the second that is most like it.
    """

    first: np.ndarray
    second: np.ndarray
    one: np.ndarray
    other: np.ndarray


def _alike(found: Landmarks, groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Compares landmarks that are near each other in a sorted order; returns their matches.

    A match is an int64: the one landmark, the other (the smaller in front), and eight bits
    of likeness.
    """
    size = len(order)
    kept = [np.zeros(0, np.int64)]
    for begin in range(0, size, _AT_ONCE):
        part = order[begin : begin + _AT_ONCE + _NEIGHBOURS]
        description = found.description[part].astype(np.float32)
        group, first = groups[found.photograph[part]], found.first[part]
        for step in range(1, min(_NEIGHBOURS + 1, len(part))):
            likeness = np.einsum("ij,ij->i", description[:-step], description[step:])
            near = (likeness > _LEAST_LIKENESS) & (group[:-step] != group[step:])
            near &= first[:-step] | first[step:]
            one, other = part[:-step][near], part[step:][near]
            low, high = np.minimum(one, other), np.maximum(one, other)
            rank = (likeness[near] - _LEAST_LIKENESS) / (1 - _LEAST_LIKENESS) * 255
            match = (low.astype(np.int64) * size + high) << 8
            kept.append(match | rank.clip(0, 255).astype(np.int64))
    return np.unique(np.concatenate(kept))


def _normalize(found: Landmarks) -> None:
    """Gives all numbers of the descriptions the same weight, and all descriptions length 1."""
    sampled = found.description[:: max(1, len(found.description) >> 16)]
    spread = sampled.astype(np.float32).std(axis=0) + 1e-4
    for begin in range(0, len(found.description), _AT_ONCE):
        part = found.description[begin : begin + _AT_ONCE] / spread
        part /= np.linalg.norm(part, axis=1, keepdims=True) + 1e-6
        found.description[begin : begin + _AT_ONCE] = part


def propose(
    found: Landmarks, groups: np.ndarray, map_tables: Callable[..., Iterable] = map
) -> Candidates:
    """Finds pairs of photographs of different groups that share landmarks.

    Args:
      found: the landmarks of all photographs; their descriptions are normalized.
      groups: int [N], of each photograph.
      map_tables: `map`, or that of a pool of threads.
    """
    _normalize(found)

    def matches(table: int) -> np.ndarray:
        random = np.random.default_rng(table)
        basis = np.linalg.qr(random.normal(size=(found.description.shape[1],) * 2))[0][:, :32]
        basis = basis.astype(np.float32)
        keys = np.empty(len(found.description), np.uint32)
        for begin in range(0, len(keys), _AT_ONCE):
            signs = found.description[begin : begin + _AT_ONCE].astype(np.float32) @ basis > 0
            keys[begin : begin + _AT_ONCE] = np.packbits(signs, axis=1).view(">u4")[:, 0]
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return _alike(found, groups, order)

    match = np.zeros(0, np.int64)
    for more in map_tables(matches, range(_TABLES)):
        match = np.union1d(match, more)
    one, other = np.divmod(match >> 8, max(len(found.description), 1))
    return _strongest(found, one, other, (match & 255).astype(np.float32) / 255)


def _strongest(
    found: Landmarks, one: np.ndarray, other: np.ndarray, likeness: np.ndarray
) -> Candidates:
    """Adds up what speaks for each pair of photographs, and keeps the strongest of each."""
    first, second = found.photograph[one], found.photograph[other]
    turn = first > second
    one, other = np.where(turn, other, one), np.where(turn, one, other)
    first, second = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((likeness, second, first))
    one, other, first, second = one[order], other[order], first[order], second[order]
    starts = np.flatnonzero(np.diff(first, prepend=-1) | np.diff(second, prepend=-1))
    if not len(starts):
        return Candidates(first, second, one, other)
    total = np.add.reduceat(np.square(likeness[order]), starts)
    best = np.append(starts[1:], len(first)) - 1  # Likeness grows within a pair.
    best, total = best[total > _LEAST_EVIDENCE], total[total > _LEAST_EVIDENCE]
    kept = np.zeros(len(best), bool)
    for side in (first[best], second[best]):
        kept |= _rank(side, total) < _CANDIDATES
    best = best[kept]
    return Candidates(first[best], second[best], one[best], other[best])


def join(parts: Iterable[Landmarks], photographs: int) -> Landmarks:
    """Joins landmarks of blocks of photographs as they come, so that none is held twice.

    Args:
      parts: of blocks, at least one.
      photographs: in all blocks together.
    """
    most = photographs * (_MOST + 1) * 3  # Each is filed in three positions at most.
    joined, end = None, 0
    for part in parts:
        if joined is None:  # Memory that is not written to is not taken.
            joined = [np.empty((most, *column.shape[1:]), column.dtype) for column in part]
        begin, end = end, end + len(part.first)
        for column, values in zip(joined, part):
            column[begin:end] = values
    assert joined is not None
    return Landmarks(*(column[:end] for column in joined))

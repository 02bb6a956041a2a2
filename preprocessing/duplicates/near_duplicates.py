"""Near-duplicates: photographs that show the same scene in nearly the same frame.

Copies of one photograph under two patients let a test set leak into training. Found
are copies that were scaled, encoded again, made brighter or darker, mirrored left to
right, or cut by a few percent, and frames of one scene taken in a row. Not found:
copies that were turned, or cut by a tenth and more.

Two steps. A perceptual hash (64 bits, `imagehash.phash`) proposes pairs. Most lesions
are a dark spot on even skin, and thousands of pairs of such photographs have close
hashes, so each pair is verified: the thumbnails, reduced to their fine structure with
the same contrast everywhere, are aligned and must correlate. Of a true copy the skin
around the lesion agrees too.
"""

from typing import Iterator, List, NamedTuple, Sequence, Tuple

import imagehash
import numpy as np
from PIL import Image
from scipy import ndimage

from common import progress
from preprocessing.duplicates.thumbnails import SIDE

MAX_DISTANCE = 10  # bits
MIN_CORRELATION = 0.82

_BANDS, _BAND_BITS = 4, 16
_CROWD = 1024  # hashes of one band that are looked at, at most
_BITS_SET = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)
_BLOCK = 256  # photographs whose candidates are looked up at once
_NEAREST = 32  # candidates of a photograph that are verified, at most
_VERIFIED_AT_ONCE = 1024
_FINE, _COARSE = 2.0, 4.0  # Gaussian sigmas of the fine structure and of its contrast, pixels
_NOISE = 1.0  # Contrast below which structure is not enhanced, grey levels.
_BLACK = 24  # Grey levels of a rim, at most.
_RIM = 4  # How far its edge reaches into the fine structure, pixels.
_LARGEST_RIM = 0.5  # Share of a picture; more black than that is no rim.
_MIN_STRUCTURE = 0.5  # Root mean square of the fine structure, grey levels.
_MAX_SHIFT = 0.2  # Largest cut on one side and largest change of scale.
_MIN_COMMON = 0.3  # Share of a picture that must be seen in the other.
_FIRST_STEPS, _STEPS = 2, 6
_MIN_AFTER_FIRST = 0.55  # Copies cut by 6 % reach 0.7 in two steps, other pairs rarely 0.5.


class Pair(NamedTuple):
    """Two photographs that are near-duplicates.

    Attributes:
      first: position of the one.
      second: position of the other, larger than `first`.
      distance: bits of the perceptual hash that differ.
      correlation: of the aligned fine structure, at most 1.
      mirrored: whether one is the mirror image of the other.
    """

    first: int
    second: int
    distance: int
    correlation: float
    mirrored: bool


def hashes_of(thumbnails: np.ndarray) -> np.ndarray:
    """Returns 64-bit perceptual hashes, uint64 [N], of thumbnails, uint8 [N, H, W]."""
    bits = [imagehash.phash(Image.fromarray(picture)).hash.ravel() for picture in thumbnails]
    packed = np.packbits(np.array(bits, bool).reshape(-1, 64), axis=-1)
    return packed.view(np.uint64)[:, 0]


def distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Counts the bits that differ, uint8 [N], of hashes, uint64 [N]."""
    words = (first ^ second).view(np.uint16).reshape(-1, 4)
    return _BITS_SET[words].sum(axis=-1, dtype=np.uint8)


class HashTable:
    """Finds hashes by parts of their bits, in a time that the number of hashes hardly changes.

    Every hash is filed under each of its four 16-bit bands. A query looks under its own
    bands and under those with one bit changed: two hashes that differ in at most seven
    bits agree in some band up to one bit (Norouzi et al. 2012, CVPR, multi-index
    hashing), and so do 95 % of those that differ in eight and 74 % in ten.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self._hashes = hashes
        self._flips = np.array([0, *(1 << bit for bit in range(_BAND_BITS))], np.int64)
        self._keys = [self._filed(_bands(hashes)[:, band]) for band in range(_BANDS)]

    def _filed(self, band: np.ndarray) -> np.ndarray:
        """Sorted int64 [N]: the band in the upper bits, the position in the lower."""
        return np.sort((band.astype(np.int64) << 32) | np.arange(len(band)))

    def near(self, queries: np.ndarray, after: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Looks up hashes within `MAX_DISTANCE`.

        Args:
          queries: uint64 [Q].
          after: int64 [Q], find only hashes of later positions than these.

        Returns:
          int64 [P], positions of queries, and int64 [P], of the hashes that are near.
        """
        bands = _bands(queries).astype(np.int64)
        found = []
        for band, keys in enumerate(self._keys):
            wanted = (bands[:, band, None] ^ self._flips) << 32
            begin = np.searchsorted(keys, wanted + after[:, None] + 1)
            end = np.searchsorted(keys, wanted + (1 << 32))
            count = np.minimum(end - begin, _CROWD).ravel()
            first = np.repeat(begin.ravel() - (np.cumsum(count) - count), count)
            hit = keys[first + np.arange(count.sum())] & 0xFFFFFFFF
            query = np.repeat(np.arange(len(queries)).repeat(len(self._flips)), count)
            close = distance(queries[query], self._hashes[hit]) <= MAX_DISTANCE
            found.append(np.stack([query[close], hit[close]]))
        query, hit = np.unique(np.concatenate(found, axis=1), axis=1)
        return query, hit


def _bands(hashes: np.ndarray) -> np.ndarray:
    return hashes.view(np.uint16).reshape(-1, _BANDS)


def fine_structure(thumbnails: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Removes light and shade, and gives all parts of a picture the same contrast.

    Args:
      thumbnails: uint8 [N, SIDE, SIDE].

    Returns:
      float32 [N, SIDE, SIDE], 0 where there is nothing to see (black rims), and bool
      [N]: whether there is structure enough to tell one picture from another.
    """
    values = thumbnails.astype(np.float32)
    values -= ndimage.gaussian_filter(values, (0, _FINE, _FINE), mode="nearest")
    power = values * values
    contrast = ndimage.gaussian_filter(power, (0, _COARSE, _COARSE), mode="nearest")
    structure = np.where(_rim(thumbnails), 0, values / np.sqrt(contrast + _NOISE**2))
    return structure.astype(np.float32), power.mean((1, 2)) > _MIN_STRUCTURE**2


def _rim(thumbnails: np.ndarray) -> np.ndarray:
    """Bool [N, SIDE, SIDE]: in or at the black rim of a dermatoscope, the same for all."""
    black = thumbnails < _BLACK
    edge = np.pad(np.zeros((SIDE - 2, SIDE - 2), bool), 1, constant_values=True)
    near = np.ones((1, 3, 3), bool)  # In the same picture.
    rim = ndimage.binary_propagation(black & edge, near, black)
    rim = ndimage.binary_dilation(rim, near, iterations=_RIM)
    return rim & (rim.mean((1, 2), keepdims=True) < _LARGEST_RIM)


def _candidates(
    thumbnails: np.ndarray, groups: np.ndarray
) -> Iterator[Tuple[np.ndarray, np.ndarray]]:
    """Yields pairs with close hashes, by blocks of photographs.

    Args:
      thumbnails: uint8 [N, SIDE, SIDE].
      groups: int [N]; photographs of one group are no pair.

    Yields:
      int64 [P, 2], and int [P], the distances; for the pair (first, N + second) the
      hash of the first is near to that of the mirror image of the second.
    """
    count = len(thumbnails)
    # Hashes of mirror images are not those of the images in some other order.
    tables = [hashes_of(thumbnails), hashes_of(thumbnails[:, :, ::-1])]
    filed = [HashTable(hashes) for hashes in tables]
    for begin in range(0, count, _BLOCK):
        own = np.arange(begin, min(begin + _BLOCK, count))
        pairs, distances = [], []
        for mirrored, table in enumerate(filed):
            query, hit = table.near(tables[0][own], own)
            first = own[query]
            other = groups[first] != groups[hit]
            first, hit = first[other], hit[other]
            pairs.append(np.stack([first, hit + mirrored * count], axis=-1))
            distances.append(distance(tables[0][first], tables[mirrored][hit]))
        joined, bits = np.concatenate(pairs), np.concatenate(distances).astype(np.int64)
        order = np.lexsort((joined[:, 1], bits, joined[:, 0]))
        joined, bits = joined[order], bits[order]
        _, start, repeats = np.unique(joined[:, 0], return_index=True, return_counts=True)
        nearest = np.arange(len(joined)) - np.repeat(start, repeats) < _NEAREST
        yield joined[nearest], bits[nearest]


def _sample(pictures: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear values of [K, SIDE, SIDE] at [K, SIDE, SIDE] places in pixels."""
    x, y = np.clip(x, 0, SIDE - 1.001), np.clip(y, 0, SIDE - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    x, y = x - column, y - row
    flat = pictures.reshape(-1)
    at = (np.arange(len(pictures))[:, None, None] * SIDE + row) * SIDE + column
    upper = flat[at] * (1 - x) + flat[at + 1] * x
    lower = flat[at + SIDE] * (1 - x) + flat[at + SIDE + 1] * x
    return upper * (1 - y) + lower * y


def _normalized(values: np.ndarray, inside: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Values of mean 0 and norm 1 inside, 0 outside; and their norms before."""
    area = np.maximum(inside.sum((1, 2), keepdims=True), 1)
    centred = (values - (values * inside).sum((1, 2), keepdims=True) / area) * inside
    norm = np.maximum(np.sqrt((centred**2).sum((1, 2), keepdims=True)), 1e-6)
    return centred / norm, norm


def aligned_correlation(first: np.ndarray, second: np.ndarray, steps: int) -> np.ndarray:
    """Correlates pictures after shifting and scaling the second onto the first.

    Gauss-Newton steps (Lucas & Kanade 1981) on scale and shift along both axes.

    Args:
      first: float32 [K, SIDE, SIDE], from `fine_structure`.
      second: likewise.
      steps: how many.

    Returns:
      float32 [K], the largest correlation met on the way, over the common part.
    """
    count, middle = len(first), np.float32((SIDE - 1) / 2)
    line = np.linspace(-1, 1, SIDE, dtype=np.float32)
    ys, xs = np.meshgrid(line, line, indexing="ij")
    # x -> scale * x + shift, y likewise, in units of half the picture.
    warp = np.tile(np.array([1, 0, 1, 0], np.float32), (count, 1))
    down, across = (slope * middle for slope in np.gradient(second, axis=(1, 2)))
    best = np.full(count, -1, np.float32)
    seen_first, seen_second = first != 0, (second != 0).astype(np.float32)
    for step in range(steps + 1):
        x = warp[:, 0, None, None] * xs + warp[:, 1, None, None]
        y = warp[:, 2, None, None] * ys + warp[:, 3, None, None]
        places = (x + 1) * middle, (y + 1) * middle
        seen = seen_first & (abs(x) <= 1) & (abs(y) <= 1) & (_sample(seen_second, *places) > 0.99)
        inside = seen.astype(np.float32)
        target, _ = _normalized(first, inside)
        moved, norm = _normalized(_sample(second, *places), inside)
        enough = seen.mean((1, 2)) >= _MIN_COMMON
        best = np.where(enough, np.maximum(best, (target * moved).sum((1, 2))), best)
        if step == steps:
            break
        slope_x = _sample(across, *places) * inside / norm
        slope_y = _sample(down, *places) * inside / norm
        jacobian = np.stack([slope_x * xs, slope_x, slope_y * ys, slope_y], axis=1)
        jacobian = jacobian.reshape(count, 4, SIDE * SIDE)
        normal = jacobian @ jacobian.transpose(0, 2, 1) + 1e-3 * np.eye(4, dtype=np.float32)
        change = np.linalg.solve(normal, jacobian @ (target - moved).reshape(count, SIDE * SIDE, 1))
        warp = warp + np.clip(change[..., 0], -0.08, 0.08)
        identity = np.array([1, 0, 1, 0], np.float32)
        warp = identity + np.clip(warp - identity, -_MAX_SHIFT, _MAX_SHIFT)
    return best


def _verify(
    structure: np.ndarray, first: np.ndarray, second: np.ndarray, mirrored: np.ndarray
) -> np.ndarray:
    """Correlates pairs, float32 [P]; pairs without prospects are not fully aligned."""

    def correlate(chosen: np.ndarray, steps: int) -> np.ndarray:
        other = structure[second[chosen]]
        other = np.where(mirrored[chosen, None, None], other[:, :, ::-1], other)
        return aligned_correlation(structure[first[chosen]], other, steps)

    correlation = np.zeros(len(first), np.float32)
    for begin in range(0, len(first), _VERIFIED_AT_ONCE):
        chosen = np.arange(begin, min(begin + _VERIFIED_AT_ONCE, len(first)))
        correlation[chosen] = correlate(chosen, _FIRST_STEPS)
        chosen = chosen[correlation[chosen] >= _MIN_AFTER_FIRST]
        correlation[chosen] = correlate(chosen, _STEPS)
    return correlation


def find_pairs(thumbnails: np.ndarray, groups: Sequence[str]) -> List[Pair]:
    """Finds near-duplicates among photographs of different groups.

    Pictures without structure (a blank wall) are no one's duplicates. Where more than
    a few dozen photographs are alike, each is paired with its nearest only, which
    still connects them all.

    Args:
      thumbnails: uint8 [N, SIDE, SIDE], from `thumbnails.reduce`.
      groups: of each photograph, e.g. its patient.

    Returns:
      The pairs, by `first` and `second`.
    """
    blocks = [
        fine_structure(thumbnails[begin : begin + _BLOCK])
        for begin in range(0, max(len(thumbnails), 1), _BLOCK)
    ]
    structure, usable = (np.concatenate(parts) for parts in zip(*blocks))
    kept, light = np.flatnonzero(usable), thumbnails.sum(axis=(1, 2), dtype=np.int64)
    codes = np.unique(np.asarray(groups), return_inverse=True)[1][kept]
    pairs: List[Pair] = []
    with progress.bar(None, len(kept), "near-duplicates", "photographs", delay=2) as bar:
        for near, distances in _candidates(thumbnails[kept], codes):
            mirrored = near[:, 1] >= len(kept)
            first, second = kept[near[:, 0]], kept[near[:, 1] % len(kept)]
            # From the darker to the brighter, whatever the order of photographs.
            turned = light[first] > light[second]
            sides = np.where(turned, second, first), np.where(turned, first, second)
            correlation = _verify(structure, *sides, mirrored)
            for place in np.flatnonzero(correlation >= MIN_CORRELATION):
                values = first, second, distances, correlation, mirrored
                pairs.append(Pair(*(column[place].item() for column in values)))
            bar.update(min(_BLOCK, len(kept) - bar.n))
    best = {pair[:2]: pair for pair in sorted(pairs, key=lambda pair: pair.correlation)}
    return [best[places] for places in sorted(best)]

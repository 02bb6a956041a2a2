"""Perceptual hashes, and finding those that are near without comparing all with all."""

from typing import Tuple

import imagehash
import numpy as np
from PIL import Image

MAX_DISTANCE = 10  # bits

_BANDS, _BAND_BITS = 4, 16
_CROWD = 1024  # hashes of one band that are looked at, at most
_BITS_SET = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


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

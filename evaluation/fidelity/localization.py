"""Finds the region of a picture that differs from the skin around it, without the box.

The finder is told nothing of the condition, the map or the box: what it finds may
therefore be held against the box that was asked for. It is no segmentation network
but a robust model of the surrounding skin: a smooth field of CIELAB colour (light
falls off over a limb), fitted by iterated trimming from several starts, of which the
one that explains most of the frame and of its border is the skin. What differs from
it by more than the skin's own spread, and does not come in from outside the frame
like clothes and walls, is the region. Spots that stand close together are one.

How far this can be trusted is itself measured: on photographs, against the
annotators' boxes, which lesions rarely fill.
"""

import dataclasses
from typing import List, Optional, Sequence, Tuple

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import filters

from preprocessing.data import skin
from preprocessing.data.manifest import Box

# Shares of the frame's side.
_BLUR = 0.008
_JOIN = 0.05
_STRIP = 0.12
# Bounds of the skin's spread in L*, a*, b*: below is noise of the camera, above is no skin.
_LEAST_SPREAD, _LARGEST_SPREAD = np.array([1.6, 0.9, 0.9]), np.array([6.0, 3.0, 3.0])
# Distances in spreads: skin for the fit; bounds of the threshold; beyond is alike.
_SKIN, _LEAST_THRESHOLD, _LARGEST_THRESHOLD, _FAR = 3.0, 3.5, 5.0, 14.0
_FIT_STEPS = 7
# Grey or bluish and not dark: rather a sheet than skin (L*, b*).
_HAIR_LIGHTNESS, _CLOTH_YELLOW = 30.0, 4.0
_MIN_AREA = 0.002  # of the frame
_MAIN_SHARE = 0.12  # of the most conspicuous group's sum of distances
_BORDER_SHARE = 0.3  # of a group's outline on the frame's border: it comes from outside


@dataclasses.dataclass(frozen=True)
class Region:
    """What differs from the surrounding skin.

    Attributes:
      mask: bool [h, w], at the scale that the picture was looked at.
      boxes: around the groups of the mask, in pixels of the picture; empty where
        nothing differs.
    """

    mask: np.ndarray
    boxes: Tuple[Box, ...]


def _terms(height: int, width: int) -> np.ndarray:
    """Float [h * w, 6]: 1, x, y, x^2, xy, y^2 with x and y in -1..1."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


def _distances(
    colors: np.ndarray, terms: np.ndarray, start: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Fits the field of skin colour; returns every pixel's distance to it, and its middle.

    Args:
      colors: float [N, 3], CIELAB.
      terms: float [N, 6].
      start: bool [N], where to begin; trimmed, and grown over what fits.
    """
    middle = np.median(colors[start], axis=0)
    residuals = colors - middle
    kept = start
    ridge = np.diag([0.0, 0.01, 0.01, 0.05, 0.05, 0.05])
    for _ in range(_FIT_STEPS):
        spread = 1.4826 * np.median(np.abs(residuals[kept]), axis=0)
        spread = np.clip(spread, _LEAST_SPREAD, _LARGEST_SPREAD)
        distances = np.sqrt(np.square(residuals / spread).sum(axis=1))
        near = distances < _SKIN
        if near.sum() < 0.03 * len(near):
            break
        kept = near
        middle = np.median(colors[kept], axis=0)
        chosen = terms[kept]
        normal = chosen.T @ chosen / len(chosen) + ridge
        field = np.linalg.solve(normal, chosen.T @ colors[kept] / len(chosen))
        residuals = colors - terms @ field
    return distances, middle


def _starts(height: int, width: int) -> List[np.ndarray]:
    """Bool [h * w] each: the border, its four sides, everything."""
    strip = max(2, round(_STRIP * min(height, width)))
    sides = np.zeros((4, height, width), bool)
    sides[0, :strip], sides[1, -strip:] = True, True
    sides[2, :, :strip], sides[3, :, -strip:] = True, True
    every = np.ones((height, width), bool)
    return [one.ravel() for one in (sides.any(axis=0), *sides, every)]


def distance_to_skin(image: np.ndarray) -> np.ndarray:
    """Returns how far each pixel's colour is from that of the surrounding skin.

    Args:
      image: uint8 [h, w, 3].

    Returns:
      float [h, w], in robust standard deviations of the skin.
    """
    height, width = image.shape[:2]
    sigma = _BLUR * min(height, width)
    colors = ndimage.gaussian_filter(skin.lab(image), (sigma, sigma, 0)).reshape(-1, 3)
    colors = colors.astype(np.float64)
    terms = _terms(height, width)
    starts = _starts(height, width)
    border = starts[0]
    best: Optional[np.ndarray] = None
    most = -1.0
    for start in starts:
        distances, (lightness, _, yellow) = _distances(colors, terms, start)
        near = distances < _SKIN
        explained = near.mean() + near[border].mean()
        if lightness > _HAIR_LIGHTNESS and yellow < _CLOTH_YELLOW:
            explained *= 0.5
        if explained > most:
            best, most = distances, explained
    assert best is not None
    return best.reshape(height, width)


def _threshold(distances: np.ndarray) -> float:
    """Otsu's threshold, within bounds: plain skin has two classes as well, of noise."""
    clipped = np.minimum(distances, _FAR)
    return float(np.clip(filters.threshold_otsu(clipped), _LEAST_THRESHOLD, _LARGEST_THRESHOLD))


def _border_share(group: np.ndarray) -> float:
    """Share of a group's outline that lies on the frame's border."""
    outline = group & ~ndimage.binary_erosion(group, np.ones((3, 3)), border_value=0)
    border = np.ones_like(group)
    border[1:-1, 1:-1] = False
    return float((outline & border).sum() / max(outline.sum(), 1))


def _groups(different: np.ndarray, distances: np.ndarray) -> List[np.ndarray]:
    """Parts of a mask that make up its main part, spots near each other being one."""
    side = min(different.shape)
    radius = max(1, round(_JOIN * side))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    joined = ndimage.binary_dilation(different, x * x + y * y <= radius * radius)
    labels, number = ndimage.label(joined, np.ones((3, 3)))
    groups = [different & (labels == label) for label in range(1, number + 1)]
    groups = [
        group
        for group in groups
        if group.sum() >= _MIN_AREA * group.size and _border_share(group) < _BORDER_SHARE
    ]
    weights = [float(np.minimum(distances[group], _FAR).sum()) for group in groups]
    return [group for group, weight in zip(groups, weights) if weight >= _MAIN_SHARE * max(weights)]


def find_region(image: np.ndarray) -> Region:
    """Finds what differs from the surrounding skin.

    Args:
      image: uint8 [H, W, 3]; looked at with a longer side of `skin.MASK_SIDE`.

    Returns:
      The region; empty on plain skin.
    """
    small, scale = skin.reduce(Image.fromarray(image))
    distances = distance_to_skin(small)
    different = distances > _threshold(distances)
    # Parts that come from outside are taken away before spots are joined.
    labels, number = ndimage.label(different, np.ones((3, 3)))
    for label in range(1, number + 1):
        part = labels == label
        if part.sum() >= _MIN_AREA * part.size and _border_share(part) >= _BORDER_SHARE:
            different = different & ~part
    groups = _groups(different, distances)
    mask = np.zeros(different.shape, bool)
    boxes = []
    for group in groups:
        mask |= group
        rows, columns = np.nonzero(group)
        corners = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        boxes.append(Box(*(float(corner / scale) for corner in corners)))
    return Region(mask, tuple(boxes))


def box_mask(boxes: Sequence[Box], size: int, grow: float = 0.0) -> np.ndarray:
    """Draws boxes.

    Args:
      boxes: in pixels.
      size: rows and columns.
      grow: share of its longer side by which each box is grown on all sides.

    Returns:
      bool [size, size], true inside.
    """
    inside = np.zeros((size, size), bool)
    for box in boxes:
        margin = grow * max(box.x1 - box.x0, box.y1 - box.y0)
        x0, y0, x1, y1 = (
            int(np.clip(round(edge), 0, size))
            for edge in (box.x0 - margin, box.y0 - margin, box.x1 + margin, box.y1 + margin)
        )
        inside[y0:y1, x0:x1] = True
    return inside


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Returns intersection over union of two masks; 0 where one is empty."""
    return float((first & second).sum() / max((first | second).sum(), 1))


def center_error(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the distance of two masks' centres of gravity as a share of the side.

    NaN where one is empty.
    """
    if not first.any() or not second.any():
        return float("nan")
    centers = [np.argwhere(mask).mean(axis=0) for mask in (first, second)]
    return float(np.linalg.norm(centers[0] - centers[1]) / first.shape[0])

"""Where skin is, and how light it is: skin mask, ITA, skin-type estimate.

The mask serves to keep walls, clothes and the black rim of a dermatoscope out of
the crops, so it asks "does this look like the skin of *this* photograph", not
"does this look like skin in general": fixed colour rules fail on dark skin, under
coloured light and in dermoscopy.

The individual typology angle (Chardon et al. 1991, Int. J. Cosmet. Sci. 13:191),
ITA = atan2(L* - 50, b*) in degrees, with the usual thresholds 55, 41, 28, 10 and
-30 between the types (Del Bino & Bernerd 2013, Br. J. Dermatol. 169 Suppl. 3:33;
used for skin photographs by Kinyanjui et al. 2020, MICCAI). The agreement of types
from it with those that dermatologists give is only moderate (Groh et al. 2021, CVPR
workshops): light, camera and tan shift the angle. On phone photographs it is close to none
(docs/results/collections.md), so types are estimated from what melanin does to the colours
of several patches of skin, and not at all where there is none, or where the patches
disagree.
"""

from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from preprocessing.data.manifest import Box

ITA_THRESHOLDS: Tuple[float, ...] = (55.0, 41.0, 28.0, 10.0, -30.0)
MASK_SIDE = 96
_MIN_SEEDS = 24
_PATCH = 12  # Side of a patch of the reduced photograph, pixels.
_LEAST_SHARE = 0.01  # Of a photograph that must be skin for an estimate.
# The type is a + b log(G / B) + c log(G) of linear light: melanin takes more of the blue
# than of the green, and of both. Made by `python -m benchmarks.skin_type_benchmark`.
CALIBRATION = (0.065, 2.802, -1.139)
MOST_APART = 2.0  # Types; half of the patches lie within it, or the type is unknown.
# Of the model of skin, in L* and relative chroma.
_LEAST_SPREAD = np.array([11.0, 4.5, 4.5], np.float32)
_MOST_SPREAD = np.array([20.0, 9.0, 9.0], np.float32)

# Linear light of an sRGB byte (IEC 61966-2-1).
_BYTES = np.arange(256) / 255.0
_LINEAR = np.where(_BYTES <= 0.04045, _BYTES / 12.92, ((_BYTES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)
# sRGB to XYZ relative to the D65 white (Lindbloom).
_TO_XYZ = (
    np.array(
        [
            [0.412453, 0.357580, 0.180423],
            [0.212671, 0.715160, 0.072169],
            [0.019334, 0.119193, 0.950227],
        ]
    )
    / np.array([[0.95047], [1.0], [1.08883]])
).astype(np.float32)
# The cube roots of XYZ to CIELAB.
_TO_LAB = np.array([[0, 116, 0], [500, -500, 0], [0, 200, -200]], np.float32)
_LAB_OFFSET = np.array([-16, 0, 0], np.float32)
# RGB to Cb and Cr (ITU-R BT.601).
_TO_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def lab(image: np.ndarray) -> np.ndarray:
    """Converts sRGB to CIELAB (D65).

    Args:
      image: uint8 [..., 3].

    Returns:
      float32 [..., 3]: L* in 0..100, a*, b*.
    """
    xyz = _LINEAR[image] @ _TO_XYZ.T
    cubed = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16.0 / 116.0)
    return cubed @ _TO_LAB.T + _LAB_OFFSET


def log_light(image: np.ndarray) -> np.ndarray:
    """Returns the logarithm of linear light, float [..., 3], of sRGB, uint8 [..., 3]."""
    return np.log(_LINEAR[image] + 1e-4)


def reduce(image: Image.Image) -> Tuple[np.ndarray, float]:
    """Scales a photograph down for colour statistics.

    Args:
      image: RGB photograph.

    Returns:
      uint8 [h, w, 3] with a longer side of `MASK_SIDE` at most, and its scale, reduced
      pixels per pixel.
    """
    scale = min(1.0, MASK_SIDE / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    if scale < 1.0:
        image = image.resize((width, height), Image.Resampling.BOX, reducing_gap=1.0)
    return np.asarray(image), scale


def _inside(boxes: Sequence[Box], scale: float, shape: Tuple[int, ...], grow: float) -> np.ndarray:
    """Bool [h, w], true inside the boxes, each grown by a share of its longer side."""
    inside = np.zeros(shape, bool)
    for box in boxes:
        margin = grow * max(box.x1 - box.x0, box.y1 - box.y0)
        x0, y0 = int(scale * (box.x0 - margin)), int(scale * (box.y0 - margin))
        x1, y1 = scale * (box.x1 + margin), scale * (box.y1 + margin)
        inside[max(y0, 0) : int(np.ceil(y1)), max(x0, 0) : int(np.ceil(x1))] = True
    return inside


def _generic(image: np.ndarray) -> np.ndarray:
    """The chrominance rule of Chai & Ngan 1999 (IEEE TCSVT 9:551), any lightness."""
    chroma = image.astype(np.float32) @ _TO_CHROMA.T
    # Cb in 77..127 and Cr in 133..173, where 128 is grey.
    return (np.abs(chroma[..., 0] + 26) <= 25) & (np.abs(chroma[..., 1] - 25) <= 20)


def _seeds(
    image: np.ndarray, lightness: np.ndarray, inside: np.ndarray, ring: np.ndarray
) -> np.ndarray:
    """Pixels that are skin for sure, or as surely as can be had."""
    bright = lightness > 8.0
    near = ring & ~inside & bright
    if near.sum() >= _MIN_SEEDS:
        return near
    height, width = lightness.shape
    centre = np.zeros_like(inside)
    centre[height // 6 : height - height // 6, width // 6 : width - width // 6] = True
    likely = _generic(image) & bright & ~inside
    for candidate in (likely & centre, likely, centre & bright & ~inside, centre & bright):
        if candidate.sum() >= _MIN_SEEDS:
            return candidate
    return np.ones_like(inside)


def _middle(values: np.ndarray) -> np.ndarray:
    """Median of each column, of two middle values the larger; a tenth of NumPy's time."""
    middle = len(values) // 2
    return np.partition(values, middle, axis=0)[middle]


def skin_mask(image: np.ndarray, boxes: Sequence[Box] = (), scale: float = 1.0) -> np.ndarray:
    """Finds skin by its likeness to the skin beside the lesions.

    Seeds are the pixels around the ROI boxes (annotators mark lesions on skin);
    without boxes, those that satisfy a generic chrominance rule, or the middle of
    the photograph. A robust Gaussian of their CIELAB colour (median, median
    absolute deviation, with floors) is the model; chroma is compared relative to
    lightness, so that shade on a curved limb stays skin, and deep black (the
    dermatoscope's rim) does not.

    Args:
      image: uint8 [h, w, 3], usually from `reduce`.
      boxes: ROI boxes in pixels of the full photograph; always part of the skin.
      scale: pixels of `image` per pixel of the photograph.

    Returns:
      bool [h, w].
    """
    colors = lab(image)
    lightness = colors[..., 0]
    inside = _inside(boxes, scale, lightness.shape, 0.0)
    ring = _inside(boxes, scale, lightness.shape, 0.35)
    seeds = _seeds(image, lightness, inside, ring)
    # A shaded surface keeps the ratio of chroma to lightness; 16 is where L* ends.
    features = colors.copy()
    features[..., 1:] *= 60.0 / (lightness[..., None] + 16.0)
    seen = features[seeds]
    center = _middle(seen)
    spread = 1.4826 * _middle(np.abs(seen - center))
    spread = spread.clip(_LEAST_SPREAD, _MOST_SPREAD)
    distance = np.square((features - center) / spread)
    light, chroma = distance[..., 0], distance[..., 1] + distance[..., 2]
    likely = _generic(image)
    skin = (chroma + light < 9.0) | (likely & (chroma < 12.0) & (light < 9.0))
    skin &= lightness > min(8.0, 0.4 * center[0])
    return skin | inside


def ita(image: np.ndarray, skin: np.ndarray) -> Optional[float]:
    """Measures the individual typology angle of skin.

    Hair, shade and glare are left out by taking the median over the middle half of
    lightness.

    Args:
      image: uint8 [h, w, 3].
      skin: bool [h, w], the pixels to measure.

    Returns:
      Degrees, or None where there are fewer than 24 pixels.
    """
    colors = lab(image[skin])
    if len(colors) < _MIN_SEEDS:
        return None
    low, high = np.percentile(colors[:, 0], (25, 75))
    middle = colors[(colors[:, 0] >= low) & (colors[:, 0] <= high)]
    lightness, _, yellow = np.median(middle, axis=0)
    return float(np.degrees(np.arctan2(lightness - 50.0, yellow)))


def fitzpatrick_from_ita(degrees: float) -> int:
    """Maps an ITA to a skin type: above 55 is 1, 41..55 is 2, ..., below -30 is 6.

    A threshold itself belongs to the darker type. Bluish light (b* < 0, common in
    dermoscopy) gives angles above 90 or below -90, which stay at the ends.
    """
    return 1 + sum(degrees <= threshold for threshold in ITA_THRESHOLDS)


class Tone(NamedTuple):
    """The colour of the skin outside the lesions.

    Attributes:
      ita: degrees.
      patches: float [K, 2], log(G / B) and log(G) of linear light of patches of skin,
        medians over the middle half of lightness of each.
    """

    ita: float
    patches: np.ndarray

    def types(self, calibration: Sequence[float] = CALIBRATION) -> np.ndarray:
        """Returns the skin type of each patch, float [K], not limited to 1..6."""
        return calibration[0] + self.patches @ np.array(calibration[1:])

    @property
    def fitzpatrick(self) -> Optional[int]:
        """The skin type, 1..6; None where the patches disagree."""
        low, middle, high = np.percentile(self.types(), (25, 50, 75))
        if high - low > MOST_APART:
            return None
        return int(np.clip(np.rint(middle), 1, 6))


def _patches(image: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """See `Tone`; all skin is one patch where none is covered enough."""
    found: List[np.ndarray] = []
    light = log_light(image)
    height, width = seen.shape
    places = [
        np.s_[y : y + _PATCH, x : x + _PATCH]
        for y in range(0, height, _PATCH)
        for x in range(0, width, _PATCH)
    ]
    for place in [one for one in places if seen[one].sum() >= _PATCH**2 // 2] or [
        np.s_[0:height, 0:width]
    ]:
        colors = light[place][seen[place]]
        low, high = np.percentile(colors[:, 1], (25, 75))
        middle = colors[(colors[:, 1] >= low) & (colors[:, 1] <= high)]
        _, green, blue = np.median(middle, axis=0)
        found.append(np.array([green - blue, green]))
    return np.stack(found)


def measure_tone(
    image: Image.Image, boxes: Sequence[Box] = (), lesion: Optional[Image.Image] = None
) -> Optional[Tone]:
    """Measures the skin of a photograph that hangs together with its lesions.

    Args:
      image: RGB photograph.
      boxes: its ROI boxes.
      lesion: a mask of the same size, non-zero on lesions; closer than the boxes,
        whose corners show skin even where a lesion fills the photograph.

    Returns:
      The tone, or None where too little is seen that is coloured like skin.
    """
    small, scale = reduce(image)
    skin = skin_mask(small, boxes, scale)
    # A floor or a glove may be like the skin, but apart from it.
    labels, count = ndimage.label(skin)
    inside = _inside(boxes, scale, skin.shape, 0.0)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    largest = np.argsort(sizes[1:])[-1:] + 1
    kept = np.unique(labels[inside]) if boxes else largest
    skin &= np.isin(labels, kept) & _generic(small)
    if lesion is None:
        choices = [_inside(boxes, scale, skin.shape, margin) for margin in (0.1, 0.0)]
    else:
        height, width = skin.shape
        resized = lesion.convert("L").resize((width, height), Image.Resampling.BOX)
        choices = [np.asarray(resized.filter(ImageFilter.MaxFilter(5))) > 0]
        choices.append(np.asarray(resized) > 0)
    for excluded in choices:
        seen = skin & ~excluded
        degrees = ita(small, seen)
        if degrees is not None and seen.mean() >= _LEAST_SHARE:
            return Tone(degrees, _patches(small, seen))
    return None


def estimate_fitzpatrick(
    image: Image.Image, boxes: Sequence[Box] = (), lesion: Optional[Image.Image] = None
) -> Optional[Tuple[Optional[int], float]]:
    """Estimates the skin type of a photograph; see `measure_tone`.

    Returns:
      (skin type 1..6, or None where patches of skin disagree; ITA in degrees), or None
      where too little skin is visible.
    """
    tone = measure_tone(image, boxes, lesion)
    return tone and (tone.fitzpatrick, tone.ita)


def skin_box(image: Image.Image) -> Box:
    """Returns the bounding box of the skin of a photograph without ROI boxes.

    The outermost percent of the skin's pixels on each side does not count, so that
    stray pixels do not decide.
    """
    small, scale = reduce(image)
    rows, columns = np.nonzero(skin_mask(small))
    if not len(rows):
        return Box(0, 0, *image.size)
    x0, x1 = np.percentile(columns, (1, 99)) + (0, 1)
    y0, y1 = np.percentile(rows, (1, 99)) + (0, 1)
    box = np.array([x0, y0, x1, y1]) / scale
    limits = np.tile(image.size, 2)
    return Box(*np.rint(np.clip(box, 0, limits)).tolist())

"""What only a photograph's pixels tell: where its ROIs are, and its skin type."""

import os
from typing import NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image
from scipy import ndimage

from preprocessing.data import manifest, photographs, skin
from preprocessing.data.manifest import Box
from preprocessing.importers.formats import Entry

# Components smaller than these shares of the photograph, or of the largest
# component, are specks of the brush.
_SPECK_OF_PHOTOGRAPH = 2e-4
_SPECK_OF_LARGEST = 0.02


class Measured(NamedTuple):
    """What was found.

    Attributes:
      rois: boxes in pixels, inside the photograph.
      roi_source: "boxes" that people drew, "mask" or "skin".
      estimate: (skin type or None, ITA in degrees), or None; see
        `skin.estimate_fitzpatrick`.
      unusable: why boxes that people drew are not among them.
    """

    rois: Tuple[Box, ...]
    roi_source: str
    estimate: Optional[Tuple[Optional[int], float]]
    unusable: Tuple[str, ...] = ()


def boxes_from_mask(mask: np.ndarray) -> Tuple[Box, ...]:
    """Returns the bounding boxes of a mask's connected components, without specks.

    Args:
      mask: bool [H, W].

    Returns:
      Boxes in pixels, largest component first; empty for an empty mask.
    """
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    slices = ndimage.find_objects(labels)
    smallest = max(_SPECK_OF_PHOTOGRAPH * mask.size, _SPECK_OF_LARGEST * areas.max(initial=0))
    boxes = []
    for index in np.argsort(-areas, kind="stable"):
        if areas[index] >= smallest:
            rows, columns = slices[index]
            boxes.append(Box(columns.start, rows.start, columns.stop, rows.stop))
    return tuple(boxes)


def fit_boxes(
    boxes: Sequence[Box],
    frame: Optional[Tuple[int, int]],
    size: Tuple[int, int],
    turned_frame: bool = False,
) -> Tuple[Tuple[Box, ...], Tuple[str, ...]]:
    """Brings boxes to a photograph that was scaled since, and cuts off what sticks out.

    Args:
      boxes: in pixels of `frame`.
      frame: (width, height) that they were drawn on; None for the photograph's own.
      size: (width, height) of the photograph, upright.
      turned_frame: whether `frame` may have its sides the other way round.

    Returns:
      The boxes that a manifest may hold, and what is wrong with the others.

    Raises:
      ValueError: the photograph has another shape, or none of the boxes will do.
    """
    if turned_frame and frame == size[::-1]:
        frame = size
    width, height = size
    scale = (1.0, 1.0) if frame is None else (width / frame[0], height / frame[1])
    # Scaling rounds each side to whole pixels.
    if frame and abs(frame[0] * height - frame[1] * width) > max(frame) + max(size):
        raise ValueError(
            f"boxes were drawn on {frame[0]}x{frame[1]} pixels, the photograph has "
            f"{width}x{height} after EXIF orientation"
        )
    fitted, unusable = [], []
    for box in boxes:
        inside = Box(*np.clip(np.multiply(box, 2 * scale), 0, 2 * size).round(2).tolist())
        text = f"box {manifest.format_rois([box])!r}"
        if inside.x0 >= inside.x1 or inside.y0 >= inside.y1:
            unusable.append(f"{text} is outside the {width}x{height} photograph")
        elif min(inside.x1 - inside.x0, inside.y1 - inside.y0) < manifest.LEAST_SIDE:
            unusable.append(f"{text} is smaller than half a pixel of the photograph")
        else:
            fitted.append(inside)
    if len(fitted) > manifest.MAX_ROIS:
        raise ValueError(f"{len(fitted)} boxes are more than the limit of {manifest.MAX_ROIS}")
    if not fitted:
        more = f", and so are {len(unusable) - 1} more" if len(unusable) > 1 else ""
        raise ValueError(f"{unusable[0]}{more}" if unusable else "no box")
    return tuple(fitted), tuple(unusable)


def _read_mask(path: str, size: Tuple[int, int]) -> Image.Image:
    mask = photographs.read_photograph(path).convert("L")
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.NEAREST)
    return mask.point(lambda value: 255 * (value > 127))


def measure(
    entry: Entry, image: str, mask: Optional[str], input_dir: str, estimate_skin_type: bool
) -> Union[Measured, str]:
    """Finds the ROIs of one photograph, and its skin type if asked to.

    Boxes that people drew count before a mask, a mask before the region of skin.

    Args:
      entry: the photograph.
      image: the path of its file below the folder.
      mask: that of its mask, or None.
      input_dir: the collection's folder.
      estimate_skin_type: whether to measure it.

    Returns:
      The findings, or the reason why there are none.
    """
    drawn, shape = entry.photograph.rois, None
    unusable: Tuple[str, ...] = ()
    try:
        picture = photographs.read_photograph(os.path.join(input_dir, image))
        if drawn:
            rois, unusable = fit_boxes(drawn, entry.frame, picture.size, entry.turned_frame)
            source = "boxes"
        elif mask:
            shape = _read_mask(os.path.join(input_dir, mask), picture.size)
            rois, source = boxes_from_mask(np.asarray(shape) > 0)[: manifest.MAX_ROIS], "mask"
            if not rois:
                raise ValueError(f"{os.path.join(input_dir, mask)}: the mask is empty")
        else:
            rois, source = (skin.skin_box(picture),), "skin"
    except ValueError as error:
        return str(error)
    estimate = None
    if estimate_skin_type:
        estimate = skin.estimate_fitzpatrick(picture, rois if source != "skin" else (), shape)
    return Measured(rois, source, estimate, unusable)

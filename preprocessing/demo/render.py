"""Renders one demo photograph from its description."""

import dataclasses
from typing import Tuple

import numpy as np
from PIL import Image
from scipy import ndimage

from preprocessing.data.manifest import Box
from preprocessing.demo import hair, lesions, scenes, skin_surface, textures
from preprocessing.demo.camera import Camera, develop
from preprocessing.demo.canvas import Canvas
from preprocessing.demo.textures import smoothstep

# Skin is painted at this share of the picture's resolution: a phone's demosaiced and
# denoised picture holds no finer detail.
RENDER_SCALE = 0.6
VISIBLE = 0.4
_STRIDE = 4
_MIN_ROI_PIXELS = 12
_MIN_SHARE = 0.6
_MIN_METERED = 400


@dataclasses.dataclass(frozen=True)
class Description:
    """One photograph: the patient, the disease and the camera.

    Attributes:
      condition: an entry of `taxonomy.CONDITIONS`.
      fitzpatrick: skin type, 1..6.
      surface: the patient's skin.
      scene: body part and clothing.
      rois: the lesions, in body coordinates.
      hair_colour: linear sRGB.
      hairiness: body hair, 0..1.
      camera: the photograph.
    """

    condition: str
    fitzpatrick: int
    surface: skin_surface.Surface
    scene: scenes.Scene
    rois: Tuple[lesions.Roi, ...]
    hair_colour: Tuple[float, float, float]
    hairiness: float
    camera: Camera


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is known of a rendered photograph.

    Attributes:
      rois: boxes of the ROIs in the frame, whole pixels of the upright picture.
      lesion: bool [H, W], true where a lesion can be seen.
      skin: bool [H, W], true on bare skin, lesions included.
    """

    rois: Tuple[Box, ...]
    lesion: np.ndarray
    skin: np.ndarray


def _boxes(truth: np.ndarray, width: int, height: int) -> Tuple[Box, ...]:
    """Returns tight boxes with a small margin, scaled to the picture."""
    boxes = []
    for mask in truth > VISIBLE:
        columns, rows = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        if not len(columns):
            continue
        scale_x, scale_y = width / mask.shape[1], height / mask.shape[0]
        x0, x1 = columns[0] * scale_x, (columns[-1] + 1) * scale_x
        y0, y1 = rows[0] * scale_y, (rows[-1] + 1) * scale_y
        if min(x1 - x0, y1 - y0) < _MIN_ROI_PIXELS:
            continue
        margin = 2.0 + 0.03 * max(x1 - x0, y1 - y0)
        boxes.append(
            Box(
                max(0, int(x0 - margin)),
                max(0, int(y0 - margin)),
                min(width, int(np.ceil(x1 + margin))),
                min(height, int(np.ceil(y1 + margin))),
            )
        )
    return tuple(boxes)


def _in_frame(rois: Tuple[lesions.Roi, ...], camera: Camera) -> Tuple[lesions.Roi, ...]:
    """Leaves out ROIs that the frame would show only a rim of."""
    step = max(4, camera.width // 100)
    s, t = camera.body_coordinates(camera.height // step, camera.width // step)
    pixel_mm2 = (step / camera.pixels_per_mm) ** 2 / camera.tilt
    shares = [
        (np.hypot(s - roi.s, t - roi.t) < roi.radius).sum() * pixel_mm2 / (np.pi * roi.radius**2)
        for roi in rois
    ]
    return tuple(roi for roi, share in zip(rois, shares) if share > _MIN_SHARE)


def _shade(
    description: Description, canvas: Canvas, depth: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Returns diffuse light and specular reflection on the body, float32 [h, w]."""
    camera = description.camera
    height, width = canvas.s.shape
    step = _STRIDE / canvas.pixels_per_mm
    coarse = scenes.body_height(
        description.scene, depth, canvas.s[::_STRIDE, ::_STRIDE], canvas.t[::_STRIDE, ::_STRIDE]
    )
    coarse = ndimage.gaussian_filter(coarse, 2.0)
    slope_y, slope_x = np.gradient(coarse, step)
    slope_x = textures.resize(np.clip(slope_x, -4, 4), height, width)
    slope_y = textures.resize(np.clip(slope_y, -4, 4), height, width)
    fine = np.zeros_like(slope_x)
    fine[:, 1:-1] = (canvas.height[:, 2:] - canvas.height[:, :-2]) * (0.5 * canvas.pixels_per_mm)
    slope_x = slope_x + np.clip(fine, -3, 3)
    fine[:] = 0
    fine[1:-1] = (canvas.height[2:] - canvas.height[:-2]) * (0.5 * canvas.pixels_per_mm)
    slope_y = slope_y + np.clip(fine, -3, 3)
    norm = 1.0 / np.sqrt(1.0 + slope_x**2 + slope_y**2)
    lx, ly, lz = (np.float32(value) for value in camera.light)
    facing = np.maximum((lz - lx * slope_x - ly * slope_y) * norm, 0.0)
    # Light scatters in skin, so the terminator is soft: ambient plus a wrapped part.
    diffuse = camera.ambient * (0.55 + 0.45 * norm) + (1.0 - camera.ambient) * facing
    half = np.array([lx, ly, lz + 1.0])
    hx, hy, hz = (half / np.linalg.norm(half)).astype(np.float32)
    shine = np.clip((hz - hx * slope_x - hy * slope_y) * norm, 0.0, 1.0) ** 2
    shine = shine**2
    shine = shine**2
    shine = shine**2  # Blinn's exponent 16 on uneven skin, 48 where it is tight.
    return diffuse, canvas.gloss * shine * (0.35 + 0.65 * shine**2)


def _layers(description: Description, rois: Tuple[lesions.Roi, ...], canvas: Canvas) -> None:
    """Fills the canvas with the patient's skin and lesions."""
    surface = description.surface
    height, width = canvas.s.shape
    slow = skin_surface.chromophores(
        surface, canvas.s[::_STRIDE, ::_STRIDE], canvas.t[::_STRIDE, ::_STRIDE]
    )
    padded = (len(slow[0]) * _STRIDE, len(slow[0][0]) * _STRIDE)
    for layer, field in zip((canvas.melanin, canvas.blood, canvas.veins), slow):
        layer += textures.resize(field, *padded)[:height, :width]
    canvas.gloss += surface.gloss
    canvas.hair += 1.0 if description.scene.part == "scalp" else 0.0
    lesions.paint(canvas, rois)
    lattice, dark = skin_surface.relief(surface, canvas.s, canvas.t, canvas.pixels_per_mm)
    keep = 1.0 - 0.9 * canvas.smooth
    canvas.height += lattice * keep
    canvas.melanin += dark * keep


def _body(
    description: Description,
    canvas: Canvas,
    depth: np.ndarray,
    rng: np.random.Generator,
) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Colours and lights the body.

    Returns:
      Diffuse reflectance [3, h, w], diffuse light, specular reflection, and the
      share of the skin that hair leaves bare, float32 [h, w].
    """
    skin = skin_surface.reflectance(
        description.surface.lab, canvas.melanin, canvas.blood, canvas.veins
    )
    skin = skin * (1.0 - canvas.cover) + canvas.paint
    diffuse, specular = _shade(description, canvas, depth)
    colour = np.array(description.hair_colour, np.float32)[:, None, None]
    bare = np.ones_like(diffuse)
    if description.scene.part == "scalp":
        cover, sheen = hair.scalp_hair(description.surface.seed, canvas)
        skin = skin * (1 - cover) + colour * np.clip(sheen, 0.3, 2) * cover
        specular = specular * (1 - 0.7 * cover) + 0.05 * cover * np.clip(sheen - 1.1, 0, 1)
        bare = 1.0 - cover
    elif description.hairiness > 0.05:
        cover = 0.85 * hair.body_hair(
            description.camera, description.hairiness, bare.shape, canvas.pixels_per_mm, rng
        )
        skin = skin * (1 - cover) + colour * cover
    return skin, diffuse, specular, bare


def _behind(
    camera: Camera, depth: np.ndarray, shape: Tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draws the background, out of focus and shaded beside the body, [3, h, w]."""
    small = (shape[0] // 3, shape[1] // 3)
    step = 3.0 / (RENDER_SCALE * camera.pixels_per_mm)
    y, x = (axis.astype(np.float32) * np.float32(step) for axis in np.mgrid[: small[0], : small[1]])
    gap = np.clip(-textures.resize(depth, *small), 0, None)
    scene = scenes.background(x, y, rng) * (1.0 - 0.5 * np.exp(-gap / 14.0))
    return np.stack(
        [textures.resize(ndimage.gaussian_filter(plane, 1.0), *shape) for plane in scene]
    )


def _uneven_light(camera: Camera, shape: Tuple[int, int]) -> np.ndarray:
    """Returns the light's fall across the frame and towards its corners, [h, w]."""
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return 1.0 + camera.gradient[0] * x + camera.gradient[1] * y - 0.05 * (x**2 + y**2)


def render(description: Description, rng: np.random.Generator) -> Tuple[np.ndarray, Truth]:
    """Renders one photograph.

    Args:
      description: the patient, the disease and the camera.
      rng: source of what differs between two shots: background, hairs, noise.

    Returns:
      The upright picture, uint8 [H, W, 3] sRGB, and what is known of it.
    """
    camera, scene = description.camera, description.scene
    shape = (int(camera.height * RENDER_SCALE), int(camera.width * RENDER_SCALE))
    scale = camera.pixels_per_mm * RENDER_SCALE
    s, t = camera.body_coordinates(*shape)
    rois = _in_frame(description.rois, camera)
    darkness = skin_surface.darkness(description.surface.lab)
    canvas = Canvas.blank(s, t, scale, len(rois), darkness)
    _layers(description, rois, canvas)

    coarse = scenes.depth_inside(scene, s[::_STRIDE, ::_STRIDE], t[::_STRIDE, ::_STRIDE])
    coarse = coarse.astype(np.float32)
    depth = textures.resize(coarse, *shape)
    if scene.part == "scalp":
        depth = depth + 1.2 * textures.look_up(textures.strand_tile(), s * 2.5, t * 4.0)
    body = smoothstep(depth * scale, -1.0, 1.0)
    cloth_depth = scenes.garment(scene, s, t)
    clothed = smoothstep(cloth_depth * scale, -1.0, 1.0)
    hem_shade = 0.35 * np.exp(-(np.minimum(cloth_depth, 0.0) ** 2) / 18.0)

    skin, diffuse, specular, bare = _body(description, canvas, coarse, rng)
    truth = canvas.truth * body * (1.0 - clothed)
    lesion = truth.max(0, initial=0.0) > VISIBLE
    open_skin = (body > 0.9) & (clothed < 0.1) & (bare > 0.6)
    # Exposed for the skin, as a phone does. The part of the reflection that veils all
    # of it is left out: it would turn dark skin grey.
    metered = open_skin & ~lesion
    if metered.sum() < _MIN_METERED:
        metered = body > 0.5
    light = diffuse * (1.0 - hem_shade) * (1.0 - np.clip(canvas.shadow, 0.0, 0.9))
    light /= np.median(diffuse[metered][::17])
    skin = skin * light + np.maximum(specular - np.median(specular[metered][::17]), 0.0)

    picture = _behind(camera, coarse, shape, rng)
    picture += (skin - picture) * body
    if clothed.any():
        fabric = scenes.cloth(s, t, np.random.default_rng(scene.seed + 7))
        picture += (fabric * np.clip(light, 0.3, 1.3) - picture) * (clothed * (depth > -6))
    picture = (picture * _uneven_light(camera, shape)).astype(np.float32)
    image = develop(picture, camera, rng)

    full = (camera.width, camera.height)
    masks = [
        np.asarray(Image.fromarray(mask).resize(full, Image.Resampling.NEAREST))
        for mask in (lesion, open_skin | lesion)
    ]
    return image, Truth(_boxes(truth, *full), masks[0], masks[1])

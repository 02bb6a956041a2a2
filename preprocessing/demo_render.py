"""Renders one demo photograph from its description."""

import dataclasses
from typing import Tuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from preprocessing import demo_lesions, demo_scenes, demo_skin
from preprocessing import demo_textures as textures
from preprocessing.cases import Box
from preprocessing.demo_camera import Camera, develop
from preprocessing.demo_canvas import Canvas
from preprocessing.demo_textures import smoothstep

# Skin is painted at this share of the picture's resolution: a phone's demosaiced and
# denoised picture holds no finer detail.
RENDER_SCALE = 0.6
VISIBLE = 0.4
_STRIDE = 4
_MIN_ROI_PIXELS = 12
_MIN_SHARE = 0.6


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
    surface: demo_skin.Surface
    scene: demo_scenes.Scene
    rois: Tuple[demo_lesions.Roi, ...]
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


def _in_frame(rois: Tuple[demo_lesions.Roi, ...], camera: Camera) -> Tuple[demo_lesions.Roi, ...]:
    """Leaves out ROIs that the frame would show only a rim of."""
    step = max(4, camera.width // 100)
    s, t = camera.body_coordinates(camera.height // step, camera.width // step)
    pixel_mm2 = (step / camera.pixels_per_mm) ** 2 / camera.tilt
    shares = [
        (np.hypot(s - roi.s, t - roi.t) < roi.radius).sum() * pixel_mm2 / (np.pi * roi.radius**2)
        for roi in rois
    ]
    return tuple(roi for roi, share in zip(rois, shares) if share > _MIN_SHARE)


def _body_hair(
    description: Description, shape: Tuple[int, int], pixels_per_mm: float, rng: np.random.Generator
) -> np.ndarray:
    """Draws fine hair on limbs; its cover, float32 [h, w]."""
    camera = description.camera
    height, width = shape
    area = width * height / pixels_per_mm**2
    count = int(min(700, 0.09 * area * description.hairiness))
    layer = Image.new("L", (2 * width, 2 * height))
    draw = ImageDraw.Draw(layer)
    x, y = rng.uniform(-0.1, 1.1, (2, count)) * np.array([[width], [height]])
    lean = -camera.angle + 0.6 + rng.normal(0, 0.35, count)
    bend = rng.normal(0, 0.5, count)
    length = rng.uniform(4.0, 11.0, count) * pixels_per_mm
    steps = np.linspace(0, 1, 6)
    heading = lean[:, None] + bend[:, None] * steps[None]
    px = x[:, None] + np.cumsum(np.cos(heading), 1) * length[:, None] / 6
    py = y[:, None] + np.cumsum(np.sin(heading), 1) * length[:, None] / 6
    shade = rng.integers(90, 230, count)
    line = max(1, int(round(0.10 * pixels_per_mm * 2)))
    for index in range(count):
        points = np.stack([px[index], py[index]], 1).ravel() * 2
        draw.line(points.tolist(), fill=int(shade[index]), width=line)
    layer = layer.resize((width, height), Image.Resampling.BOX)
    return np.asarray(layer, np.float32) / 255.0


def _scalp_hair(description: Description, canvas: Canvas) -> Tuple[np.ndarray, np.ndarray]:
    """Draws scalp hair; its cover and its sheen, float32 [h, w]."""
    seed = description.surface.seed
    s, t = canvas.s, canvas.t
    wave = 7.0 * textures.noise(s, t, 55.0, seed + 41) + 0.8 * textures.noise(s, t, 9.0, seed + 42)
    along = 0.30 * s
    strands = textures.look_up(textures.strand_tile(), along * 6.0, (t + wave) * 4.6)
    other = textures.look_up(
        textures.strand_tile(), (along + 0.02 * t) * 7.0 + 99, (t - 0.18 * s + 0.7 * wave) * 5.2
    )
    field = 0.75 * np.maximum(strands, other) + 0.2 * textures.noise(s, t, 20.0, seed + 43)
    density = canvas.hair
    cover = smoothstep(field, 1.0 - 3.2 * density, 2.0 - 3.1 * density) * (density > 0.02)
    return cover, 1.0 + 0.25 * strands + 0.14 * other


def _shade(
    description: Description, canvas: Canvas, depth: np.ndarray, gloss: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Returns diffuse light and specular reflection on the body, float32 [h, w]."""
    camera = description.camera
    height, width = canvas.s.shape
    step = _STRIDE / canvas.pixels_per_mm
    coarse = demo_scenes.body_height(
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
    return diffuse, gloss * shine * (0.35 + 0.65 * shine**2)


def _layers(description: Description, rois: Tuple[demo_lesions.Roi, ...], canvas: Canvas) -> None:
    """Fills the canvas with the patient's skin and lesions."""
    surface = description.surface
    height, width = canvas.s.shape
    slow = demo_skin.chromophores(
        surface, canvas.s[::_STRIDE, ::_STRIDE], canvas.t[::_STRIDE, ::_STRIDE]
    )
    padded = (len(slow[0]) * _STRIDE, len(slow[0][0]) * _STRIDE)
    for layer, field in zip((canvas.melanin, canvas.blood, canvas.veins), slow):
        layer += textures.resize(field, *padded)[:height, :width]
    canvas.gloss += surface.gloss
    canvas.hair += 1.0 if description.scene.part == "scalp" else 0.0
    demo_lesions.paint(canvas, rois)
    lattice, dark = demo_skin.relief(surface, canvas.s, canvas.t, canvas.pixels_per_mm)
    keep = 1.0 - 0.9 * canvas.smooth
    canvas.height += lattice * keep
    canvas.melanin += dark * keep


def render(description: Description, rng: np.random.Generator) -> Tuple[np.ndarray, Truth]:
    """Renders one photograph.

    Args:
      description: the patient, the disease and the camera.
      rng: source of what differs between two shots: background, hairs, noise.

    Returns:
      The upright picture, uint8 [H, W, 3] sRGB, and what is known of it.
    """
    camera, scene = description.camera, description.scene
    rois = _in_frame(description.rois, camera)
    width, height = int(camera.width * RENDER_SCALE), int(camera.height * RENDER_SCALE)
    pixels_per_mm = camera.pixels_per_mm * RENDER_SCALE
    s, t = camera.body_coordinates(height, width)
    canvas = Canvas.blank(
        s, t, pixels_per_mm, len(rois), demo_skin.darkness(description.surface.lab)
    )
    _layers(description, rois, canvas)

    depth_coarse = demo_scenes.depth_inside(scene, s[::_STRIDE, ::_STRIDE], t[::_STRIDE, ::_STRIDE])
    depth_coarse = depth_coarse.astype(np.float32)
    depth = textures.resize(depth_coarse, height, width)
    if scene.part == "scalp":
        depth = depth + 1.2 * textures.look_up(textures.strand_tile(), s * 2.5, t * 4.0)
    body = smoothstep(depth * pixels_per_mm, -1.0, 1.0)
    skin = demo_skin.reflectance(
        description.surface.lab, canvas.melanin, canvas.blood, canvas.veins
    )
    skin = skin * (1.0 - canvas.cover) + canvas.paint
    diffuse, specular = _shade(description, canvas, depth_coarse, canvas.gloss)
    bare = np.ones_like(body)
    if scene.part == "scalp":
        cover, sheen = _scalp_hair(description, canvas)
        hair = np.array(description.hair_colour, np.float32)[:, None, None] * np.clip(sheen, 0.3, 2)
        skin = skin * (1 - cover) + hair * cover
        specular = specular * (1 - 0.7 * cover) + 0.05 * cover * np.clip(sheen - 1.1, 0, 1)
        bare = 1.0 - cover
    elif description.hairiness > 0.05:
        cover = 0.85 * _body_hair(description, (height, width), pixels_per_mm, rng)
        hair = np.array(description.hair_colour, np.float32)[:, None, None]
        skin = skin * (1 - cover) + hair * cover
    truth = canvas.truth * body

    cloth_depth = demo_scenes.garment(scene, s, t)
    shade_of_cloth = 1.0 - 0.35 * np.exp(-(np.minimum(cloth_depth, 0.0) ** 2) / 18.0) * (
        cloth_depth > -30
    )
    under = smoothstep(cloth_depth * pixels_per_mm, -1.0, 1.0)
    lesion = (truth.max(0) if len(truth) else np.zeros_like(body)) > VISIBLE
    open_skin = (body > 0.9) & (under < 0.1) & (bare > 0.6)
    metered = diffuse[open_skin & ~lesion]
    level = np.median(metered[::17]) if len(metered) > 400 else np.median(diffuse)
    # The part of the reflection that veils all the skin is left out: it would turn
    # dark skin grey.
    veil = np.median(specular[open_skin][::17]) if open_skin.any() else 0.0
    specular = np.maximum(specular - veil, 0.0)
    light = diffuse * shade_of_cloth * (1.0 - np.clip(canvas.shadow, 0.0, 0.9)) / level
    skin = skin * light + specular

    # What lies behind is out of focus: drawn coarse and scaled up.
    small = (height // 3, width // 3)
    bx = (np.arange(small[1], dtype=np.float32) / camera.pixels_per_mm * 5.0)[None, :]
    by = (np.arange(small[0], dtype=np.float32) / camera.pixels_per_mm * 5.0)[:, None]
    behind = demo_scenes.background(bx + 0 * by, by + 0 * bx, rng)
    gap = np.clip(-textures.resize(depth_coarse, *small), 0, None)
    behind = behind * (1.0 - 0.5 * np.exp(-gap / 14.0))
    behind = np.stack(
        [textures.resize(ndimage.gaussian_filter(plane, 1.0), height, width) for plane in behind]
    )
    picture = behind + (skin - behind) * body
    if under.any():
        fabric = demo_scenes.cloth(s, t, np.random.default_rng(scene.seed + 7)).astype(np.float32)
        picture = picture + (fabric * np.clip(light, 0.3, 1.3) - picture) * (under * (depth > -6))
    gradient_x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    gradient_y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    fall = 1.0 + camera.gradient[0] * gradient_x + camera.gradient[1] * gradient_y
    picture = picture * (fall - 0.05 * (gradient_x**2 + gradient_y**2))
    image = develop(picture.astype(np.float32), camera, rng)

    truth = truth * (1.0 - under)
    full = (camera.width, camera.height)
    lesion = truth.max(0) > VISIBLE
    masks = [
        np.asarray(Image.fromarray(mask).resize(full, Image.Resampling.NEAREST))
        for mask in (lesion, open_skin | lesion)
    ]
    return image, Truth(_boxes(truth, *full), masks[0], masks[1])

"""Tests for `render`: what the pictures show is what the truth says."""

import dataclasses
import io

import numpy as np
from absl.testing import absltest
from PIL import Image
from scipy import ndimage
from skimage import color

from preprocessing.data import skin
from preprocessing.data.taxonomy import CONDITIONS
from preprocessing.demo import patients, render, skin_surface

# Degrees around which the tones of a skin type are drawn.
_CENTRAL_ITA = {1: 61.5, 2: 48.0, 3: 34.5, 4: 19.0, 5: -9.0, 6: -51.0}


def _shot(condition, skin_type, seed, scale=0.5):
    """A photograph, in fewer pixels for speed."""
    shot = patients.describe_case(condition, skin_type, 3 * seed + 1, 7 * seed + 2)[0]
    camera = dataclasses.replace(
        shot.camera,
        width=int(scale * shot.camera.width),
        height=int(scale * shot.camera.height),
        pixels_per_mm=scale * shot.camera.pixels_per_mm,
    )
    return dataclasses.replace(shot, camera=camera)


def _render(description, seed=0):
    return render.render(description, np.random.default_rng(seed))


def _jpeg(image):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92)
    return np.asarray(Image.open(buffer))


def _features(image, truth, lab):
    """Colour and texture of the lesion against the patient's own skin."""
    box = max(truth.rois, key=lambda roi: (roi.x1 - roi.x0) * (roi.y1 - roi.y0))
    x0, y0, x1, y1 = (int(value) for value in box)
    crop = Image.fromarray(image[y0:y1, x0:x1]).resize((48, 48), Image.Resampling.BOX)
    inside = Image.fromarray(truth.lesion[y0:y1, x0:x1]).resize((48, 48))
    mask = np.asarray(inside) > 0
    pixels = color.rgb2lab(np.asarray(crop)) - np.array(lab)
    if mask.sum() < 20:
        mask[:] = True
    values = pixels[mask]
    rows, columns = np.mgrid[-1:1:48j, -1:1:48j]
    radius = np.hypot(rows, columns)[mask]
    fine = [
        np.std((plane - ndimage.gaussian_filter(plane, sigma))[mask])
        for plane in np.moveaxis(pixels, -1, 0)
        for sigma in (1.0, 3.0)
    ]
    trend = [np.corrcoef(radius, channel)[0, 1] * channel.std() for channel in values.T]
    parts = ndimage.label(mask)[1]
    extremes = np.percentile(values, (5, 50, 95), axis=0).ravel()
    shape = [mask.mean() * 20, np.log(parts) * 8, np.log((x1 - x0) / (y1 - y0)) * 5]
    return np.concatenate([values.mean(0), values.std(0), fine, trend, extremes, shape])


class RenderTest(absltest.TestCase):
    def test_same_chance_same_picture(self):
        description = _shot("Psoriasis", 3, 1)
        first, truth = _render(description)
        second, _ = _render(description)
        np.testing.assert_array_equal(first, second)
        self.assertEqual(first.dtype, np.uint8)
        self.assertEqual(first.shape, (description.camera.height, description.camera.width, 3))
        self.assertEqual(truth.lesion.shape, first.shape[:2])

    def test_boxes_hold_the_lesion_tightly(self):
        drawn = 0
        for seed, condition in enumerate(CONDITIONS):
            _, truth = _render(_shot(condition, 1 + seed % 6, seed + 40, scale=1.0))
            height, width = truth.lesion.shape
            inside = np.zeros_like(truth.lesion)
            for box in truth.rois:
                self.assertTrue(0 <= box.x0 < box.x1 <= width and 0 <= box.y0 < box.y1 <= height)
                x0, y0, x1, y1 = (int(value) for value in box)
                inside[y0:y1, x0:x1] = True
                part = truth.lesion[y0:y1, x0:x1]
                self.assertTrue(part.any())
                rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
                slack = 0.12 * max(part.shape) + 12
                self.assertLess(rows[0] + part.shape[0] - rows[-1], slack)
                self.assertLess(columns[0] + part.shape[1] - columns[-1], slack)
            if truth.rois:
                drawn += 1
                self.assertGreater(truth.lesion[inside].sum(), 0.98 * truth.lesion.sum())
        self.assertGreater(drawn, 24)

    def test_skin_type_is_measurable_in_the_photograph(self):
        target, measured, in_range = [], [], []
        for index in range(36):
            skin_type = 1 + index % 6
            condition = ("Lentigo", "Tinea", "Cyst", "Acne", "Melanoma", "Eczema")[index // 6]
            description = _shot(condition, skin_type, index + 90)
            image, truth = _render(description)
            bare = _jpeg(image)[truth.skin & ~truth.lesion][::29]
            lightness, _, b = np.median(color.rgb2lab(bare[None] / 255.0)[0], axis=0)
            target.append(_CENTRAL_ITA[skin_type])
            measured.append(skin_surface.ita(lightness, b))
            in_range.append(skin.fitzpatrick_from_ita(measured[-1]) == skin_type)
        self.assertGreater(np.corrcoef(target, measured)[0, 1], 0.97)
        self.assertGreater(np.mean(in_range), 0.8)

    def test_lesions_stand_out_from_the_skin(self):
        for condition in ("Melanoma", "Psoriasis", "Vitiligo", "Tinea", "Verruca Vulgaris"):
            for skin_type in (1, 6):
                description = _shot(condition, skin_type, 5)
                image, truth = _render(description)
                lesion = image[truth.lesion].astype(float)
                bare = image[truth.skin & ~truth.lesion].astype(float)
                typical = np.median(bare, axis=0)
                contrast = np.abs(lesion - typical).sum(1).mean()
                noise = np.abs(bare - typical).sum(1).mean()
                self.assertGreater(contrast, 1.25 * noise, (condition, skin_type))

    def test_classes_can_be_told_apart_by_simple_features(self):
        per_class = 7
        features, labels = [], []
        for code, condition in enumerate(CONDITIONS[:-1]):
            for number in range(per_class):
                description = _shot(condition, 1 + (number + code) % 6, 200 + number)
                image, truth = _render(description)
                if truth.rois:
                    features.append(_features(image, truth, description.surface.lab))
                    labels.append(code)
        values, labels = np.array(features), np.array(labels)
        values = (values - values.mean(0)) / values.std(0)
        hits = []
        for index in range(len(labels)):
            others = np.arange(len(labels)) != index
            centroids = [values[others & (labels == code)].mean(0) for code in range(26)]
            hits.append(
                np.argmin(np.linalg.norm(centroids - values[index], axis=1)) == labels[index]
            )
        # Chance is 1 in 26.
        self.assertGreater(np.mean(hits), 0.35)


if __name__ == "__main__":
    absltest.main()

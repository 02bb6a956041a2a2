"""Tests for `lesions` and the painters behind it."""

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data.taxonomy import CONDITIONS
from preprocessing.demo import lesions, scenes
from preprocessing.demo.canvas import Canvas, Element, Patch

_LAYERS = ("melanin", "blood", "veins", "height", "shadow", "smooth", "gloss", "hair", "paint")


def _canvas(size=120, millimetres=60.0):
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * millimetres - millimetres / 2
    t, s = np.meshgrid(axis, axis, indexing="ij")
    canvas = Canvas.blank(s, t, size / millimetres, num_rois=1)
    canvas.hair += 1.0
    return canvas


class MorphologyTest(parameterized.TestCase):
    def test_covers_the_taxonomy(self):
        self.assertEqual(set(lesions.MORPHOLOGY), set(CONDITIONS))
        for look in lesions.MORPHOLOGY.values():
            self.assertContainsSubset(look.parts, scenes.PARTS)
            self.assertContainsSubset([kind for kind, _ in look.kinds], lesions.PAINTERS)

    def test_every_painter_is_used_by_one_condition(self):
        used = [kind for look in lesions.MORPHOLOGY.values() for kind, _ in look.kinds]
        self.assertCountEqual(used, lesions.PAINTERS)

    @parameterized.parameters(*CONDITIONS)
    def test_rois_are_one_to_five_and_apart(self, condition):
        for seed in range(10):
            rois = lesions.draw_rois(condition, 40.0, np.random.default_rng(seed))
            self.assertBetween(len(rois), 1, 5)
            self.assertEqual((rois[0].s, rois[0].t), (0.0, 0.0))
            for index, roi in enumerate(rois):
                self.assertNotEmpty(roi.elements)
                for other in rois[:index]:
                    gap = np.hypot(roi.s - other.s, roi.t - other.t)
                    self.assertGreater(gap, roi.radius + other.radius)

    def test_some_rois_are_adjacent_and_some_apart(self):
        gaps = []
        for seed in range(60):
            rois = lesions.draw_rois("Psoriasis", 200.0, np.random.default_rng(seed))
            for first, second in zip(rois, rois[1:2]):
                reach = first.radius + second.radius
                gaps.append(np.hypot(second.s - first.s, second.t - first.t) / reach)
        self.assertBetween(np.mean(np.array(gaps) < 1.2), 0.25, 0.85)


class PainterTest(parameterized.TestCase):
    @parameterized.parameters(*lesions.PAINTERS)
    def test_changes_the_skin_where_it_is_marked(self, kind):
        canvas, bare = _canvas(), _canvas()
        patch = Patch.at(canvas, Element(kind, 0.0, 0.0, 12.0, 0.7, 5), 0)
        lesions.PAINTERS[kind](patch)
        changed = np.zeros(canvas.s.shape, bool)
        for layer in _LAYERS:
            values, before = getattr(canvas, layer), getattr(bare, layer)
            self.assertTrue(np.isfinite(values).all(), layer)
            difference = np.abs(values - before) > 1e-3
            changed |= difference.any(0) if difference.ndim == 3 else difference
        marked = canvas.truth[0] > 0.4
        self.assertGreater(marked.sum(), 30)
        # Rings clear in the middle.
        self.assertGreater((changed & marked).sum(), 0.6 * marked.sum())
        self.assertLessEqual(canvas.truth.max(), 1.0)
        self.assertBetween(canvas.cover.max(), 0.0, 1.0)

    def test_same_seed_same_lesion_under_another_pose(self):
        small, large = _canvas(60), _canvas(240)
        for canvas in (small, large):
            patch = Patch.at(canvas, Element("melanoma", 0.0, 0.0, 12.0, 0.7, 5), 0)
            lesions.PAINTERS["melanoma"](patch)
        coarse = large.melanin.reshape(60, 4, 60, 4).mean((1, 3))
        self.assertGreater(np.corrcoef(coarse.ravel(), small.melanin.ravel())[0, 1], 0.97)


if __name__ == "__main__":
    absltest.main()

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data.taxonomy import CONDITIONS
from preprocessing.demo import growths, lesions, rashes, scenes
from preprocessing.demo.canvas import Canvas, Element, Patch

_LAYERS = ("melanin", "blood", "veins", "height", "shadow", "smooth", "gloss", "hair", "paint")

_PAINTERS = [
    thing
    for module in (growths, rashes)
    for thing in vars(module).values()
    if getattr(thing, "__module__", "") == module.__name__
]


def _canvas(size=120, millimetres=60.0):
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * millimetres - millimetres / 2
    t, s = np.meshgrid(axis, axis, indexing="ij")
    canvas = Canvas.blank(s, t, size / millimetres, num_rois=1)
    canvas.hair += 1.0
    return canvas


def _paint(painter, seed=5, size=120):
    canvas = _canvas(size)
    painter(Patch.at(canvas, Element(painter, 0.0, 0.0, 12.0, 0.7, seed), 0))
    return canvas


class MorphologyTest(parameterized.TestCase):
    def test_covers_the_taxonomy(self):
        self.assertEqual(set(lesions.MORPHOLOGY), set(CONDITIONS))
        for look in lesions.MORPHOLOGY.values():
            self.assertContainsSubset(look.parts, scenes.PARTS)

    def test_every_painter_is_used_by_one_condition(self):
        used = [kind for look in lesions.MORPHOLOGY.values() for kind, _ in look.kinds]
        self.assertCountEqual(used, _PAINTERS)

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
    @parameterized.parameters(*((painter,) for painter in _PAINTERS))
    def test_changes_the_skin_where_it_is_marked(self, painter):
        canvas, bare = _paint(painter), _canvas()
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

    # Means inside the marked part: pigment, redness, hair, crust or scale, relief in
    # millimetres.
    @parameterized.parameters(
        (growths.melanocytic_nevus, "melanin", 0.8, 9),
        (growths.lentigo, "melanin", 0.4, 9),
        (growths.lentigo, "height", -0.01, 0.01),
        (growths.melanoma, "melanin", 1.2, 9),
        (growths.seborrheic_keratosis, "height", 1.0, 9),
        (growths.cyst, "height", 1.0, 9),
        (growths.scar, "smooth", 0.5, 1),
        (growths.carcinoma, "cover", 0.3, 1),
        (growths.hemangioma, "cover", 0.5, 1),
        (growths.wart, "cover", 0.5, 1),
        (growths.skin_tag, "height", 1.0, 9),
        (growths.bruise, "blood", 0.4, 9),
        (growths.bruise, "height", -0.01, 0.01),
        (growths.insect_bite, "blood", 0.3, 9),
        (rashes.psoriasis, "blood", 0.7, 9),
        (rashes.psoriasis, "cover", 0.1, 1),
        (rashes.alopecia_areata, "hair", 0, 0.2),
        (rashes.alopecia_areata, "melanin", -0.05, 0.05),
        (rashes.androgenetic_alopecia, "hair", 0.1, 0.6),
        (rashes.vitiligo, "cover", 0.6, 1),
        (rashes.wheal, "height", 0.3, 9),
        (rashes.wheal, "cover", 0, 0.01),
        (rashes.hyperpigmentation, "melanin", 0.3, 9),
        (rashes.hyperpigmentation, "blood", -0.01, 0.01),
        (rashes.versicolor_pale, "melanin", -9, -0.2),
        (rashes.versicolor_dark, "melanin", 0.2, 9),
        (rashes.contact_dermatitis, "blood", 0.5, 9),
        (rashes.stasis_dermatitis, "melanin", 0.3, 9),
        (rashes.pustule, "height", 0.8, 9),
    )
    def test_has_the_signs_of_its_condition(self, painter, layer, low, high):
        for seed in range(4):
            canvas = _paint(painter, seed)
            marked = canvas.truth[0] > 0.4
            self.assertBetween(float(getattr(canvas, layer)[marked].mean()), low, high)

    @parameterized.parameters((growths.melanocytic_nevus,), (rashes.psoriasis,))
    def test_another_seed_is_another_lesion(self, painter):
        first, again, other = (_paint(painter, seed).truth for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        self.assertGreater(np.abs(first - other).max(), 0.5)

    def test_same_seed_same_lesion_under_another_pose(self):
        small, large = (_paint(growths.melanoma, size=size).melanin for size in (60, 240))
        coarse = large.reshape(60, 4, 60, 4).mean((1, 3))
        self.assertGreater(np.corrcoef(coarse.ravel(), small.ravel())[0, 1], 0.97)


if __name__ == "__main__":
    absltest.main()

import numpy as np
from absl.testing import absltest, parameterized

from preprocessing.data.manifest import Box
from preprocessing.importers.coco_boxes import box_of


def _runs(mask):
    """Run lengths of a mask, column by column, beginning with zeros."""
    pixels = mask.T.ravel().tolist()
    counts, value = [0], 0
    for pixel in pixels:
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(mask.shape), "counts": counts}


class BoxOfTest(parameterized.TestCase):
    def test_bbox_is_half_open(self):
        entry = {"bbox": [10, 20.5, 30, 40], "segmentation": [[0, 0, 1, 1, 2, 0]], "iscrowd": 1}
        self.assertEqual(box_of(entry), Box(10, 20.5, 40, 60.5))

    @parameterized.parameters(0, 0.0, 180, "90", None)
    def test_not_turned(self, rotation):
        entry = {"bbox": [10, 20, 30, 40], "attributes": {"rotation": rotation}}
        np.testing.assert_allclose(box_of(entry), (10, 20, 40, 60))

    @parameterized.parameters((90, (5, 25, 45, 55)), (270, (5, 25, 45, 55)))
    def test_turned_by_a_quarter(self, rotation, expected):
        # About the centre (25, 40), 30 wide and 40 high.
        entry = {"bbox": [10, 20, 30, 40], "attributes": {"rotation": rotation}}
        np.testing.assert_allclose(box_of(entry), expected)

    def test_turned_by_30_degrees(self):
        # Width 10 cos 30 + 20 sin 30 = 18.66, height 10 sin 30 + 20 cos 30 = 22.32.
        entry = {"bbox": [-5, -10, 10, 20], "attributes": {"rotation": 30.0}}
        np.testing.assert_allclose(box_of(entry), (-9.330, -11.160, 9.330, 11.160), atol=1e-3)

    @parameterized.parameters(({},), ({"bbox": []},), ({"bbox": None},), ({"bbox": [0, 0, 0, 0]},))
    def test_polygons_without_bbox(self, entry):
        polygons = [[10, 20, 30, 20, 30.5, 50], [5, 25, 6, 26, 7, 25]]
        self.assertEqual(box_of({**entry, "segmentation": polygons}), Box(5, 20, 30.5, 50))

    def test_mask_without_bbox(self):
        mask = np.zeros((6, 9), int)
        mask[2:5, 3:8] = 1
        mask[3, 4] = 0
        self.assertEqual(box_of({"segmentation": _runs(mask)}), Box(3, 2, 8, 5))
        mask[0, 0] = 1  # Begins with no zeros.
        self.assertEqual(box_of({"segmentation": _runs(mask)}), Box(0, 0, 8, 5))

    @parameterized.parameters(range(5))
    def test_any_mask_without_bbox(self, seed):
        rng = np.random.default_rng(seed)
        mask = np.zeros((7, 11), int)
        top, left = rng.integers(0, 7), rng.integers(0, 11)
        mask[top:, left:] = rng.random((7 - top, 11 - left)) < 0.7
        mask[top, left] = 1
        rows, columns = np.nonzero(mask)
        expected = Box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        self.assertEqual(box_of({"segmentation": _runs(mask)}), expected)

    @parameterized.parameters(
        ([],),
        ([[1, 2, 3]],),
        ([[]],),
        ([[1, 2, 3, "x"]],),
        ([[1, 2, 3, float("nan")]],),
        ({"size": [4, 4], "counts": "PPYo0"},),
        ({"size": [4, 4], "counts": [16]},),
        ({"size": [4, 4], "counts": [None, 16]},),
        ({"size": [4, 4], "counts": [10**30]},),
        ({"size": [10**400, 4], "counts": [1]},),
        ({"size": [4, 4], "counts": [3, 5]},),
        ({"size": [4, 4], "counts": [20, -4]},),
        ({"size": [4], "counts": [16]},),
        (None,),
    )
    def test_no_box(self, segmentation):
        with self.assertRaisesRegex(ValueError, "^no bbox, and no segmentation to take one from$"):
            box_of({"segmentation": segmentation})

    @parameterized.parameters(
        ([1, 2, 3],),
        ([1, 2, 3, "4"],),
        ("1,2,3,4",),
        ([1, 2, 3, float("inf")],),
        ([1, 2, None, 3],),
    )
    def test_broken_bbox(self, bbox):
        with self.assertRaisesRegex(ValueError, r"^bbox .* is not \[x, y, width, height\]$"):
            box_of({"bbox": bbox})

    @parameterized.parameters(([5, 5, 0, 9],), ([5, 5, 9, -1],))
    def test_empty(self, bbox):
        with self.assertRaisesRegex(ValueError, "^box '5 5 .*' is empty$"):
            box_of({"bbox": bbox})


if __name__ == "__main__":
    absltest.main()

import dataclasses

import numpy as np
from absl.testing import absltest

from evaluation.features import image_sets
from evaluation.fidelity import measurements, testing
from evaluation.fidelity.testing import PlantedGenerator
from synthesis import layouts as map_sampler
from synthesis.layouts import Layout

_MEANS = np.array(testing.TONES)
_LAYOUTS = [
    Layout("Melanoma", 1 + index % 6, (box,)) for index, box in enumerate(testing.boxes_at(32, 19))
]


def _paint(layouts, seed=3):
    generator = PlantedGenerator(32)
    return list(measurements.paint(generator, layouts, seed, progress=False))


class FidelityMeasurementsTest(absltest.TestCase):
    def test_one_noise_for_all_images_of_a_map(self):
        generator = PlantedGenerator(32)
        for index, example in enumerate(_paint(_LAYOUTS)):
            seed = np.array([index + (3 << 32)], np.int64)  # as image_sets.generated_images
            for skin_type, image in enumerate(example.images, start=1):
                layout = dataclasses.replace(_LAYOUTS[index], skin_type=skin_type)
                expected = generator.generate(map_sampler.draw([layout], 32), seed)[0]
                np.testing.assert_array_equal(image, expected)
            for layout, image in example.moved:
                expected = generator.generate(map_sampler.draw([layout], 32), seed)[0]
                np.testing.assert_array_equal(image, expected)
            own = example.images[_LAYOUTS[index].skin_type - 1]
            self.assertTrue((own != example.other_noise).any())

    def test_seeds_are_those_of_generated_images(self):
        images = image_sets.generated_images(PlantedGenerator(32), _LAYOUTS, seed=3).pixels()
        for layout, image, example in zip(_LAYOUTS, images, _paint(_LAYOUTS)):
            np.testing.assert_array_equal(image, example.images[layout.skin_type - 1])

    def test_rows_of_a_map(self):
        rows = measurements.Rows()
        means = _MEANS.copy()
        means[[1, 2, 3]] = np.nan  # without photographs: not to be changed to
        for index, example in enumerate(_paint(_LAYOUTS)):
            measurements.measure_example(example, index, means, 0, rows)
        tones, changes = rows.frame("tone"), rows.frame("changes")
        self.assertLen(tones, 6 * len(_LAYOUTS))
        self.assertEqual(tones["map"].tolist()[:7], [0, 0, 0, 0, 0, 0, 1])
        self.assertEqual(tones["skin_type"].tolist()[:7], [1, 2, 3, 4, 5, 6, 1])
        self.assertLen(rows.frame("roi"), len(_LAYOUTS))
        self.assertLen(rows.frame("spectrum"), len(_LAYOUTS))
        self.assertTrue(set(changes["to_type"]) <= {4, 5, 6})
        self.assertTrue((changes["to_type"] != changes["from_type"]).all())

    def test_photographs(self):
        folder = self.create_tempdir().full_path
        testing.write_dataset(folder, size=32, per_split=(2, 2, 12))
        images = image_sets.real_images(folder, "test")
        tones = measurements.tone_of_photographs(images, progress=False)
        self.assertEqual(tones["patient"].tolist(), list(images.patients))
        expected = [testing.TONES[one] for one in tones["skin_type"]]
        np.testing.assert_allclose(tones["ita"], expected, atol=6.0)
        rows = measurements.lesions_of_photographs(images, progress=False)
        self.assertGreater(rows.frame("roi")["iou"].min(), 0.6)
        self.assertLen(rows.frame("spectrum"), 12)


if __name__ == "__main__":
    absltest.main()

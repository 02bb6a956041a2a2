import collections
import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from preprocessing.data import maps, records
from training import input_pipeline, testing_data
from training.input_pipeline import InputConfig

_SIZE = 32


def _take(stream, number):
    return [{name: value.numpy() for name, value in batch.items()} for batch in stream.take(number)]


class TrainingStreamTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.info = testing_data.write_dataset(self.folder, _SIZE)

    def _stream(self, start_step=0, **kwargs):
        config = InputConfig(**{"batch_size": 4, "shuffle_buffer": 10, **kwargs})
        return input_pipeline.training_stream(self.folder, self.info, config, start_step)

    def test_shapes_and_range(self):
        (batch,) = _take(self._stream(), 1)
        for value in batch.values():
            self.assertEqual((value.shape, value.dtype), ((4, _SIZE, _SIZE, 3), np.float32))
            self.assertBetween(value.min(), -1, 1)
            self.assertBetween(value.max(), -1, 1)

    @parameterized.parameters(1, 5, 6, 8, 13)
    def test_a_later_start_gives_the_rest_of_the_same_stream(self, start_step):
        # Six steps make an epoch of 24 examples.
        whole = _take(self._stream(), start_step + 4)
        rest = _take(self._stream(start_step), 4)
        for expected, batch in zip(whole[start_step:], rest):
            np.testing.assert_array_equal(batch["image"], expected["image"])
            np.testing.assert_array_equal(batch["map"], expected["map"])

    def test_an_epoch_shows_every_example_once_in_a_new_order(self):
        batches = _take(self._stream(jitter=1.0, mirror=False), 12)
        epochs = [
            [image.tobytes() for batch in batches[start : start + 6] for image in batch["map"]]
            for start in (0, 6)
        ]
        self.assertCountEqual(epochs[0], epochs[1])
        self.assertNotEqual(epochs[0], epochs[1])

    @parameterized.parameters((1.0, [14, 14, 14]), (0.5, [7, 14, 21]), (0.0, [3, 12, 27]))
    def test_conditions_are_shown_as_often_as_asked(self, balance, shown):
        self.folder = self.create_tempdir().full_path
        conditions = ["Acne"] * 3 + ["Melanoma"] * 12 + ["Vitiligo"] * 27
        self.info = testing_data.write_dataset(self.folder, _SIZE, conditions, (42, 8, 8))
        settings = {"balance": balance, "jitter": 1.0, "mirror": False, "shuffle_buffer": 7}
        settings["batch_size"] = 6
        drawn = np.stack([batch["map"] for batch in _take(self._stream(**settings), 14)])
        for epoch in np.split(np.uint8(np.round((drawn + 1) * 127.5)), 2):
            codes = [maps.decode(one).condition_code for batch in epoch for one in batch]
            self.assertCountEqual(collections.Counter(codes).values(), shown)
        for start in (1, 7, 8):
            rest = _take(self._stream(start, **settings), 4)
            np.testing.assert_array_equal([batch["map"] for batch in rest], drawn[start:][:4])

    def test_another_seed_gives_another_order(self):
        one, other = (_take(self._stream(seed=seed), 1)[0]["map"] for seed in (0, 1))
        self.assertFalse(np.array_equal(one, other))

    def test_augmentation_keeps_maps_decodable_and_aligned(self):
        for batch in _take(self._stream(), 6):
            for drawn, image in zip(batch["map"], batch["image"]):
                decoded = maps.decode(np.uint8(np.round((drawn + 1) * 127.5)))
                # One channel is 20 inside the box and at least 40 around it.
                dark = (image.min(-1) + 1) * 127.5 < 30
                overlap = np.sum(dark & decoded.roi) / np.sum(dark | decoded.roi)
                self.assertGreater(overlap, 0.6)  # the enlarged edge is soft

    def test_mirror_and_jitter_can_be_off(self):
        stored = {}
        for record in records.read(self.folder, "crops", "train"):
            stored[record.semantic_map().tobytes()] = record.image()
        for batch in _take(self._stream(jitter=1.0, mirror=False), 6):
            for drawn, image in zip(batch["map"], batch["image"]):
                key = np.uint8(np.round((drawn + 1) * 127.5)).tobytes()
                np.testing.assert_array_equal(np.uint8(np.round((image + 1) * 127.5)), stored[key])

    def test_only_chosen_conditions(self):
        for batch in _take(self._stream(conditions="melanoma"), 4):
            for drawn in batch["map"]:
                decoded = maps.decode(np.uint8(np.round((drawn + 1) * 127.5)))
                self.assertEqual(decoded.condition_code, 12)

    @parameterized.parameters(1, 2)
    def test_workers_share_each_batch(self, replicas):
        def of(index):
            worker = tf.distribute.InputContext(2, index, 2 * replicas)
            config = InputConfig(batch_size=4, shuffle_buffer=10)
            stream = input_pipeline.training_stream(self.folder, self.info, config, 3, worker)
            held = input_pipeline.validation_batches(self.folder, self.info, config, worker)
            return [*_take(stream, 5 * replicas), *_take(held, 9)]

        config = InputConfig(batch_size=4)
        whole = _take(self._stream(3), 5)
        whole += _take(input_pipeline.validation_batches(self.folder, self.info, config), 9)
        # Replica by replica, step by step, worker by worker.
        parts = np.stack([[part["image"] for part in of(index)] for index in range(2)])
        shape = [2, len(whole), -1, *parts.shape[3:]]
        joined = np.concatenate(parts.reshape(shape), axis=1)
        np.testing.assert_array_equal(joined, np.stack([batch["image"] for batch in whole]))

    def test_too_few_examples(self):
        with self.assertRaisesRegex(ValueError, "24 training crops .* one batch of 25"):
            self._stream(batch_size=25)

    def test_validation_is_each_example_once(self):
        config = InputConfig(batch_size=4)
        batches = _take(input_pipeline.validation_batches(self.folder, self.info, config), 9)
        self.assertLen(batches, 2)
        config = InputConfig(batch_size=9)
        few = input_pipeline.validation_batches(self.folder, self.info, config)
        self.assertEmpty(_take(few, 9))

    def test_fixed_examples_show_all_conditions_and_many_types(self):
        names = ("Acne", "Melanoma", "Vitiligo")
        fixed = input_pipeline.fixed_examples(self.folder, self.info, names, 6)
        self.assertEqual(fixed["map"].shape, (6, _SIZE, _SIZE, 3))
        decoded = [maps.decode(drawn) for drawn in fixed["map"].numpy()]
        self.assertLen({one.condition_code for one in decoded}, 3)
        self.assertGreaterEqual(len({one.skin_type for one in decoded}), 4)
        again = input_pipeline.fixed_examples(self.folder, self.info, names, 6)
        np.testing.assert_array_equal(fixed["image"], again["image"])
        few = input_pipeline.fixed_examples(self.folder, self.info, names, 99)
        self.assertLen(few["map"], 8)


class ConditionsTest(absltest.TestCase):
    def _info(self):
        train = {
            "Acne": {"1": 5},
            "Melanoma": {"1": 1, "2": 1},
            "Other": {"1": 1},
            "Cyst": {"3": 3},
        }
        info = testing_data.write_dataset(self.create_tempdir().full_path, _SIZE)
        return dataclasses.replace(info, counts={"crops": {"train": train}})

    def test_selections(self):
        info = self._info()
        select = input_pipeline.select_conditions
        self.assertEqual(select(info, "all"), ("Acne", "Cyst", "Melanoma", "Other"))
        self.assertEqual(select(info, "rarest:1"), ("Melanoma",))
        self.assertEqual(select(info, "rarest:2"), ("Cyst", "Melanoma"))
        self.assertEqual(select(info, "MEL,acne"), ("Acne", "Melanoma"))
        self.assertEqual(input_pipeline.count_examples(info, "train", ("Acne", "Cyst")), 8)

    def test_bad_selections(self):
        info = self._info()
        only_other = dataclasses.replace(info, counts={"crops": {"train": {"Other": {"1": 9}}}})
        with self.assertRaisesRegex(
            ValueError, "'rarest:8' leaves out 'Other', and the training split has no other"
        ):
            input_pipeline.select_conditions(only_other, "rarest:8")
        with self.assertRaisesRegex(ValueError, "'rarest:4' needs a number from 1 to 3"):
            input_pipeline.select_conditions(info, "rarest:4")
        with self.assertRaisesRegex(ValueError, "unknown condition 'Melanom'; closest"):
            input_pipeline.select_conditions(info, "Melanom")
        with self.assertRaisesRegex(ValueError, "no training crop of Vitiligo"):
            input_pipeline.select_conditions(info, "Vitiligo")
        with self.assertRaisesRegex(ValueError, "batch_size 0"):
            InputConfig(batch_size=0)
        with self.assertRaisesRegex(ValueError, "jitter 0.5 is below 1"):
            InputConfig(batch_size=1, jitter=0.5)


if __name__ == "__main__":
    absltest.main()

import collections

from absl.testing import absltest, parameterized

from evaluation.reader_study import choice, design, testing
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE, Design

_DESIGN = Design(real=20, synthetic=20, repeats=6, pairs=4, questions=6, images_per_question=8)


class DesignTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"real": -1}, "real -1 is negative"),
        ({"synthetic": 0}, "needs both kinds of pictures, not 80 real and 0 synthetic"),
        ({"real": 0, "synthetic": 0, "repeats": 0, "questions": 0}, "the study is empty"),
        ({"real": 20, "repeats": 11}, "repeats 11 are too many; at most half of the 20 real"),
        ({"images_per_question": 10}, "images_per_question 10 is not a multiple of 4"),
    )
    def test_names_what_makes_no_study(self, fields, message):
        with self.assertRaisesRegex(ValueError, message):
            Design(**fields)

    def test_repeats_are_of_the_realism_test(self):
        self.assertEqual(Design(real=0, synthetic=0).repeats, 16)  # of nothing

    def test_defaults_are_the_papers(self):
        self.assertEqual((Design.real, Design.synthetic, Design.questions), (80, 80, 16))


class TrialsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.material = choice.choose(_DESIGN, testing.photographs(), seed=1)

    def _trials(self, reader, seed=1):
        return design.trials(self.material, _DESIGN.repeats, seed, reader)

    def test_readers_see_the_same_in_orders_of_their_own(self):
        first, second = self._trials(1), self._trials(2)
        self.assertLen(first, 40 + 6 + 4 + 6)
        self.assertEqual(first, self._trials(1))
        once = [
            {one.about: (one.kind, one.condition, sorted(one.pictures)) for one in trials}
            for trials in (first, second)
        ]
        self.assertEqual(once[0], once[1])
        for kind in (REALISM, PAIR, RELEVANCE):
            orders = [
                [one.pictures for one in trials if one.kind == kind] for trials in (first, second)
            ]
            self.assertNotEqual(orders[0], orders[1])
        self.assertNotEqual(first, self._trials(1, seed=2))

    def test_repeats_come_half_a_test_later(self):
        for reader in range(5):
            trials = [one for one in self._trials(reader) if one.kind == REALISM]
            places = collections.defaultdict(list)
            for place, one in enumerate(trials):
                places[one.pictures[0]].append((place, one.repeat))
            twice = {name: found for name, found in places.items() if len(found) > 1}
            self.assertLen(twice, 6)
            self.assertEqual(sum(self.material.pictures[name].synthetic for name in twice), 3)
            for (first, no), (second, yes) in twice.values():
                self.assertFalse(no)
                self.assertTrue(yes)
                self.assertGreaterEqual(second - first, 20)

    def test_left_and_right_are_shuffled(self):
        left = [
            self.material.pictures[one.pictures[0]].synthetic
            for reader in range(20)
            for one in self._trials(reader)
            if one.kind == PAIR
        ]
        self.assertBetween(sum(left), 25, 55)  # of 80

    def test_ids_tell_the_order_alone(self):
        ids = [one.trial_id for one in self._trials(1)]
        self.assertEqual(ids[0], "realism_001")
        self.assertEqual(ids, [one.trial_id for one in self._trials(2)])


if __name__ == "__main__":
    absltest.main()

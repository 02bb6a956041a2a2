import collections
import dataclasses

from absl.testing import absltest, parameterized

from evaluation.reader_study import design, testing
from evaluation.reader_study.design import PAIR, REALISM, RELEVANCE, Design, Photograph

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


class FitTest(parameterized.TestCase):
    @parameterized.parameters(
        # 48 photographs of 4 conditions, 12 of each; the paper's where they suffice.
        ({}, 12, Design(48, 48, 16, 0, 16, 12)),
        # 3 of each: with one photograph of the condition in each, 12 questions.
        ({}, 3, Design(12, 12, 6, 0, 12, 4)),
        ({"questions": 4}, 3, Design(12, 12, 6, 0, 4, 12)),
        ({"real": 6}, 12, Design(6, 6, 3, 0, 16, 12)),
        ({"synthetic": 10}, 12, Design(48, 10, 5, 0, 16, 12)),
        ({"synthetic": 0}, 12, Design(0, 0, 0, 0, 16, 12)),
        ({"questions": 0, "pairs": 3}, 12, Design(48, 48, 16, 3, 0, 12)),
    )
    def test_takes_as_many_as_there_are(self, given, per_condition, expected):
        asked = {**dict.fromkeys(dataclasses.asdict(expected)), **given}
        photographs = testing.photographs(per_condition)
        found = design.fit(asked, photographs)
        self.assertEqual(found, expected)
        design.choose_material(found, photographs, seed=0)  # there are enough

    def test_one_condition_alone_has_no_questions(self):
        alone = [one for one in testing.photographs() if one.condition == "Acne"]
        self.assertEqual(design.fit({}, alone), Design(12, 12, 6, 0, 0, 4))

    def test_what_is_asked_for_is_not_reduced(self):
        self.assertEqual(design.fit({"real": 99}, testing.photographs()).real, 99)
        with self.assertRaisesRegex(ValueError, "images_per_question 6 is not a multiple"):
            design.fit({"images_per_question": 6}, testing.photographs())


class TrialsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.material = design.choose_material(_DESIGN, testing.photographs(), seed=1)

    def _trials(self, reader, seed=1):
        return design.trials_of_reader(self.material, _DESIGN.repeats, seed, reader)

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


class ChooseTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        photographs = testing.photographs()
        self.material = design.choose_material(_DESIGN, photographs, seed=1)
        self.pictures = self.material.pictures

    def test_realism_is_balanced(self):
        shown = [self.pictures[name] for name in self.material.realism]
        self.assertLen(set(self.material.realism), 40)
        self.assertEqual(sum(one.synthetic for one in shown), 20)
        cells = [
            collections.Counter(
                (one.condition, one.skin_type) for one in shown if one.synthetic is s
            )
            for s in (False, True)
        ]
        self.assertEqual(cells[0], cells[1])  # nothing but the picture tells
        conditions = collections.Counter(one.condition for one in shown)
        self.assertEqual(dict(conditions), dict.fromkeys(testing.CONDITIONS, 10))

    def test_pairs_are_alike_but_for_one_being_synthetic(self):
        self.assertLen(self.material.pairs, 4)
        for names in self.material.pairs:
            real, synthetic = (self.pictures[name] for name in names)
            self.assertFalse(real.synthetic)
            self.assertTrue(synthetic.synthetic)
            self.assertEqual(real.condition, synthetic.condition)
            self.assertEqual(real.skin_type, synthetic.skin_type)
            self.assertEqual(real.skin_type_source, synthetic.skin_type_source)
            self.assertEqual((synthetic.crop, synthetic.source), (-1, ""))

    def test_questions_have_a_quarter_of_each_kind(self):
        self.assertLen(self.material.questions, 6)
        for condition, names in self.material.questions:
            self.assertLen(set(names), 8)
            kinds = collections.Counter(
                (self.pictures[name].synthetic, self.pictures[name].condition == condition)
                for name in names
            )
            self.assertEqual(set(kinds.values()), {2})

    def test_no_question_is_asked_twice(self):
        asked = Design(0, 0, 0, 0, questions=24, images_per_question=8)  # all there can be
        material = design.choose_material(asked, testing.photographs(), seed=1)
        relevant = [
            name
            for condition, names in material.questions
            for name in names
            if material.pictures[name].condition == condition
        ]
        self.assertLen(set(relevant), 24 * 4)

    def test_photographs_are_used_once_while_there_are_enough(self):
        asked = Design(real=8, synthetic=8, repeats=0, pairs=0, questions=4, images_per_question=4)
        material = design.choose_material(asked, testing.photographs(), seed=1)
        self.assertEqual(material.reused, 0)
        patients = [one.source for one in material.pictures.values() if not one.synthetic]
        self.assertLen(set(patients), 16)  # of 24 patients, and so each another one

    def test_what_is_shown_again_does_not_tell_what_is_real(self):
        few = testing.photographs(per_condition=5)
        material = design.choose_material(_DESIGN, few, seed=1)
        self.assertGreater(material.reused, 10)
        uses = collections.Counter(material.realism)
        for names in (*material.pairs, *(names for _, names in material.questions)):
            uses.update(names)
        of_kind = [
            sorted(count for name, count in uses.items() if material.pictures[name].synthetic is s)
            for s in (False, True)
        ]
        self.assertEqual(of_kind[0], of_kind[1])

    def test_shows_one_crop_of_a_photograph(self):
        crops = [
            dataclasses.replace(one, index=2 * one.index + half)
            for one in testing.photographs()
            for half in (0, 1)
        ]
        material = design.choose_material(Design(48, 48, 0, 0, 0), crops, seed=1)
        shown = [one.crop for one in material.pictures.values() if not one.synthetic]
        self.assertLen({crop // 2 for crop in shown}, 48)
        self.assertBetween(sum(crop % 2 for crop in shown), 12, 36)  # either of the two
        with self.assertRaisesRegex(ValueError, "the test split has only 48 different ones"):
            design.choose_material(Design(49, 49, 0, 0, 0), crops, seed=1)

    def test_follows_the_seed(self):
        photographs = testing.photographs()
        again = design.choose_material(_DESIGN, photographs, seed=1)
        other = design.choose_material(_DESIGN, photographs, seed=2)
        self.assertEqual(again, self.material)
        crops = [
            {one.pictures[name].crop for name in one.realism} for one in (other, self.material)
        ]
        self.assertNotEqual(*crops)

    def test_other_is_not_asked_for(self):
        stock = [Photograph(i, c, 1, str(i), str(i)) for i, c in enumerate(("Acne", "Other") * 6)]
        asked = Design(0, 0, 0, 0, questions=6, images_per_question=4)
        material = design.choose_material(asked, stock, seed=0)
        self.assertEqual({condition for condition, _ in material.questions}, {"Acne"})

    @parameterized.parameters(
        (
            Design(50, 50, 0, 0, 0),
            "50 photographs are asked for, but the test split has only 48 different ones of ",
        ),
        (Design(0, 0, 0, 50, 0), "50 pairs are asked for, but the test split has 48 photographs"),
        (
            Design(0, 0, 0, 0, 30, 8),
            "30 questions with 2 photographs of the condition in each are asked for, but the test "
            "split has photographs for 24; ",
        ),
    )
    def test_says_when_there_are_too_few(self, asked, message):
        with self.assertRaisesRegex(ValueError, message):
            design.choose_material(asked, testing.photographs(), seed=0)

    def test_a_condition_alone_makes_no_question(self):
        stock = [Photograph(number, "Acne", 1, str(number), str(number)) for number in range(30)]
        with self.assertRaisesRegex(ValueError, "split has photographs for 0; pass fewer"):
            design.choose_material(Design(0, 0, 0, 0, 1, 4), stock, seed=0)


if __name__ == "__main__":
    absltest.main()

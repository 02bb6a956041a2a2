from absl.testing import absltest

from evaluation.reader_study import standing, testing


class StandingTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.key, _ = testing.small_study(readers=3)
        self.trials = len(self.key.readers["reader_01"].trials)

    def test_says_who_has_answered_how_much(self):
        answered = {"reader_01": (self.trials, True), "reader_03": (5, False)}
        self.assertEqual(
            standing.in_words(self.key, answered),
            f"2 of 3 readers have begun: reader_01 finished, reader_03 5 of {self.trials}",
        )
        self.assertEqual(standing.in_words(self.key, {}), "0 of 3 readers have begun")

    def test_says_it_when_it_changes_and_at_the_end(self):
        answered, lines = {}, []
        with standing.shown(self.key, lambda: dict(answered), lines.append, seconds=0.01):
            while not lines:
                pass
            answered["reader_02"] = (1, False)
            while len(lines) < 2:
                pass
        self.assertLen(lines, 2)  # and nothing where nothing has changed
        self.assertEndsWith(lines[1], f"1 of 3 readers have begun: reader_02 1 of {self.trials}")
        with standing.shown(self.key, lambda: dict(answered), lines.append, seconds=60):
            while len(lines) < 3:
                pass
            answered["reader_02"] = (2, False)
        self.assertEndsWith(lines[3], f"reader_02 2 of {self.trials}")


if __name__ == "__main__":
    absltest.main()

import time

from absl.testing import absltest

from benchmarks import timing


class TimingTest(absltest.TestCase):
    def test_contenders_take_turns(self):
        called = []
        contenders = {name: lambda name=name: called.append(name) or len(called) for name in "ab"}
        self.assertEqual(timing.take_turns(contenders, 2), {"a": [1, 3], "b": [2, 4]})
        self.assertEqual(called, ["a", "b", "a", "b"])

    def test_reading_leaves_the_first_batches_out(self):
        read = []

        def batches():
            for number in range(100):
                read.append(number)
                time.sleep(0 if number < 5 else 0.01)
                yield number

        self.assertBetween(timing.reading_speed(batches(), 4, 8), 1, 8 / 0.01)
        self.assertLen(read, 9)

    def test_seconds(self):
        self.assertBetween(timing.seconds(lambda: time.sleep(0.02)), 0.02, 10)

    def test_a_ratio_is_the_median_of_the_turns_ratios(self):
        # 2, 3 and 8; the ratio of the medians would be 30 / 8.
        measured = {"ours": [20.0, 30.0, 64.0], "bare": [10.0, 10.0, 8.0]}
        self.assertEqual(timing.ratio(measured, "ours", "bare"), 3)
        table = timing.table("Work", "images/s", measured, "bare", notes={"ours": "2 GiB"})
        lines = table.splitlines()
        self.assertEqual(lines[0], "Work (medians of 3 turns)")
        self.assertEqual(lines[1].split(), ["images/s", "x", "bare"])
        self.assertEqual(lines[2].split(), ["ours", "30", "3.00", "2", "GiB"])
        self.assertEqual(lines[3].split(), ["bare", "10", "1.00"])


if __name__ == "__main__":
    absltest.main()

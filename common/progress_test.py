import io
import time
from unittest import mock

from absl.testing import absltest

from common import progress


class _Terminal(io.StringIO):
    def isatty(self):
        return True


class ProgressTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.terminal = _Terminal()

    def _on(self, stream):
        return mock.patch("sys.stderr", stream)

    def test_counts_items_and_shows_itself_before_the_first(self):
        with self._on(self.terminal):
            items = iter(progress.bar([1, 2, 3], what="drawing", unit="photographs"))
            next(items)
            self.assertRegex(self.terminal.getvalue(), r"drawing: +0%.*0/3")
            self.assertEqual(list(items), [2, 3])
        self.assertRegex(self.terminal.getvalue(), r"drawing: 100%.*3/3 .* photographs/s")

    def test_what_comes_before_the_first_item_is_in_no_estimate(self):
        clock = [0.0]
        with self._on(self.terminal), mock.patch("tqdm.std.time", lambda: clock[0]):
            bar = progress.bar(total=101, unit="images")
            for seconds in (1000, 1, 1):  # One compiles for long.
                clock[0] += seconds
                bar.update()
            self.assertRegex(self.terminal.getvalue(), r"1/101 \[16:40<\?, +\? images/s\]")
            self.assertRegex(self.terminal.getvalue(), r"3/101 \[16:42<01:38, .*1.00.* images")
            bar.close()

    def test_says_what_is_done_until_it_is(self):
        with self._on(self.terminal):
            with progress.doing("saving"):
                self.assertEqual(self.terminal.getvalue(), "saving ...\r")
            self.assertEqual(self.terminal.getvalue(), "saving ...\r          \r")
        with self._on(io.StringIO()) as other, progress.doing("saving"):
            self.assertEqual(other.getvalue(), "")

    def test_watches_others(self):
        done = [0]
        with self._on(self.terminal):
            with progress.watching(lambda: done[0], 10, unit="images"):
                deadline = time.time() + 20
                while "0/10" not in self.terminal.getvalue() and time.time() < deadline:
                    time.sleep(0.01)
                done[0] = 7
            self.assertRegex(self.terminal.getvalue(), r"7/10 .* images/s")

    def test_ends_with_an_error_inside(self):
        with (
            self._on(self.terminal),
            self.assertRaisesRegex(ValueError, "inside"),
            progress.watching(lambda: 3, 10),
        ):
            raise ValueError("inside")
        self.assertIn("3/10", self.terminal.getvalue())

    def test_nothing_of_short_work_where_there_is_no_terminal(self):
        stream = io.StringIO()
        with self._on(stream):
            self.assertEqual(list(progress.bar(range(3), unit="images")), [0, 1, 2])
            with progress.watching(lambda: 1, 10), progress.doing("saving"):
                pass
        self.assertEqual(stream.getvalue(), "")

    def test_lines_of_long_work_where_there_is_no_terminal(self):
        stream = io.StringIO()
        with self._on(stream), _FakeTime(seconds=200) as fake:
            bar = progress.bar(total=5123, what="computing features", unit="images")
            fake.work = lambda: bar.update(10)  # a batch a second
            fake.run()
            bar.close()
            self.assertEqual(
                stream.getvalue().splitlines(),
                [
                    "computing features: 300 of 5,123 images, about 8 min left",
                    "computing features: 600 of 5,123 images, about 8 min left",
                    "computing features: 1,200 of 5,123 images, about 7 min left",
                    "computing features: 1,800 of 5,123 images, about 6 min left",
                ],
            )

    def test_lines_where_work_is_rarely_done_or_endless(self):
        stream = io.StringIO()
        with self._on(stream), _FakeTime(seconds=40) as fake:
            bar = progress.bar(["a", "b"], what="models", unit="models")
            bar.set_postfix_str("no_ema")
            fake.run()
        with self._on(stream), _FakeTime(seconds=40) as fake:
            bar = progress.bar(what="looking", unit="files")
            fake.work = lambda: bar.update(100)
            fake.run()
        self.assertEqual(
            stream.getvalue().splitlines(),
            ["models: 0 of 2 models; no_ema", "looking: 3,000 files"],
        )

    def test_says_once_what_is_long_done_where_there_is_no_terminal(self):
        stream = io.StringIO()
        with self._on(stream), _FakeTime(seconds=500) as fake, progress.doing("saving"):
            fake.run()
        self.assertEqual(stream.getvalue(), "saving ...\n")


class _FakeTime:
    """Seconds that pass as fast as what writes the lines waits for them.

    Attributes:
      work: what the program does in each.
    """

    def __init__(self, seconds):
        self._now, self._end = 0, seconds
        self.work = lambda: None

    def __enter__(self):
        event = mock.Mock(wait=self._wait, set=lambda: None)
        thread = mock.Mock(side_effect=self._thread)
        self._patches = [
            mock.patch("tqdm.std.time", lambda: self._now),
            mock.patch.object(progress, "threading", mock.Mock(Event=lambda: event, Thread=thread)),
        ]
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(self, *_):
        for patch in self._patches:
            patch.stop()

    def _thread(self, target, daemon):
        self._write = target
        return mock.Mock()

    def run(self):
        """Lets all seconds pass."""
        self._write()

    def _wait(self, seconds):
        for _ in range(int(seconds)):
            if self._now == self._end:
                return True
            self._now += 1
            self.work()
        return False


if __name__ == "__main__":
    absltest.main()

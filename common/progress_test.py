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

    def test_nothing_where_there_is_no_terminal(self):
        stream = io.StringIO()
        count = mock.Mock(return_value=1)
        with self._on(stream):
            self.assertEqual(list(progress.bar(range(3), unit="images")), [0, 1, 2])
            with progress.watching(count, 10):
                pass
        self.assertEqual(stream.getvalue(), "")
        count.assert_not_called()


if __name__ == "__main__":
    absltest.main()

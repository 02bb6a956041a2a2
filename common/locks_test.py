import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from unittest import mock

from absl.testing import absltest, parameterized

from common import locks

_OTHER = """
import sys, time
from common import locks
with locks.only_writer(sys.argv[1], program="other"):
    print("holding", flush=True)
    time.sleep(600)
"""


def _lease(folder, **changes):
    """Writes a lease as a process of this host would, but for the changes."""
    path = pathlib.Path(folder) / locks.FILE_NAME
    own = {
        **locks._host(),
        "process": os.getpid(),
        "identity": locks._identity(os.getpid()),
        "program": "train",
        "token": "t",
    }
    path.write_text(json.dumps({**own, **changes}))
    return path


class OnlyWriterTest(parameterized.TestCase):
    def test_several_writers_have_leases_of_their_own(self):
        first = locks.only_writer(self.folder, "fid", of="fid")
        with first, locks.only_writer(self.folder, "fidelity", of="fidelity"):
            refused = self.assertRaisesRegex(ValueError, "at work there: fid, process")
            with refused, locks.only_writer(self.folder, "other", of="fid"):
                self.fail("two at once")

    def test_only_own_leftovers_are_removed(self):
        ended = subprocess.Popen(["true"])
        ended.wait()
        left = f"{ended.pid}-00c0ffee"
        (self.folder / "below").mkdir(parents=True)
        names = (
            *(f"fid.json.{left}.tmp", f"fid_ladder.png.{left}.tmp", f"fid.{left}.old.tmp"),
            *(f"fidelity.json.{left}.tmp", f"below/fid.json.{left}.tmp", "fid.json.1.tmp"),
        )
        for name in names:
            (self.folder / name).touch()
        with locks.only_writer(self.folder, of="fid"):
            pass
        self.assertEqual(
            [name for name in names if not (self.folder / name).exists()], [*names[:3]]
        )

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path) / "run"

    def _other(self):
        root = str(pathlib.Path(__file__).resolve().parents[1])
        path = os.pathsep.join([root, *sys.path])
        process = subprocess.Popen(
            [sys.executable, "-c", _OTHER, str(self.folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"holding\n")
        return process

    def test_given_back_whatever_happens(self):
        for _ in range(2):
            with self.assertRaises(KeyboardInterrupt), locks.only_writer(self.folder) as lease:
                lease.check()
                raise KeyboardInterrupt
            self.assertFalse(os.path.exists(self.folder))

    def test_leaves_no_folder_that_it_made_for_nothing(self):
        made, there, written = (pathlib.Path(self.create_tempdir().full_path, n) for n in "abc")
        there.mkdir()
        for folder in (made, there, written):
            with locks.only_writer(folder):
                if folder is written:
                    (folder / "result").touch()
        self.assertFalse(made.exists())
        self.assertTrue(there.exists())
        self.assertEqual(os.listdir(written), ["result"])

    def test_not_twice_in_one_process(self):
        with locks.only_writer(self.folder, program="train"):
            for _ in range(2):
                with (
                    self.assertRaisesRegex(ValueError, f"train, process {os.getpid()} on "),
                    locks.only_writer(self.folder),
                ):
                    self.fail("two writers")
        with locks.only_writer(self.folder):
            pass

    def test_a_second_process_is_named_and_a_killed_one_replaced(self):
        process = self._other()
        message = (
            f"^{self.folder}: another run is at work there: other, process {process.pid} on "
            rf"{locks.socket.gethostname()}; wait for it, or stop it$"
        )
        with self.assertRaisesRegex(ValueError, message), locks.only_writer(self.folder):
            self.fail("two writers")
        process.send_signal(signal.SIGKILL)
        process.wait()
        with self.assertLogs("absl", "WARNING") as logs, locks.only_writer(self.folder) as lease:
            lease.check()
        self.assertIn(f"taking over from other, process {process.pid} on", logs.output[0])
        self.assertIn("which has ended", logs.output[0])
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_dead_process_that_nobody_has_waited_for(self):
        process = self._other()
        process.send_signal(signal.SIGKILL)
        while locks._identity(process.pid) is not None:
            time.sleep(0.01)
        with locks.only_writer(self.folder) as lease:
            lease.check()

    def test_a_number_that_another_process_has_now(self):
        self.folder.mkdir()
        _lease(self.folder, identity="some-boot/123")
        with locks.only_writer(self.folder) as lease:
            lease.check()

    @parameterized.parameters("host", "process_numbers")
    def test_another_host_is_judged_by_its_heartbeat(self, name):
        self.folder.mkdir()
        path = _lease(self.folder, process=1 << 22, **{name: "elsewhere"})
        with self.assertRaisesRegex(ValueError, "at work there"), locks.only_writer(self.folder):
            self.fail("two writers")
        old = time.time() - 720
        os.utime(path, (old, old))
        with self.assertLogs("absl", "WARNING") as logs, locks.only_writer(self.folder):
            pass
        self.assertIn("has shown no sign of life for 12 minutes", logs.output[0])

    @parameterized.parameters("", "[]", '{"process": "x"}')
    def test_a_lease_that_is_being_written(self, text):
        self.folder.mkdir()
        path = self.folder / locks.FILE_NAME
        path.write_text(text)
        with self.assertRaisesRegex(ValueError, "at work there"), locks.only_writer(self.folder):
            self.fail("two writers")
        os.utime(path, (0, 0))
        with locks.only_writer(self.folder):
            pass

    def test_heartbeat(self):
        with mock.patch.object(locks, "HEARTBEAT", 0.02), locks.only_writer(self.folder):
            path = self.folder / locks.FILE_NAME
            os.utime(path, (0, 0))
            deadline = time.time() + 20
            while path.stat().st_mtime == 0 and time.time() < deadline:
                time.sleep(0.01)
            self.assertGreater(path.stat().st_mtime, 0)

    def test_who_has_lost_it_is_told_and_leaves_it_alone(self):
        with locks.only_writer(self.folder) as lease:
            path = _lease(self.folder, host="elsewhere")
            with self.assertRaisesRegex(ValueError, "run: another run has taken over there"):
                lease.check()
        self.assertTrue(path.exists())

    def test_a_lease_that_was_taken_over_meanwhile_is_put_back(self):
        self.folder.mkdir()
        path = _lease(self.folder, identity="gone", token="old")
        end = locks._end

        def slow(path, lease):
            found = end(path, lease)
            if lease["token"] == "old":
                _lease(self.folder, token="new")  # another process was faster
            return found

        with (
            mock.patch.object(locks, "_end", slow),
            self.assertRaisesRegex(ValueError, "at work there"),
            locks.only_writer(self.folder),
        ):
            self.fail("two writers")
        self.assertEqual(json.loads(path.read_text())["token"], "new")
        self.assertEqual(os.listdir(self.folder), [locks.FILE_NAME])


if __name__ == "__main__":
    absltest.main()

import logging
import os
import signal
import subprocess
import sys
import threading
from unittest import mock

from absl.testing import absltest, parameterized

from preprocessing.sharding import beam_runner


class ParseOptionsTest(parameterized.TestCase):
    def test_beams_own_options(self):
        options = beam_runner.parse_options(["--runner=X", "--direct_num_workers=3"])
        given = options.get_all_options(drop_default=True)
        self.assertEqual((given["runner"], given["direct_num_workers"]), ("X", 3))

    @parameterized.named_parameters(
        (
            "flink",
            "--runner=FlinkRunner --flink_master=http://flink:8081 --parallelism=64 "
            "--environment_type=EXTERNAL --environment_config=localhost:50000",
        ),
        (
            "spark",
            "--runner=SparkRunner --spark_master_url=spark://spark:7077 "
            "--environment_type=EXTERNAL --environment_config=localhost:50000",
        ),
        (
            "dataflow",
            "--runner=DataflowRunner --project=P --region=R --temp_location=gs://B/tmp "
            "--sdk_container_image=R-docker.pkg.dev/P/dermgan --sdk_location=container "
            "--max_num_workers=64",
        ),
    )
    def test_the_options_of_docs_run_on_a_cluster(self, args):
        options = beam_runner.parse_options(args.split())
        self.assertEqual(f"--runner={options.get_all_options()['runner']}", args.split()[0])

    def test_a_runner_named_in_full_brings_its_options(self):
        portable = "apache_beam.runners.portability.portable_runner.PortableRunner"
        options = beam_runner.parse_options([f"--runner={portable}", "--job_endpoint=h:1"])
        self.assertEqual(options.get_all_options()["job_endpoint"], "h:1")
        with self.assertRaisesRegex(ValueError, "^--runner=no.where.Runner: No module named 'no'"):
            beam_runner.parse_options(["--runner=no.where.Runner"])

    @parameterized.parameters("--imagesize=3", "--croops")
    def test_a_misspelt_flag_is_an_error(self, flag):
        name = flag.split("=")[0]
        with self.assertRaisesRegex(ValueError, f"^{name} is neither a flag of this program nor"):
            beam_runner.parse_options([flag])

    def test_names_the_flag_that_may_be_meant(self):
        with mock.patch.object(beam_runner.flags, "FLAGS", {"num_images": 1, "seed": 2}):
            for flag, meant in (("num", "num_images"), ("sed", "seed")):
                with self.assertRaisesRegex(ValueError, f"Beam, but --{meant} is; see --help"):
                    beam_runner.parse_options([f"--{flag}=3"])


class StoppingTest(absltest.TestCase):
    def test_ctrl_c_silences_the_threads_and_processes_of_beam(self):
        before = threading.excepthook
        self.addCleanup(setattr, threading, "excepthook", before)
        handler = signal.getsignal(signal.SIGINT)
        self.addCleanup(signal.signal, signal.SIGINT, handler)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with self.assertRaises(KeyboardInterrupt), beam_runner._stopping_quietly():
            self.assertIs(threading.excepthook, before)
            signal.raise_signal(signal.SIGINT)
        self.assertIsNot(threading.excepthook, before)
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        self.assertTrue(logging.getLogger().isEnabledFor(logging.CRITICAL))

    def test_a_worker_ends_without_a_word(self):
        code = beam_runner._WORKER.partition("sys.path.pop")[0]
        waiting = subprocess.Popen(
            [sys.executable, "-c", f"{code}print(flush=True)\nimport time; time.sleep(60)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        waiting.stdout.readline()
        waiting.send_signal(signal.SIGINT)
        self.assertEqual(waiting.communicate()[1], b"")
        self.assertEqual(waiting.returncode, 130)


class LocalRunnerTest(parameterized.TestCase):
    @parameterized.parameters(
        ([], 1, 10, 1, "in_memory", False),
        ([], 8, 10, 4, "multi_threading", False),
        ([], 8, 10_000, 4, "in_memory", True),
        (["--direct_num_workers=2"], 1, 10, 2, "multi_threading", False),
        (["--direct_running_mode=multi_processing"], 8, 10, 4, "in_memory", True),
    )
    def test_mode(self, args, most_workers, items, workers, mode, processes):
        options = beam_runner.parse_options(args)
        with mock.patch.object(beam_runner, "_available_cores", return_value=4):
            runner = beam_runner.local_runner(options, items, most_workers)
        given = options.get_all_options()
        self.assertEqual(given["direct_num_workers"], workers)
        self.assertEqual(given["direct_running_mode"], mode)
        self.assertEqual("Subprocess" in type(runner._default_environment).__name__, processes)


class SurroundingsTest(absltest.TestCase):
    def test_workers_find_the_packages_and_nothing_is_left_behind(self):
        with mock.patch.dict(os.environ, {"PYTHONPATH": "/mine"}):
            with beam_runner.importable_by_workers():
                paths = os.environ["PYTHONPATH"].split(os.pathsep)
                self.assertIn("/mine", paths)
                found = [os.path.exists(os.path.join(path, "preprocessing")) for path in paths]
                self.assertIn(True, found)
            self.assertEqual(os.environ["PYTHONPATH"], "/mine")

    def test_quiet_ends(self):
        logger = logging.getLogger("apache_beam")
        before = logger.level
        with beam_runner.quiet():
            self.assertFalse(logger.isEnabledFor(logging.WARNING))
        self.assertEqual(logger.level, before)


if __name__ == "__main__":
    absltest.main()

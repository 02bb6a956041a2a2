"""Dask's distributed engine on this machine, for tests: a scheduler and worker processes."""

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Callable, Dict, Iterator, List, NamedTuple

import distributed


class Cluster(NamedTuple):
    """A scheduler and its workers.

    Attributes:
      beam_args: options of Beam that run a pipeline there, a shard a task.
      workers: the processes, by name.
      client: to ask the scheduler.
    """

    beam_args: List[str]
    workers: Dict[str, subprocess.Popen]
    client: distributed.Client


def run_and_kill_a_worker(job: Callable[[List[str]], object], when: Callable[[], bool]) -> None:
    """Runs a job by two workers, of which one is killed when something has happened.

    Args:
      job: takes options of Beam.
      when: whether it is time; asked until it is.

    Raises:
      AssertionError: the job ended before.
    """
    with cluster(2) as both, concurrent.futures.ThreadPoolExecutor(1) as thread:
        running = thread.submit(job, both.beam_args)
        while not when():
            assert not running.done(), running.result()
            time.sleep(0.01)
        assert not running.done(), "ended before a worker could be killed"
        both.workers["worker0"].kill()
        both.workers["worker0"].wait()
        running.result()


def _close_clients() -> None:
    """Closes our client and those that Beam leaves open, which would look for the scheduler."""
    with contextlib.suppress(ValueError):  # there is none any longer
        while True:
            distributed.default_client().close()


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Cluster]:
    """Starts a cluster, whose processes import what this one can, and ends it."""
    root = str(pathlib.Path(__file__).resolve().parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *sys.path])}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = f"--scheduler-file={folder}/scheduler.json"

        def start(*args: str) -> subprocess.Popen:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *args, address],
                env=env,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        start("scheduler", "--port=0", "--host=127.0.0.1", "--no-dashboard")
        options = ("--nthreads=1", "--no-nanny", "--no-dashboard", "--host=127.0.0.1")
        started = {
            name: start("worker", f"--name={name}", *options)
            for name in (f"worker{number}" for number in range(workers))
        }
        stack.callback(_close_clients)
        client = distributed.Client(scheduler_file=f"{folder}/scheduler.json", timeout=120)
        client.wait_for_workers(workers, timeout=120)
        yield Cluster(
            [
                "--runner=apache_beam.runners.dask.dask_runner.DaskRunner",
                f"--dask_client_address={client.scheduler.address}",
                "--dask_partition_size=1",
            ],
            started,
            client,
        )

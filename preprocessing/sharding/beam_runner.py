"""How Apache Beam runs on this machine: all cores, no downloads, no chatter."""

import contextlib
import difflib
import importlib
import logging
import os
import pathlib
import shlex
import signal
import sys
import threading
from typing import Any, Iterable, Iterator, Optional

import apache_beam as beam
from absl import flags
from apache_beam.options import pipeline_options
from apache_beam.runners.portability.fn_api_runner import fn_runner
from apache_beam.transforms import environments

_PROCESSES_FROM = 1500  # photographs, or what else takes about 10 ms
# Beam's worker program, without its reports on standard error and without the
# current folder on the path, where a file of the user's might shadow a package. Ctrl-C,
# which a terminal sends to all processes, ends it without a word.
_WORKER = """
import logging, os, signal, sys, warnings
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
warnings.filterwarnings("ignore", category=FutureWarning, module=r"google\\.")
sys.path.pop(0)
handler = logging.StreamHandler()
handler.setLevel(logging.ERROR)
logging.getLogger().addHandler(handler)
from apache_beam.runners.worker import sdk_worker_main
sdk_worker_main.main(sys.argv)
"""


@contextlib.contextmanager
def importable_by_workers() -> Iterator[None]:
    """Lets worker processes import what this process can, also from runfiles."""
    before = os.environ.get("PYTHONPATH")
    root = str(pathlib.Path(__file__).resolve().parents[2])
    own = str(pathlib.Path(__file__).absolute().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(
        dict.fromkeys(filter(None, [own, root, *sys.path, *(before or "").split(os.pathsep)]))
    )
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps Beam's reports on its own workings off the user's terminal."""
    logger = logging.getLogger("apache_beam")
    before = logger.level
    if before == logging.NOTSET:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextlib.contextmanager
def _stopping_quietly() -> Iterator[None]:
    """Lets Ctrl-C end Beam without what its threads and workers say of that, in pages."""

    def stop(*_: object) -> None:
        threading.excepthook = lambda _: None
        logging.disable(logging.CRITICAL)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    of_terminal = before is signal.default_int_handler
    of_terminal &= threading.current_thread() is threading.main_thread()
    if of_terminal:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if of_terminal:
            signal.signal(signal.SIGINT, before)
        logging.disable(logging.NOTSET)


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def local_runner(
    options: pipeline_options.PipelineOptions, items: int, most_workers: int
) -> fn_runner.FnApiRunner:
    """Sets up Beam's own local runner, for all cores unless the options say otherwise.

    `DirectRunner` of Beam 2.77 first tries Prism, a program that it downloads; this
    one needs nothing. Threads are at work at once and share a few cores well, since
    Pillow decodes and encodes outside the interpreter lock; processes take seconds
    to start and scale further, so they are for larger data.
    """
    direct = options.view_as(pipeline_options.DirectOptions)
    given = options.get_all_options(drop_default=True)
    direct.direct_num_workers = given.get(
        "direct_num_workers", min(_available_cores(), most_workers)
    )
    mode = given.get("direct_running_mode")
    if mode is None and direct.direct_num_workers != 1:
        mode = "multi_threading" if items < _PROCESSES_FROM else "multi_processing"
    if mode != "multi_processing":
        direct.direct_running_mode = mode or "in_memory"
        return fn_runner.FnApiRunner()
    # What this mode does, but with our own worker program.
    direct.direct_running_mode = "in_memory"
    # The shell that starts it passes on that Ctrl-C is nothing, until the worker says more.
    command = "trap '' INT; exec " + shlex.join([sys.executable, "-c", _WORKER])
    return fn_runner.FnApiRunner(
        default_environment=environments.SubprocessSDKEnvironment.from_command_string(command)
    )


def _import_runner(name: Optional[str]) -> None:
    """Imports the module of a runner that is named in full: it brings options of its own."""
    module = (name or "").rpartition(".")[0]
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise ValueError(f"--runner={name}: {error}") from error


def parse_options(beam_args: Iterable[str]) -> pipeline_options.PipelineOptions:
    """Parses Apache Beam's options.

    Raises:
      ValueError: an option that Beam does not know, probably a misspelt flag of ours,
        or a runner that is not installed.
    """
    with quiet():
        options = pipeline_options.PipelineOptions(list(beam_args))
        _import_runner(options.get_all_options()["runner"])
        known = options.get_all_options()
        unknown = set(options.get_all_options(retain_unknown_options=True)) - set(known)
    if unknown:
        name = min(unknown)
        longer = sorted((flag for flag in flags.FLAGS if flag.startswith(name)), key=len)
        close = longer or difflib.get_close_matches(name, [*flags.FLAGS], n=1)
        meant = f", but --{close[0]} is" if close else ""
        raise ValueError(
            f"--{name} is neither a flag of this program nor an option of Apache Beam{meant}; see "
            "--help"
        )
    return options


@contextlib.contextmanager
def pipeline(beam_args: Iterable[str], items: int, most_workers: int) -> Iterator[beam.Pipeline]:
    """Gives a pipeline, which runs at the end.

    Args:
      beam_args: Apache Beam options; without a runner among them, this machine's cores
        are used.
      items: how many pieces of work of about 10 ms there are.
      most_workers: how many can be of use.

    Raises:
      ValueError: see `parse_options`.
    """
    options = parse_options(beam_args)
    runner: Any = options.get_all_options()["runner"]
    if runner in (None, "DirectRunner"):
        runner = local_runner(options, items, most_workers)
    made = beam.Pipeline(runner=runner, options=options)
    with quiet(), _stopping_quietly(), importable_by_workers(), made as flow:
        yield flow

"""Programs as tests run them: by their module, each in a process of its own.

Loading TensorFlow takes five seconds of a processor, which is more than most of these
programs take in a test. So their processes are forked from one, started by this module,
that has loaded it and has done nothing with it.
"""

import atexit
import importlib
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import time
from typing import Any, Mapping, Optional, Tuple

_ROOT = pathlib.Path(__file__).parent.parent
_LOADED = (
    "apache_beam",
    "tensorflow",
    "tensorflow_addons",
    "tensorflow_gan",
    "tensorflow_hub",
    "pandas",
    "scipy.stats",
    "sklearn.model_selection",
)

_server: Optional["subprocess.Popen[str]"] = None


def run_program(
    module: str,
    *arguments: str,
    folder: str,
    stop: Optional[Tuple[float, int]] = None,
    **environment: str,
) -> "subprocess.CompletedProcess[str]":
    """Runs `python -m MODULE ARGUMENTS`.

    Args:
      module: of the program.
      *arguments: of the command line.
      folder: where its user stands.
      stop: seconds after which it and its own processes get a signal, and its number; by
        default it is left to end.
      **environment: variables beside those of this process.

    Returns:
      Status, output and errors; the status of a killed program is minus its signal.
    """
    global _server
    if _server is None:
        command = [sys.executable, "-m", "common.testing_programs"]
        pipe = subprocess.PIPE
        _server = subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True)
        atexit.register(_server.communicate)  # its input ends, and so does it
    assert _server.stdin and _server.stdout
    with tempfile.TemporaryDirectory() as outputs:
        paths = [os.path.join(outputs, name) for name in ("stdout", "stderr")]
        request = {
            "module": module,
            "arguments": arguments,
            "environment": {**os.environ, "BUILD_WORKING_DIRECTORY": folder, **environment},
            "stop": stop,
            "outputs": paths,
        }
        print(json.dumps(request), file=_server.stdin, flush=True)
        status = int(_server.stdout.readline())
        texts = [pathlib.Path(path).read_text() for path in paths]
    return subprocess.CompletedProcess([module, *arguments], status, *texts)


def _stop(child: int, seconds: float, number: int) -> None:
    """Sends a signal to a process and its own after some seconds, unless it ends before."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.01)
    os.killpg(child, number)


def _next_request() -> Mapping[str, Any]:
    """Forks for each request; returns it in the process that is to serve it."""
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            return request
        if request["stop"]:
            os.setpgid(child, child)
            _stop(child, *request["stop"])
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
    sys.exit()


def _serve() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # as programs have it
    for name in _LOADED:
        importlib.import_module(name)
    request = _next_request()
    os.environ.clear()
    os.environ.update(request["environment"])
    for number, path in enumerate(request["outputs"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()

"""The studio: draw boxes, choose condition and skin type, see the image.

  bazel run //synthesis:studio                        # newest run under runs/
  bazel run //synthesis:studio -- --run_dir=R --compare_to=S

Opens a page in the browser, for this machine alone. Its address holds the map and the
noise; a list that it saves is for //synthesis:generate --requests.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import contextlib
import os
import secrets
import sys
import webbrowser
from typing import Sequence

from absl import flags

from common.server import Server
from studio import opening, server
from synthesis import run_flags, trained_generator

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_COMPARE_TO = flags.DEFINE_string("compare_to", None, "A second run to show beside the first.")
_COMPARE_STEP = flags.DEFINE_integer(
    "compare_step", None, "Its checkpoint; the last one.", 0, 1_000_000_000
)
_PORT = flags.DEFINE_integer("port", 0, "Port; 0 takes a free one.", 0, 65535)
_OPEN = flags.DEFINE_bool("open", True, "Open the page in the browser.")


def main(_: Sequence[str]) -> None:
    """Serves until Ctrl-C."""
    first = _GENERATOR()
    generators = [first]
    if _COMPARE_TO.value or _COMPARE_STEP.value is not None:
        other = command_line.user_path(_COMPARE_TO.value) if _COMPARE_TO.value else first.run_dir
        generators.append(trained_generator.load(other, _COMPARE_STEP.value))
    painters, data, reason = opening.prepare(
        generators, _DATA_DIR(first), insist=flags.FLAGS["data_dir"].present > 0
    )
    if reason:
        print(f"warning: {reason}; no counts and no photographs are shown", file=sys.stderr)
    token = secrets.token_urlsafe(16)
    with Server(server.make_app(painters, data, reason, token), port=_PORT.value) as running:
        address = f"{running.url}/{token}/"
        print(f"{address}\nFor you alone: it shows photographs of patients. Ctrl-C ends.")
        sys.stdout.flush()
        if _OPEN.value and (sys.platform != "linux" or os.environ.get("DISPLAY")):
            webbrowser.open(address)
        with contextlib.suppress(KeyboardInterrupt):
            running.serve_forever()


if __name__ == "__main__":
    command_line.run(main)

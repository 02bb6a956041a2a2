"""The studio: draw boxes, choose condition and skin type, see the image.

  bazel run //synthesis:studio                        # newest run under runs/
  bazel run //synthesis:studio -- --run_dir=R --compare_to=S
  bazel run //synthesis:studio -- --run_dir=R --output=studio.html

Opens a page in the browser, for this machine alone. Its address holds the map and the
noise; a list that it saves is for //synthesis:generate --requests. With --output it writes the
page instead, with model and runtime in it: one file that a browser opens by a double click,
without a server and without network. It holds counts of the training photographs and none of
these.
"""

from common import command_line  # isort: skip  (first: sets TensorFlow's log level)

import contextlib
import os
import secrets
import sys
import webbrowser
from typing import Sequence

from absl import flags

from common import files
from common.server import Server
from studio import onnxruntime_web, opening, server
from synthesis import run_flags, trained_generator

_GENERATOR = run_flags.define_generator()
_DATA_DIR = run_flags.define_data_dir()
_COMPARE_TO = flags.DEFINE_string("compare_to", None, "A second run to show beside the first.")
_COMPARE_STEP = flags.DEFINE_integer(
    "compare_step", None, "Its checkpoint; the last one.", 0, 1_000_000_000
)
_PORT = flags.DEFINE_integer("port", 0, "Port; 0 takes a free one.", 0, 65535)
_OPEN = flags.DEFINE_bool("open", True, "Open the page in the browser.")
_OUTPUT = flags.DEFINE_string("output", None, "Write the studio as one HTML file instead.")
_ONNXRUNTIME_WEB = flags.DEFINE_string(
    "onnxruntime_web", None, f"{onnxruntime_web.NAME} of npm, for --output; fetched by default."
)
_OVERWRITE = run_flags.define_overwrite("--output")


def _write_one_file(output: str) -> None:
    command_line.exclude("output", ("compare_to", "compare_step", "port", "open"))
    files.check_output(output, _OVERWRITE.value, suffix=".html")
    archive = _ONNXRUNTIME_WEB.value
    generator = _GENERATOR()
    runtime = onnxruntime_web.read(command_line.user_path(archive) if archive else None)
    data, reason = opening.training_data(
        _DATA_DIR(generator), generator, insist=flags.FLAGS["data_dir"].present > 0
    )
    if reason:
        print(f"warning: {reason}; no counts are shown", file=sys.stderr)
    from studio import one_file  # takes a second to load

    files.write_text(output, one_file.render(generator, data, runtime))
    print(f"{output}: {os.path.getsize(output) / 1e6:.1f} MB, without photographs of the data")
    print("next: open it in a browser, here or elsewhere")


def main(_: Sequence[str]) -> None:
    """Serves until Ctrl-C, or writes one file."""
    if _OUTPUT.value:
        _write_one_file(command_line.user_path(_OUTPUT.value))
        return
    if _ONNXRUNTIME_WEB.value:
        raise ValueError("--onnxruntime_web is for --output=studio.html")
    first = _GENERATOR()
    generators = [first]
    if _COMPARE_TO.value or _COMPARE_STEP.value is not None:
        other = command_line.run_folder(_COMPARE_TO.value) if _COMPARE_TO.value else first.run_dir
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

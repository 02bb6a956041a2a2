"""Installs a hash-locked requirements file with this Python's pip, saying how far it is.

Called by the repository rule of python_env.bzl with the environment's own Python:
pip alone would print hundreds of lines or none.
"""

import re
import subprocess
import sys
import sysconfig
import time

from pip._vendor.packaging.markers import Marker

_PACKAGE = re.compile(r"[A-Za-z0-9]\S*==")
_SECONDS_BETWEEN_LINES = 5.0
_LAST_LINES = 20
_LINE_LENGTH = 400


def count_packages(requirements: str) -> int:
    """Returns how many packages of a lock file apply to this Python and machine."""
    with open(requirements, encoding="utf-8") as file:
        locked = [line.rstrip(" \\\n").partition(";") for line in file if _PACKAGE.match(line)]
    return sum(not marker or Marker(marker).evaluate() for _, _, marker in locked)


def explain(output: list[str]) -> str:
    """Returns pip's own error lines, or its last lines where it marked none."""
    errors = [
        line
        for line in output
        if re.match(r"\s*(ERROR|error)\b", line) and "Ignored the following" not in line
    ]
    if any("DO NOT MATCH THE HASHES" in line for line in errors):
        start = next(i for i, line in enumerate(output) if "DO NOT MATCH THE HASHES" in line)
        errors = output[start:]
    lines = (errors or output)[-_LAST_LINES:]
    return "\n".join(
        line if len(line) <= _LINE_LENGTH else line[:_LINE_LENGTH] + " ..." for line in lines
    )


def install(requirements: str) -> None:
    """Runs pip; ends the program with pip's errors if it fails."""
    total = count_packages(requirements)
    started = last_line = time.monotonic()
    print(f"Installing the packages of {requirements} (once; 1 to 5 minutes)", flush=True)
    pip = [
        sys.executable, "-m", "pip", "install", "--require-hashes", "--no-compile", "--no-input",
        "--disable-pip-version-check", "--progress-bar=off", "-r", requirements,
    ]  # fmt: skip
    output = []
    fetched = 0
    with subprocess.Popen(
        pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line.rstrip())
            now = time.monotonic()
            fetched += line.startswith("Collecting ")
            if line.startswith("Installing collected packages"):
                print(f"  unpacking ({now - started:.0f} s)", flush=True)
            elif line.startswith("Collecting ") and now - last_line > _SECONDS_BETWEEN_LINES:
                last_line = now
                name = re.split(r"[=<>;\s]", line[len("Collecting ") :], maxsplit=1)[0]
                print(f"  {fetched} of {total}: {name} ({now - started:.0f} s)", flush=True)
    if process.returncode != 0:
        sys.exit(f"pip failed on {requirements}:\n{explain(output)}")
    # Tests run where the environment is read-only, so the byte code is made here, on all cores.
    print(f"  compiling ({time.monotonic() - started:.0f} s)", flush=True)
    packages = sysconfig.get_path("purelib")
    # The packages' own tests are left out; what does not compile is not for this Python.
    subprocess.run(
        [
            *(sys.executable, "-W", "ignore", "-m", "compileall", "-qq", "-j", "0"),
            *("-x", r"/tests?/|_test\.py$", packages),
        ],
        check=False,
    )
    print(f"  done ({time.monotonic() - started:.0f} s)", flush=True)


if __name__ == "__main__":
    install(sys.argv[1])

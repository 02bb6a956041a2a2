"""The Python that runs every target: a virtual environment with the locked packages.

`python_env(name = "python_env")` in WORKSPACE finds a Python 3.10 or 3.11, makes a
virtual environment inside the external repository, installs the lock file into it
and registers it as the Python toolchain. It runs again when a lock file or
PYTHON_BIN changes.
"""

_VERSIONS = ["3.11", "3.10"]

# Prints the version first, so that a Python without venv can be told from no Python.
_PROBE = """
import sys
assert sys.implementation.name == "cpython"
print("%d.%d" % sys.version_info[:2], flush=True)
import ensurepip, venv
"""

_INSTALL_SECONDS = 3600

# Kernels cut the first line of a script there, and at a space.
_SHEBANG_CHARACTERS = 127

_HOW_TO_GET_PYTHON = """
Install one and run the same command again:
  Debian 12          sudo apt-get install python3.11 python3.11-venv
  Ubuntu 22.04       sudo apt-get install python3.10 python3.10-venv
  Fedora             sudo dnf install python3.11
  macOS (Homebrew)   brew install python@3.11
  anywhere           uv python install 3.11, pyenv install 3.11, or
                     conda create -n python3.11 python=3.11
To name one that is not on PATH: export PYTHON_BIN=/path/to/python3.11
"""

_BUILD = """
load("@rules_python//python:defs.bzl", "py_runtime", "py_runtime_pair")

py_runtime(
    name = "runtime",
    interpreter_path = "{interpreter}",
    python_version = "PY3",
    stub_shebang = "{shebang}",
)

py_runtime_pair(
    name = "runtime_pair",
    py3_runtime = ":runtime",
)

toolchain(
    name = "toolchain",
    toolchain = ":runtime_pair",
    toolchain_type = "@bazel_tools//tools/python:toolchain_type",
)
"""

def _version_of(repository_ctx, python):
    """Returns (version or None, whether it can make virtual environments)."""
    result = repository_ctx.execute([python, "-c", _PROBE], timeout = 60)
    version = result.stdout.strip()
    if version == "":
        return None, False
    return version, result.return_code == 0

def _installed_by_managers(repository_ctx):
    """Returns the interpreters of pyenv and uv, which need not be on PATH."""
    environ = repository_ctx.os.environ
    home = environ.get("HOME", "")
    folders = [environ["PYENV_ROOT"] + "/versions"] if "PYENV_ROOT" in environ else []
    if home:
        folders.append(home + "/.pyenv/versions")
        folders.append(home + "/.local/share/uv/python")
    found = []
    for version in _VERSIONS:
        for folder in folders:
            if not repository_ctx.path(folder).exists:
                continue
            for entry in repository_ctx.path(folder).readdir():
                python = entry.get_child("bin").get_child("python" + version)
                if python.exists:
                    found.append(str(python))
    return found

def _candidates(repository_ctx):
    folders = [
        folder
        for folder in repository_ctx.os.environ.get("PATH", "").split(":")
        if folder.startswith("/")
    ]
    found = []
    for name in ["python" + version for version in _VERSIONS] + ["python3"]:
        for folder in folders:
            python = repository_ctx.path(folder + "/" + name)
            if python.exists and str(python) not in found:
                found.append(str(python))
    return found + _installed_by_managers(repository_ctx)

def _find_python(repository_ctx):
    """Returns the path of a Python that TensorFlow 2.15 runs on, or fails."""
    wanted = repository_ctx.os.environ.get("PYTHON_BIN", "")
    if wanted:
        python = wanted if wanted.startswith("/") else str(repository_ctx.which(wanted) or "")
        version, complete = None, False
        if python and repository_ctx.path(python).exists:
            version, complete = _version_of(repository_ctx, python)
        if version in _VERSIONS and complete:
            return python, version
        problem = "is not a Python that runs"
        if version in _VERSIONS:
            problem = "is Python %s without the venv module" % version
        elif version:
            problem = "is Python %s" % version
        fail("PYTHON_BIN=%s %s; DermGAN needs Python 3.10 or 3.11 with venv.\n%s" % (
            wanted,
            problem,
            _HOW_TO_GET_PYTHON,
        ))

    seen = []
    for python in _candidates(repository_ctx):
        version, complete = _version_of(repository_ctx, python)
        if version in _VERSIONS and complete:
            return python, version
        if version in _VERSIONS:
            seen.append("%s (Python %s without venv: install python%s-venv)" % (
                python,
                version,
                version,
            ))
        elif version:
            seen.append("%s (Python %s)" % (python, version))
    fail("no Python 3.10 or 3.11 found; the locked packages are for no other.\nFound: %s\n%s" % (
        ", ".join(seen) or "no Python at all",
        _HOW_TO_GET_PYTHON,
    ))

def _has_gpu(repository_ctx):
    nvidia_smi = repository_ctx.which("nvidia-smi")
    if not nvidia_smi or not repository_ctx.os.name.startswith("linux"):
        return False
    return "GPU 0" in repository_ctx.execute([nvidia_smi, "-L"], timeout = 60).stdout

def _make_environment(repository_ctx, requirements):
    """Installs a lock file into a virtual environment; returns its interpreter."""

    # Resolving the labels makes Bazel run this again when the files change.
    installer = str(repository_ctx.path(repository_ctx.attr.installer))
    python, version = _find_python(repository_ctx)
    repository_ctx.report_progress("Making a virtual environment of Python " + version)
    environment = str(repository_ctx.path("venv"))

    # What the user set for pip (an index, a proxy, certificates) is inherited; what
    # would make Python or pip look or write outside of the environment is not.
    isolation = {"PIP_USER": "0", "PYTHONHOME": "", "PYTHONPATH": ""}
    result = repository_ctx.execute(
        [python, "-m", "venv", environment],
        environment = isolation,
        timeout = _INSTALL_SECONDS,
    )
    if result.return_code != 0:
        fail("%s -m venv failed:\n%s%s" % (python, result.stdout, result.stderr))

    interpreter = environment + "/bin/python"
    repository_ctx.report_progress("Installing the packages of %s, once" % requirements)
    result = repository_ctx.execute(
        [interpreter, installer, requirements],
        environment = isolation,
        timeout = _INSTALL_SECONDS,
        quiet = False,
    )
    if result.return_code != 0:
        fail("the packages of %s could not be installed; pip's errors are above" % requirements)
    return interpreter

def _python_env_impl(repository_ctx):
    requirements = str(repository_ctx.path(repository_ctx.attr.requirements))
    gpu_requirements = str(repository_ctx.path(repository_ctx.attr.gpu_requirements))
    if _has_gpu(repository_ctx):
        requirements = gpu_requirements
    interpreter = _make_environment(repository_ctx, requirements)

    # Bazel's own default, `env python`, is no command on many systems.
    shebang = "#!" + interpreter
    if len(shebang) > _SHEBANG_CHARACTERS or " " in shebang:
        shebang = "#!/usr/bin/env python3"
    repository_ctx.file("BUILD", _BUILD.format(interpreter = interpreter, shebang = shebang))

_python_env = repository_rule(
    implementation = _python_env_impl,
    attrs = {
        "gpu_requirements": attr.label(
            allow_single_file = True,
            doc = "Lock file for machines where nvidia-smi lists a GPU; complete on its own.",
            mandatory = True,
        ),
        "installer": attr.label(allow_single_file = True, mandatory = True),
        "requirements": attr.label(
            allow_single_file = True,
            doc = "Lock file for all other machines.",
            mandatory = True,
        ),
    },
    environ = ["PYTHON_BIN"],
)

def python_env(name):
    """Declares the environment and makes it the Python of every target."""
    _python_env(
        name = name,
        gpu_requirements = "//:requirements-gpu.txt",
        installer = "//tools/bazel:install_requirements.py",
        requirements = "//:requirements.txt",
    )
    native.register_toolchains("@%s//:toolchain" % name)

def _jax_env_impl(repository_ctx):
    requirements = str(repository_ctx.path(repository_ctx.attr.requirements))
    interpreter = _make_environment(repository_ctx, requirements)
    repository_ctx.file("python", "#!/bin/sh\nexec '%s' \"$@\"\n" % interpreter, executable = True)
    repository_ctx.file(
        "BUILD",
        "exports_files([\"python\"], visibility = [\"//visibility:public\"])\n",
    )

_jax_env = repository_rule(
    implementation = _jax_env_impl,
    attrs = {
        "installer": attr.label(allow_single_file = True, mandatory = True),
        "requirements": attr.label(allow_single_file = True, mandatory = True),
    },
    environ = ["PYTHON_BIN"],
)

def jax_env(name):
    """Declares an environment that holds JAX and no TensorFlow: `@NAME//:python` runs in it."""
    _jax_env(
        name = name,
        installer = "//tools/bazel:install_requirements.py",
        requirements = "//:requirements-jax.txt",
    )

"""The Python that has JAX: Bazel's `@jax_env`, or the one that JAX_PYTHON names."""

import os
import pathlib


def find() -> str:
    """Returns its path.

    Raises:
      ValueError: there is none.
    """
    named = os.environ.get("JAX_PYTHON")
    if named:
        return named
    # In Bazel's runfiles, external repositories lie beside the project.
    python = pathlib.Path(__file__).absolute().parents[3] / "jax_env" / "python"
    if python.is_file():
        return str(python)
    raise ValueError(
        "no Python with JAX; use bazel run //training:run_program, or install "
        "requirements-jax.txt into an environment and set JAX_PYTHON to its python"
    )


def environment() -> dict[str, str]:
    """Returns the environment variables for it: none that show it our own packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

"""Checks what README.md and docs/ promise: links, programs, flags and their limits, fields.

    python tools/check_docs.py    # with the Python that has the project's packages

A link leads to a file, and to a heading where it names one; a path in `quotes` that begins
with a folder of the code is there. A command names a program
that a BUILD file declares, flags that some module defines, and fields that a
configuration has. Tests that are named as `file::test` are there, and so are pages of docs/
that modules mention. Every number that a program takes has a least and a greatest value, so
that an absurd one ends it with one line.
"""

import ast
import importlib
import importlib.util
import pathlib
import re
import sys
from typing import Iterator, List, Set, Tuple

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_PROGRAM = re.compile(r"(?<![\w/:])//([a-z_/]+):([a-z_0-9]+|\{[\w,]+\})")
_FLAG = re.compile(r"(?<![\w-])--([a-z][\w.]*\w)")
_PATH = re.compile(r"`([a-z]+/(?:[\w/]*\.\w+|[\w/]*/)?)`")
_TEST = re.compile(r"`([a-z]\w*/[\w/]*_test\.py)::(test_\w+)`")
_FIELD = re.compile(r"(?<!-)\bconfig\.(\w+\.\w+)")
# Of Apache Beam, Bazel, Git, pip and others, or of absl.
_FOREIGN = {
    *("abbrev", "dask_client_address", "dask_partition_size", "direct_num_workers", "expunge"),
    *("environment_config", "environment_type", "flink_master", "job_endpoint", "max_num_workers"),
    *("parallelism", "project", "region", "runner", "sdk_container_image", "sdk_location"),
    *(
        "spark_master_url",
        "temp_location",
        "worker_pool",
        "port",
        "service_port",
        "nworkers",
        "nthreads",
    ),
    *("check", "gpus", "help", "logdir", "no", "requeue", "require", "wheel"),
}


def documents(root: pathlib.Path) -> List[pathlib.Path]:
    """Returns the Markdown files of a checkout that users read."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def _sources(root: pathlib.Path, pattern: str) -> Iterator[pathlib.Path]:
    """Yields files below the folders that are Bazel's, and so not below venv/ and the like."""
    for folder in sorted(root.iterdir()):
        if (folder / "BUILD").exists():
            yield from sorted(folder.rglob(pattern))


def _without_code(text: str) -> str:
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def _anchors(path: pathlib.Path) -> Set[str]:
    """Returns the names that GitHub gives to the headings of a file."""
    headings = re.findall(r"^#+ (.+)$", _without_code(path.read_text("utf-8")), re.MULTILINE)
    texts = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-") for text in texts}


def broken_links(path: pathlib.Path) -> Iterator[str]:
    """Yields the links of a document that lead nowhere; those to other sites are not tried."""
    for link in _LINK.findall(_without_code(path.read_text("utf-8"))):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            yield f"link {link}: no such file"
        elif anchor and anchor not in _anchors(target):
            yield f"link {link}: no such heading"


def lost_paths(root: pathlib.Path, text: str) -> Iterator[str]:
    """Yields the files and folders of the code that a text names and that are not there."""
    for path in _PATH.findall(text):
        if (root / path.partition("/")[0] / "BUILD").exists() and not (root / path).exists():
            yield f"`{path}`: no such file"


def lost_tests(root: pathlib.Path, text: str) -> Iterator[str]:
    """Yields the tests that a text names, as `file::test`, and that are not there."""
    for path, name in _TEST.findall(text):
        if not (root / path).exists() or f"def {name}(" not in (root / path).read_text("utf-8"):
            yield f"`{path}::{name}`: no such test"


def programs(root: pathlib.Path) -> Set[Tuple[str, str]]:
    """Returns (folder, name) of every program and alias that the BUILD files declare."""
    found = set()
    for build in _sources(root, "BUILD"):
        folder = build.parent.relative_to(root).as_posix()
        for block in re.findall(r"programs = \{(.*?)\n    \}", build.read_text("utf-8"), re.DOTALL):
            found |= {(folder, name) for name in re.findall(r'"(\w+)": \[', block)}
        names = re.findall(r'^ {4}name = "(\w+)"', build.read_text("utf-8"), re.MULTILINE)
        found |= {(folder, name) for name in names}
    return found


def defined_flags(root: pathlib.Path) -> Set[str]:
    """Returns the names in quotation marks at the beginning of calls and tuples of flags.

    Those of absl, and those that argparse adds.
    """
    found = set()
    for path in _sources(root, "*.py"):
        text = path.read_text("utf-8")
        if "DEFINE_" in text and not path.stem.endswith("_test"):
            found |= set(re.findall(r'\(\s*"(\w+)",', text))
        found |= set(re.findall(r'\.add_argument\(\s*"--(\w+)"', text))
    return found


def _fields(root: pathlib.Path) -> Set[str]:
    """Returns `group.field` of the configurations of training and of the classifier."""
    sys.path.insert(0, str(root))
    importlib.import_module("common.command_line")  # quiets TensorFlow
    found = set()
    for folder in ("training/configs", "evaluation/augmentation/configs"):
        spec = importlib.util.spec_from_file_location("config", root / folder / "paper.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for group, value in module.get_config().to_dict().items():
            found |= {f"{group}.{name}" for name in value} if isinstance(value, dict) else {group}
    return found


def unknown_names(
    text: str, known_programs: Set[Tuple[str, str]], known_flags: Set[str], fields: Set[str]
) -> Iterator[str]:
    """Yields programs, flags and fields that a text names and that are not there."""
    for folder, names in _PROGRAM.findall(text):
        for name in names.strip("{}").split(","):
            if (folder, name) not in known_programs:
                yield f"//{folder}:{name}: no BUILD file declares it"
    for flag in _FLAG.findall(text):
        plain = flag[2:] if flag.startswith("no") and flag[2:] in known_flags else flag
        if flag.startswith("config."):
            if flag[len("config.") :] not in fields:
                yield f"--{flag}: no configuration has this field"
        elif plain not in known_flags | _FOREIGN:
            yield f"--{flag}: no program has this flag"
    for field in _FIELD.findall(text):
        if field not in fields:
            yield f"config.{field}: no configuration has this field"


def lost_pages(root: pathlib.Path) -> Iterator[str]:
    """Yields the pages that modules mention and that are not there."""
    for path in _sources(root, "*.py"):
        for page in re.findall(r"\bdocs/[\w/]+\.md", path.read_text("utf-8")):
            if not (root / page).exists() and not path.stem.endswith("_test"):
                yield f"{path.relative_to(root)}: {page}: no such file"


def flags_without_limits(root: pathlib.Path) -> Iterator[str]:
    """Yields the numbers that programs of the rooms take without a least and a greatest value."""
    for path in _sources(root, "*.py"):
        if path.stem.endswith("_test") or path.is_relative_to(root / "benchmarks"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in ("DEFINE_integer", "DEFINE_float") and len(node.args) < 5:
                name = ast.unparse(node.args[0])
                yield f"{path.relative_to(root)}: flag {name}: no least and greatest value"


def main() -> int:
    """Prints what is wrong; returns the exit status."""
    fields = _fields(_ROOT)
    losses = {name.removeprefix("loss.") for name in fields if name.startswith("loss.")}
    # The grid search has a flag for the weight of each loss.
    known = programs(_ROOT), defined_flags(_ROOT) | losses, fields
    wrong = [
        f"{path.relative_to(_ROOT)}: {line}"
        for path in documents(_ROOT)
        for text in [path.read_text("utf-8")]
        for line in (
            *broken_links(path),
            *lost_paths(_ROOT, text),
            *lost_tests(_ROOT, text),
            *unknown_names(text, *known),
        )
    ]
    wrong += [*lost_pages(_ROOT), *flags_without_limits(_ROOT)]
    for line in dict.fromkeys(wrong):
        print(line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

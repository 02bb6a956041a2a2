"""Keeps the BUILD files true: one rule per Python module, dependencies from its imports.

Run from anywhere in the checkout:

    python tools/bazel/check_build_files.py          # say what is wrong
    python tools/bazel/check_build_files.py --fix    # write the BUILD files
    python tools/bazel/check_build_files.py --print  # show what would be written

Every folder with Python modules gets a BUILD file: a `py_library` per module, a
`py_test` per `*_test.py`, a `py_binary` per module that has `if __name__ ==
"__main__"`. What follows the line HAND_WRITTEN in a BUILD file is left as it is.

A test also depends on the programs it starts with [sys.executable, "-m", "training.train"].
Comments in a module say what else its imports cannot:

    # bazel: size = large         (tests; small, or medium if it loads TensorFlow or Beam)
    # bazel: tags = manual        (tests; several are separated by commas)
    # bazel: deps = //training/configs:*      (modules loaded by name; * is all of a folder)
    # bazel: data = testdata/x.csv
"""

import argparse
import ast
import dataclasses
import difflib
import pathlib
import pkgutil
import re
import sys
import sysconfig
from typing import Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

# A folder imports only from those before it; tools stand alone.
LAYERS = ("preprocessing", "model", "training", "synthesis", "evaluation", "benchmarks")
ROOTS = (*LAYERS, "tools")
HAND_WRITTEN = "# Below this line: written by hand."

# Packages whose import name is not their name on PyPI.
_PIP_NAMES = {
    "PIL": "pillow",
    "absl": "absl-py",
    "mpl_toolkits": "matplotlib",
    "pkg_resources": "setuptools",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
# Tests that load one of these are of size medium.
_SLOW_TO_LOAD = frozenset(
    {
        "apache-beam",
        "keras",
        "keras-tuner",
        "tensorflow",
        "tensorflow-addons",
        "tensorflow-gan",
        "tensorflow-hub",
        "tensorflow-probability",
    }
)
_MARKER = re.compile(r"^# bazel: (\w+) = (.+)$", re.MULTILINE)
_MARKERS = {"data", "deps", "size", "tags"}


def _standard_library() -> FrozenSet[str]:
    if sys.version_info >= (3, 10):
        return sys.stdlib_module_names
    folder = pathlib.Path(sysconfig.get_paths()["stdlib"])
    found = pkgutil.iter_modules([str(folder), str(folder / "lib-dynload")])
    return frozenset(module.name for module in found) | frozenset(sys.builtin_module_names)


# Every virtual environment has pip.
_STANDARD_LIBRARY = _standard_library() | {"pip"}


@dataclasses.dataclass
class Module:
    """One Python file.

    Attributes:
      name: dotted name from the root, `preprocessing.cases`.
      path: the file, relative to the root.
      kind: the Bazel rule, "py_library", "py_binary" or "py_test".
      imports: dotted names of the project modules it imports.
      packages: PyPI names of what else it imports.
      markers: the values of its `# bazel:` comments.
    """

    name: str
    path: pathlib.PurePosixPath
    kind: str
    imports: Set[str]
    packages: Set[str]
    markers: Dict[str, List[str]]

    @property
    def folder(self) -> str:
        """The Bazel package."""
        return str(self.path.parent)

    @property
    def target(self) -> str:
        """The name of the rule."""
        return self.path.stem


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in ast.dump(node.test)


def _imported_names(tree: ast.AST, path: pathlib.PurePosixPath) -> Iterator[Tuple[str, int]]:
    """Yields (dotted name, line); `from a import b` yields `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{path}:{node.lineno}: relative import; name the module from the root, "
                    f"`from {path.parent.as_posix().replace('/', '.')} import ...`"
                )
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def _started_programs(tree: ast.AST) -> Iterator[str]:
    """Yields the modules of commands like [sys.executable, "-m", "training.train"]."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.List, ast.Tuple)):
            words = [word.value if isinstance(word, ast.Constant) else None for word in node.elts]
            for word, following in zip(words, words[1:]):
                if word == "-m" and isinstance(following, str):
                    yield following


def _markers(text: str, path: pathlib.PurePosixPath) -> Dict[str, List[str]]:
    markers = {}
    for key, values in _MARKER.findall(text):
        if key not in _MARKERS:
            raise ValueError(f"{path}: unknown marker '# bazel: {key}'; known: {sorted(_MARKERS)}")
        markers[key] = [value.strip() for value in values.split(",")]
    return markers


class Project:
    """The Python modules of a checkout and the BUILD files they ask for."""

    def __init__(self, root: pathlib.Path, roots: Sequence[str] = ROOTS) -> None:
        self.root = root
        self.problems: List[str] = []
        self._declared = _declared_packages(root / "requirements.in")
        paths = [
            pathlib.PurePosixPath(path.relative_to(root).as_posix())
            for top in roots
            for path in sorted((root / top).rglob("*.py"))
        ]
        self._names = {".".join(path.with_suffix("").parts): path for path in paths}
        self.modules: Dict[str, Module] = {}
        for name, path in self._names.items():
            if path.name == "__init__.py":
                if (root / path).read_text(encoding="utf-8").strip():
                    self.problems.append(f"{path}: must be empty; Bazel makes its own")
                continue
            try:
                self.modules[name] = self._read(name, path)
            except (SyntaxError, ValueError) as error:
                self.problems.append(str(error))
        self._check_layers()

    def _read(self, name: str, path: pathlib.PurePosixPath) -> Module:
        text = (self.root / path).read_text(encoding="utf-8")
        tree = ast.parse(text, filename=str(path))
        self._check_name(path)
        kind = "py_library"
        if path.stem.endswith("_test"):
            kind = "py_test"
        elif any(_is_main(node) for node in tree.body):
            kind = "py_binary"
        imports, packages = set(), set()
        for imported, line in _imported_names(tree, path):
            module = self._project_module(imported)
            top = imported.partition(".")[0]
            if module is not None:
                imports.add(module)
            elif top in ROOTS:
                self.problems.append(f"{path}:{line}: imports {imported}, which does not exist")
            elif top not in _STANDARD_LIBRARY:
                package = _PIP_NAMES.get(top, top.replace("_", "-"))
                if package not in self._declared:
                    self.problems.append(
                        f"{path}:{line}: imports {top}, but requirements.in has no {package}"
                    )
                packages.add(package)
        if kind == "py_test":
            imports |= {program for program in _started_programs(tree) if program in self._names}
        imports.discard(name)
        return Module(name, path, kind, imports, packages, _markers(text, path))

    def _project_module(self, imported: str) -> Optional[str]:
        """Returns the module that `imported` is or is part of."""
        while imported:
            if imported in self._names and not imported.endswith("__init__"):
                return imported
            imported = imported.rpartition(".")[0]
        return None

    def _check_name(self, path: pathlib.PurePosixPath) -> None:
        """Bazel puts the folder of the main module first on sys.path."""
        taken = {package.replace("-", "_") for package in self._declared} | set(_PIP_NAMES)
        if path.stem in _STANDARD_LIBRARY | taken | set(ROOTS):
            self.problems.append(
                f"{path}: rename it; programs beside it would import it in place of the "
                f"package or standard module '{path.stem}'"
            )

    def _check_layers(self) -> None:
        for module in self.modules.values():
            top = module.path.parts[0]
            for imported in sorted(module.imports):
                other = imported.partition(".")[0]
                if other != top and not (
                    top in LAYERS and other in LAYERS and LAYERS.index(other) < LAYERS.index(top)
                ):
                    self.problems.append(f"{module.path}: {top}/ must not import from {other}/")

    def folders(self) -> List[str]:
        """Returns the folders that need a BUILD file."""
        return sorted({module.folder for module in self.modules.values()})

    def _is_slow(self, module: Module) -> bool:
        seen: Set[str] = set()
        waiting = [module.name]
        while waiting:
            current = self.modules.get(waiting.pop())
            if current is None or current.name in seen:
                continue
            if current.packages & _SLOW_TO_LOAD:
                return True
            seen.add(current.name)
            waiting.extend(current.imports)
        return False

    def _libraries(self, folder: str) -> List[Module]:
        """Returns a folder's modules that others may depend on."""
        modules = [m for m in self.modules.values() if m.folder == folder and m.kind != "py_test"]
        if not modules:
            self.problems.append(f"a marker '# bazel: deps' names //{folder}:*, which is empty")
        return modules

    def _deps(self, module: Module) -> List[str]:
        labels = set()
        for label in module.markers.get("deps", []):
            folder, _, target = label[2:].partition(":")
            if target == "*":
                labels |= {f"//{folder}:{other.target}" for other in self._libraries(folder)}
            else:
                labels.add(label)
        for imported in module.imports:
            path = self._names[imported]
            same = str(path.parent) == module.folder
            labels.add(f":{path.stem}" if same else f"//{path.parent}:{path.stem}")
        return sorted(labels, key=lambda label: (label.startswith("//"), label.replace(":", "!")))

    def rule(self, module: Module) -> str:
        """Returns the module's rule as buildifier would format it."""
        lines = [f"{module.kind}(", f'    name = "{module.target}",']
        if module.kind == "py_test":
            size = module.markers.get("size", ["medium" if self._is_slow(module) else "small"])[0]
            lines.append(f'    size = "{size}",')
        lines += _list("srcs", [module.path.name])
        lines += _list("data", sorted(module.markers.get("data", [])))
        lines.append('    srcs_version = "PY3",')
        lines += _list("tags", module.markers.get("tags", []))
        lines += _list("deps", self._deps(module), comments=sorted(module.packages))
        return "\n".join([*lines, ")"]) + "\n"

    def build_file(self, folder: str, hand_written: str = "") -> str:
        """Returns the content of a folder's BUILD file."""
        modules = [module for module in self.modules.values() if module.folder == folder]
        modules.sort(key=lambda module: module.path.name)
        kinds = ", ".join(f'"{kind}"' for kind in sorted({module.kind for module in modules}))
        parts = [f'load("@rules_python//python:defs.bzl", {kinds})\n']
        top = folder.partition("/")[0]
        if top in LAYERS:
            visible_to = sorted(LAYERS[LAYERS.index(top) :])
        else:
            visible_to = [top]
        labels = "".join(f'    "//{name}:__subpackages__",\n' for name in visible_to)
        parts.append(f"package(default_visibility = [\n{labels}])\n")
        parts += [self.rule(module) for module in modules]
        return "\n".join(parts) + (f"\n{hand_written}" if hand_written else "")

    def difference(self, folder: str) -> Tuple[str, List[str]]:
        """Returns what the folder's BUILD file should be, and what is wrong with it now."""
        path = self.root / folder / "BUILD"
        present = path.read_text(encoding="utf-8") if path.is_file() else ""
        start = present.find(HAND_WRITTEN)
        wanted = self.build_file(folder, present[start:] if start >= 0 else "")
        if present == wanted:
            return wanted, []
        problems = list(_explain(folder, _rules(present), _rules(wanted)))
        if not problems:
            diff = difflib.unified_diff(
                present.splitlines(),
                wanted.splitlines(),
                f"{folder}/BUILD",
                "as generated",
                "",
                "",
                1,
            )
            problems = ["\n".join(diff)]
        return wanted, problems


def _list(key: str, values: Sequence[str], comments: Sequence[str] = ()) -> List[str]:
    if not values and not comments:
        return []
    if len(values) == 1 and not comments:
        return [f'    {key} = ["{values[0]}"],']
    items = [f'        "{value}",' for value in values]
    items += [f"        # pip: {comment}" for comment in comments]
    return [f"    {key} = [", *items, "    ],"]


def _declared_packages(requirements: pathlib.Path) -> Set[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    names = (re.match(r"[A-Za-z0-9][\w.-]*", line) for line in lines)
    return {name.group().lower() for name in names if name}


def _rules(build_file: str) -> Dict[str, Tuple[str, Set[str]]]:
    """Returns target -> (rule, deps) of a BUILD file; its syntax is also Python's."""
    rules = {}
    for node in ast.parse(build_file).body:
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        call = node.value
        values = {
            keyword.arg: ast.literal_eval(keyword.value)
            for keyword in call.keywords
            if keyword.arg in ("name", "deps")
            and isinstance(keyword.value, (ast.Constant, ast.List))
        }
        if isinstance(call.func, ast.Name) and call.func.id.startswith("py_"):
            rules[values.get("name", "")] = (call.func.id, set(values.get("deps", [])))
    return rules


def _explain(
    folder: str,
    present: Dict[str, Tuple[str, Set[str]]],
    wanted: Dict[str, Tuple[str, Set[str]]],
) -> Iterator[str]:
    for target, (kind, deps) in wanted.items():
        if target not in present:
            yield f"{folder}/{target}.py has no {kind} in {folder}/BUILD"
            continue
        present_kind, present_deps = present[target]
        if present_kind != kind:
            yield f"//{folder}:{target} is a {present_kind} but should be a {kind}"
        for label in sorted(deps - present_deps):
            yield f"//{folder}:{target} lacks the dep {label}, which it imports"
        for label in sorted(present_deps - deps):
            yield f"//{folder}:{target} has the dep {label}, which it does not import"
    for target in sorted(set(present) - set(wanted)):
        yield f"//{folder}:{target} in {folder}/BUILD has no {folder}/{target}.py"


def checkout() -> pathlib.Path:
    """Returns the root of the checkout this file is in, also from inside a sandbox."""
    return pathlib.Path(__file__).resolve().parents[2]


def check(project: Project, folders: Iterable[str]) -> List[str]:
    """Returns everything that is wrong, one problem per item."""
    problems = list(project.problems)
    for folder in folders:
        problems += project.difference(folder)[1]
    return problems


def main(arguments: Sequence[str]) -> int:
    """Runs the tool; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--fix", action="store_true", help="write the BUILD files")
    action.add_argument("--print", action="store_true", help="show what --fix would write")
    parser.add_argument("folders", nargs="*", help="only these; default: every folder")
    options = parser.parse_args(arguments)

    project = Project(checkout())
    folders = [folder.rstrip("/") for folder in options.folders] or project.folders()
    unknown = sorted(set(folders) - set(project.folders()))
    if unknown:
        parser.error(f"no Python modules in {', '.join(unknown)}")
    if not (options.fix or options.print):
        problems = check(project, folders)
        for problem in problems:
            print(problem)
        if problems:
            print("To mend BUILD files: python tools/bazel/check_build_files.py --fix")
        return 1 if problems else 0

    for folder in folders:
        wanted, problems = project.difference(folder)
        if options.print:
            print(f"# {folder}/BUILD\n{wanted}")
        elif problems:
            (project.root / folder / "BUILD").write_text(wanted, encoding="utf-8")
            print(f"wrote {folder}/BUILD")
    for problem in project.problems:
        print(problem, file=sys.stderr)
    return 1 if project.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

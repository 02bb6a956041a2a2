"""The rules of a folder of Python: one library, its programs, the tests of its `*_test.py`."""

load("@rules_python//python:defs.bzl", "py_binary", "py_library", "py_test")

# Modules of tests' helpers are part of the library of their folder.
_DATA = ["*.css", "*.html", "*.js", "*.jinja", "*.csv"]

_TRAINED_RUN = "//training:tiny_run.tar"

def _module(name):
    """The file of a program: a folder that is a program has it in `__main__.py`."""
    return "__main__.py" if name == "main" else name + ".py"

def _program(test):
    """The program that a test would be of."""
    program = test[:-len("_test")]
    return program[:-len("_browser")] if program.endswith("_browser") else program

def room(
        name,
        deps = [],
        programs = {},
        apart = [],
        test_deps = [],
        alone = [],
        slow = {},
        sizes = {},
        test_data = {},
        trained_run = False):
    """Declares what a folder holds.

    `//folder` (`name`, as the folder) is the library of all modules but programs and
    tests. Its tests run as one target, `small_tests`, which loads once what they share
    (TensorFlow alone takes 5 seconds); a failure names the module. Those named below are
    targets of their own. A test of a program (`PROGRAM_test.py`) depends on it.

    Args:
      name: of the folder.
      deps: of the library; what comes from PyPI is noted beside them as `# pip: name`.
      programs: name -> what it needs beside the library; "main" is `__main__.py`.
      apart: programs that are not part of `//...`, since they fetch packages of their own.
      test_deps: what the tests need beside the library.
      alone: tests that take long, or that want a process of their own.
      slow: test -> extra tags ([] mostly); not part of `//...`, but of `:slow`.
      sizes: test -> size where it is not "medium".
      test_data: test -> files and programs that it opens.
      trained_run: whether tests use the tiny trained run that is made once for all.
    """
    sources = native.glob(["*.py"])
    tests = [source[:-3] for source in sources if source.endswith("_test.py")]
    mains = [_module(program) for program in programs]
    py_library(
        name = name,
        srcs = [s for s in sources if not s.endswith("_test.py") and s not in mains],
        data = native.glob(_DATA, allow_empty = True),
        srcs_version = "PY3",
        deps = deps,
    )
    for program, needs in programs.items():
        py_binary(
            name = program,
            srcs = [_module(program)],
            main = _module(program),
            srcs_version = "PY3",
            tags = ["manual"] if program in apart else [],
            deps = [":" + name] + needs,
        )
    for test in alone + slow.keys() + sizes.keys() + test_data.keys():
        if test not in tests:
            fail("//%s has no %s.py" % (native.package_name(), test))
    common = [":" + name] + test_deps
    run = [_TRAINED_RUN] if trained_run else []
    env = {"DERMGAN_TEST_FIXTURE": "$(rootpath %s)" % _TRAINED_RUN} if trained_run else {}
    single = {test: _program(test) for test in tests}
    single = {
        test: program
        for test, program in single.items()
        if test in alone or test in slow or test in sizes or test in test_data
    }
    together = [test for test in tests if test not in single]
    run_by_them = [":" + _program(test) for test in together if _program(test) in programs]
    if len(together) == 1:
        test = together.pop()
        single[test] = _program(test)
    if together:
        py_test(
            name = "small_tests",
            size = "medium",
            srcs = [test + ".py" for test in together] + ["//tools/bazel:run_together.py"],
            args = [native.package_name().replace("/", ".") + "." + test for test in together],
            main = "//tools/bazel:run_together.py",
            srcs_version = "PY3",
            data = run,
            env = env,
            deps = common + run_by_them,
        )
    for test, program in single.items():
        py_test(
            name = test,
            size = sizes.get(test, "medium"),
            srcs = [test + ".py"],
            data = test_data.get(test, []) + run,
            env = env,
            srcs_version = "PY3",
            tags = ["manual", "slow"] + slow[test] if test in slow else [],
            deps = common + ([":" + program] if program in programs else []),
        )
    if slow:
        native.test_suite(
            name = "slow",
            tags = ["manual"],  # not part of //..., as its tests
            tests = [":" + test for test in slow],
        )

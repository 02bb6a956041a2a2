"""Stand-ins for the repositories that Bazel itself would otherwise download.

The project has Python targets only, so what it needs of these repositories is
inside Bazel already. With the stand-ins, building takes no download but pip's.
"""

# The native rules that tools inside Bazel 4 load through @rules_cc and @rules_java.
_CC_RULES = [
    "cc_binary",
    "cc_import",
    "cc_library",
    "cc_proto_library",
    "cc_test",
    "cc_toolchain",
    "cc_toolchain_suite",
    "objc_library",
]
_JAVA_RULES = [
    "java_binary",
    "java_import",
    "java_library",
    "java_runtime",
    "java_test",
    "java_toolchain",
]
_PYTHON_RULES = [
    "py_binary",
    "py_library",
    "py_runtime",
    "py_test",
]

_COVERAGE_BUILD = """
package(default_visibility = ["//visibility:public"])

filegroup(name = "coverage_report_generator")

filegroup(name = "lcov_merger")
"""

def _reexport(rules):
    return "".join(["{rule} = native.{rule}\n".format(rule = rule) for rule in rules])

def _stub_repository_impl(repository_ctx):
    repository_ctx.file("WORKSPACE", "")
    for path, content in repository_ctx.attr.files.items():
        repository_ctx.file(path, content)

_stub_repository = repository_rule(
    implementation = _stub_repository_impl,
    attrs = {"files": attr.string_dict(doc = "Path in the repository -> content.")},
    local = True,
)

def _bazel_knows_its_repositories():
    """Whether this is a release that brings (or downloads) its own repositories.

    Debian's bazel-bootstrap 4.2.3 does not, and calls its version "no_version".
    """
    major = native.bazel_version.split(".")[0]
    return major.isdigit() and int(major) >= 5

def stub_repositories():
    """Declares @rules_python and, where Bazel lacks them, what its own tools load."""
    _stub_repository(
        name = "rules_python",
        files = {
            "python/BUILD": "exports_files([\"defs.bzl\"], visibility = [\"//visibility:public\"])\n",
            "python/defs.bzl": (
                "load(\"@bazel_tools//tools/python:toolchain.bzl\", " +
                "_py_runtime_pair = \"py_runtime_pair\")\n\n" +
                "py_runtime_pair = _py_runtime_pair\n" +
                _reexport(_PYTHON_RULES)
            ),
        },
    )
    if _bazel_knows_its_repositories():
        return
    _stub_repository(
        name = "rules_cc",
        files = {"cc/BUILD": "", "cc/defs.bzl": _reexport(_CC_RULES)},
    )
    _stub_repository(
        name = "rules_java",
        files = {"java/BUILD": "", "java/defs.bzl": _reexport(_JAVA_RULES)},
    )
    _stub_repository(
        name = "remote_coverage_tools",
        files = {"BUILD": _COVERAGE_BUILD},
    )

"""Runs the tests of several modules in one process, which loads their packages once.

run_together.py evaluation.frechet.distances_test evaluation.frechet.protocol_test
"""

import sys
import unittest

from absl.testing import absltest


def main() -> None:
    """Runs the modules that the command line names before any option."""
    names = [word for word in sys.argv[1:] if not word.startswith("-")]
    sys.argv[1:] = [word for word in sys.argv[1:] if word.startswith("-")]

    def load_tests(loader: unittest.TestLoader, *_: object) -> unittest.TestSuite:
        return unittest.TestSuite(loader.loadTestsFromName(name) for name in names)

    sys.modules["__main__"].load_tests = load_tests  # type: ignore[attr-defined]
    absltest.main()


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Runs tests against the real programs.

    run.py [--build DIR] [--level quick|all|soak] [--only TEXT] FOLDER...

Each FOLDER holds test_*.py.  The last line is `N passed, N failed, N skipped`; no test at all is a failure.
"""
import argparse
import os
import pathlib
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent


class Lines(unittest.TestResult):
    """A line for each test as it ends."""

    def __init__(self):
        super().__init__()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def say(self, what, test, more=""):
        self.counts[what] += 1
        seconds = time.monotonic() - self.began if self.began else 0
        print(f"{what:8} {seconds:6.1f} s  {test.id()}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("passed", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.say("failed", test, "\n" + self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("failed", test, "\n" + self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.say("failed", subtest, "\n" + self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("skipped", test, f": {reason}")


def selected(suite, text):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from selected(item, text)
        elif text in item.id():
            yield item


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build/asan")
    parser.add_argument("--level", default="all", choices=("quick", "all", "soak"))
    parser.add_argument("--only", default="", help="tests whose name has this in it")
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    os.environ["SATCHEL_BUILD"] = os.path.abspath(options.build)
    os.environ["SATCHEL_TEST_LEVEL"] = options.level
    sys.path.insert(0, str(HERE))

    tests = unittest.TestSuite()
    for folder in options.folders:
        found = unittest.TestLoader().discover(folder, pattern="test_*.py", top_level_dir=folder)
        tests.addTests(selected(found, options.only))
    result = Lines()
    tests.run(result)
    print(", ".join(f"{number} {word}" for word, number in result.counts.items()))
    return 0 if result.counts["passed"] > 0 and result.counts["failed"] == 0 else 1


sys.exit(main())

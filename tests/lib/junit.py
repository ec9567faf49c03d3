# SPDX-License-Identifier: Apache-2.0
"""Reads the JUnit file that ctest writes.

    junit.py counts FILE      prints `PASSED FAILED SKIPPED`; exit 1 without a test
    junit.py failures FILE    prints the end of the output of each failed test

A program of many cmocka tests counts as so many.
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

TAIL = int(os.environ.get("SATCHEL_TEST_TAIL", "40"))


def outcome(case):
    if case.find("skipped") is not None:
        return "skipped"
    # ctest marks tests that could not start ("notrun") and failed ones alike here.
    return "passed" if case.get("status") == "run" and case.find("failure") is None else "failed"


def counts(case):
    """Passed, failed, skipped."""
    end = outcome(case)
    text = case.findtext("system-out") or ""
    inside = [sum(map(int, re.findall(rf"^\[ *{word} *\] (\d+) test\(s\)", text, re.MULTILINE)))
              for word in ("PASSED", "FAILED", "SKIPPED")]
    if sum(inside) == 0 or (end == "failed") != (inside[1] > 0):
        return [int(end == name) for name in ("passed", "failed", "skipped")]
    return inside


def main():
    what, path = sys.argv[1:]
    cases = list(ET.parse(path).getroot().iter("testcase"))
    if what == "counts":
        print(*map(sum, zip(*map(counts, cases))))
        return 0 if cases else 1
    for case in cases:
        if outcome(case) != "failed":
            continue
        text = (case.findtext("system-out") or "").splitlines()
        print(f"--- {case.get('name')} failed")
        for line in text[-TAIL:]:
            print(f"    {line}")
    return 0


sys.exit(main())

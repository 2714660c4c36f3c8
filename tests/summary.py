#!/usr/bin/env python3
"""Counts what a ctest run did, from its JUnit file, and ends with the line "N passed, M failed".

A doctest program counts as many times as it has test cases; a script or a program of the tour (ctest names `script.*`,
`tour.*`) counts once. A program that fails without a failed case (crash, timeout, leak, not built) or that has run no
case counts as one failure. A script that ends with its SKIP_RETURN_CODE is named as skipped, with the last line it
printed; it has not passed.
"""
import argparse
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SUMMARY = re.compile(r"test cases:\s*(\d+) \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def count(name, ok, output):
    """(passed, failed, skipped) of one ctest case."""
    if name.startswith(("script.", "tour.")):
        return (1, 0, 0) if ok else (0, 1, 0)
    found = SUMMARY.search(COLOUR.sub("", output))
    passed, failed, skipped = (int(found[i]) for i in (2, 3, 4)) if found else (0, 0, 0)
    nothing_ran = passed + failed == 0
    if failed == 0 and (not ok or nothing_ran):
        failed = 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("junit", type=Path)
    parser.add_argument("--build-failed", type=int, default=0, help="1 when a target did not build")
    arguments = parser.parse_args()

    passed = failed = skipped = 0
    if arguments.junit.exists():
        for case in ElementTree.parse(arguments.junit).getroot().iter("testcase"):
            name, ok, output = case.get("name"), case.get("status") == "run", case.findtext("system-out") or ""
            why = case.find("skipped")
            # A program that was not built is "skipped" in this file, too.
            if why is not None and why.get("message", "").startswith("SKIP_RETURN_CODE"):
                print(f"skipped: {name}: {(output.strip() or 'no reason given').splitlines()[-1]}")
                skipped += 1
                continue
            counts = count(name, ok, output)
            passed, failed, skipped = passed + counts[0], failed + counts[1], skipped + counts[2]
            if counts[1]:
                print(f"failed: {name} ({counts[1]})")
    if arguments.build_failed:
        print("failed: the build")
        failed += 1
    if skipped:
        print(f"skipped: {skipped}")
    if passed + failed == 0:
        print("no test ran")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())

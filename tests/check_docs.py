#!/usr/bin/env python3
"""Checks that every relative link of the Markdown documents leads to a file, and that the tests docs/robustness.md names
exist. `--list` prints the documents first."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)
TEST = re.compile(r"`([a-z]+/[a-z_]+)`((?:,? \"[^\"]+\")*)")  # `area/topic` "how a case begins", "another"


def documents():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("kernels/*.md")])


def dead_links(document):
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        target = link.split("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            if not (document.parent / target).exists():
                yield link


def missing_tests():
    """Tests of the table that are no file, and cases that no test begins with."""
    for line in (ROOT / "docs/robustness.md").read_text().splitlines():
        for name, cases in TEST.findall(line.split("|")[2] if line.count("|") >= 3 else ""):
            source = ROOT / "tests" / f"{name}.cpp"
            if not source.exists():
                yield name
                continue
            for case in re.findall(r'"([^"]+)"', cases):
                if not re.search(r'TEST_CASE(_TEMPLATE)?\("' + re.escape(case), source.read_text()):
                    yield f'{name} "{case}"'


if __name__ == "__main__":
    dead = 0
    for document in documents():
        if "--list" in sys.argv:
            print(document.relative_to(ROOT))
        for link in dead_links(document):
            print(f"{document.relative_to(ROOT)}: dead link: {link}")
            dead += 1
    missing = list(missing_tests())
    for test in missing:
        print(f"docs/robustness.md: no such test: {test}")
    print(f"docs: {dead} dead links, {len(missing)} missing tests")
    sys.exit(1 if dead or missing else 0)

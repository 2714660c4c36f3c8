#!/usr/bin/env python3
"""Checks that every relative link of the Markdown documents leads to a file. `--list` prints the documents first."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"```.*?```", re.DOTALL)


def documents():
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("kernels/*.md")])


def dead_links(document):
    for link in LINK.findall(FENCE.sub("", document.read_text())):
        target = link.split("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            if not (document.parent / target).exists():
                yield link


if __name__ == "__main__":
    dead = 0
    for document in documents():
        if "--list" in sys.argv:
            print(document.relative_to(ROOT))
        for link in dead_links(document):
            print(f"{document.relative_to(ROOT)}: dead link: {link}")
            dead += 1
    print(f"docs: {dead} dead links")
    sys.exit(1 if dead else 0)

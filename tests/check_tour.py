#!/usr/bin/env python3
"""check_tour.py DOCUMENT PROGRAM SOURCE...: every block of C++ in the document stands in one of the sources, which the build
compiles, and every block of text in what the program prints. Indentation, and spaces before a comment, do not count."""
import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"```(cpp|text)\n(.*?)```", re.DOTALL)


def plain(code):
    lines = [re.sub(r" +//", " //", line.strip()) for line in code.splitlines()]
    return "\n" + "\n".join(line for line in lines if line) + "\n"


def missing(document, sources, printed):
    """(language, block) of each that is nowhere."""
    for language, block in BLOCK.findall(document):
        places = [plain(source) for source in sources] if language == "cpp" else ["\n" + printed]
        wanted = plain(block) if language == "cpp" else "\n" + block
        if not any(wanted in place for place in places):
            yield language, block


def self_test():
    document = "```cpp\nint x;  // one\n```\n```cpp\nint y;\n```\n```text\n 1\n```\n```text\n2\n```\n"
    found = list(missing(document, ["  int x; // one\nint yy;\n"], "0\n 1\n"))
    if found != [("cpp", "int y;\n"), ("text", "2\n")]:
        sys.exit(f"self-test failed: found {found}")


if __name__ == "__main__":
    self_test()
    document, program, *sources = sys.argv[1:]
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    blocks = list(missing(Path(document).read_text(), [Path(source).read_text() for source in sources], printed))
    for language, block in blocks:
        print(f"{document}: this {language} is nowhere in {'the sources' if language == 'cpp' else 'the output'}:\n{block}")
    print(f"tour: {len(blocks)} blocks of {Path(document).name} are not as the code has them")
    sys.exit(1 if blocks else 0)

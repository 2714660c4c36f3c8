#!/usr/bin/env python3
"""Checks the layering of the sources: who may include whom, and which library stays where. Prints offending lines."""
import re
import sys
import tempfile
from pathlib import Path

# What each part of include/mor1e may include, besides itself. A part is a path prefix; the longest one counts.
CORE = {"core/"}
CONCEPT = CORE | {"backend/"}  # the concept and its vocabulary; a concrete back end has a longer row of its own
HOST = CONCEPT | {"backend/host"}  # what the two back ends in host memory share
AUTODIFF = CONCEPT | {"autodiff/"}
OPS = AUTODIFF | {"ops/", "testing/cases"}
NN = OPS | {"nn/"}
PEFT = NN | {"peft/", "io/"}
# A model comes with its tokenizer (sentence embedders, the toy model) and reads packed batches; text and data see no model.
TASKS = {"data/", "data/example"}
MODELS = PEFT | TASKS | {"models/", "text/", "text/prompt"}
TOP = MODELS | {"optim/", "cluster/", "distributed/"}
SEES = {
    "core/": CORE,
    "backend/": CORE,
    "backend/host": CONCEPT,
    "backend/reference": HOST,
    "backend/cpu": HOST,
    "backend/with_device": HOST | {"backend/cpu", "backend/cuda"},  # the one place where a program picks
    # Beside it is the host's own back end. What nvcc compiles finds the kernels through the headers.
    "backend/cuda": CONCEPT | {"backend/cpu", "kernels/"},
    "autodiff/": CONCEPT,
    "ops/": AUTODIFF | {"testing/cases"},
    "nn/": OPS,
    "peft/": NN | {"io/"},
    "models/": MODELS,
    "train/": TOP,
    "train/run": TOP | {"train/", "eval/"},  # trains, then scores
    "eval/": TOP,
    "optim/": AUTODIFF,
    "distributed/": AUTODIFF,
    "io/": AUTODIFF,
    "cluster/": AUTODIFF | {"io/"},
    "text/": CORE | {"io/"},
    "data/": CORE | {"io/", "data/example"},
    # A prompt is the wording of an example: it sees that struct, and nothing else of data.
    "data/example": CORE,
    "text/prompt": CORE | {"text/", "data/example"},
    "interop/": CORE,
    "testing/cases": AUTODIFF,
    # The reference backend is the oracle of the parity tests.
    "testing/": OPS | {"backend/reference", "io/", "distributed/"},
}

# Standard headers too slow to parse where everybody includes, and those our oldest compilers lack.
SLOW = {"functional", "ranges", "iostream"}
SLOW_BANNED_IN = ("core/", "backend/", "autodiff/", "ops/", "nn/")
ABSENT = {"format", "mdspan"}
EIGEN_ALLOWED_IN = ("backend/cpu", "interop/")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
COMMENT = re.compile(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', re.DOTALL)


def code_lines(path):
    """(number, text) of each line, comments blanked, strings and line numbers kept."""

    def blank(match):
        return match[1] or "\n" * match[0].count("\n")

    return list(enumerate(COMMENT.sub(blank, path.read_text()).split("\n"), 1))


def part_of(path):
    if path.startswith("kernels/"):  # a link to the folder beside include/
        return "kernels/"
    return max((part for part in SEES if path.startswith(part)), key=len, default=None)


def check_header(name, lines):
    """Problems of one file of include/mor1e, `name` being its path in there."""
    umbrella = "/" not in name  # mor1e/<file>.hpp: includes all, included by nobody
    part = part_of(name)
    if part is None and not umbrella:
        yield 1, "has no row in the table of tests/check_layers.py"
        return
    for number, text in lines:
        if "<<<" in text:
            yield number, "kernel launches belong into kernels/"
        if re.search(r"\bEigen\b", text) and not name.startswith(EIGEN_ALLOWED_IN):
            yield number, "Eigen stays in backend/cpu and interop"
        included = INCLUDE.match(text)
        if not included:
            continue
        header = included[1]
        if header in ABSENT:
            yield number, f"<{header}> is missing in GCC 12 or Clang 14"
        if header in SLOW and name.startswith(SLOW_BANNED_IN):
            yield number, f"<{header}> is too slow to parse for this layer"
        if header.startswith("mor1e/") and not umbrella:
            target = part_of(header.removeprefix("mor1e/"))
            if target != part and target not in SEES[part]:
                yield number, f"{part} does not see {target or header}"


def check_source(lines):
    """src/ holds includes and explicit instantiations only: `template class x<float>;` or a list of instances.hpp."""
    statement, start = "", 0
    for number, text in lines:
        if not text.strip() or not statement and re.fullmatch(r"\s*(namespace [\w:]+ \{|\})\s*", text):
            continue
        if not statement and re.fullmatch(r"\s*MOR1E_\w+\(MOR1E_\w+_INSTANCES, \)\s*", text):
            continue
        if text.lstrip().startswith("#"):
            if not INCLUDE.match(text):
                yield number, "src/ holds includes and `template ...;` lines only"
            continue
        if not statement:
            start = number
        statement += " " + text.strip()
        if statement.endswith(";"):
            if not re.fullmatch(r" template (?!<)[^;{}]*;", statement):
                yield start, "src/ holds includes and `template ...;` lines only"
            statement = ""
    if statement:
        yield start, "src/ holds includes and `template ...;` lines only"


def check_device_code(name, lines):
    for number, text in lines:
        if re.search(r"\bthrust\b", text) and name != "kernels/cluster.cu":
            yield number, "Thrust stays in kernels/cluster.cu"
        if name.startswith("kernels/") and re.search(r"\bEigen\b", text):
            yield number, "no Eigen in device code"


def check(root):
    """All problems under `root`, as printable lines."""
    problems = []
    paths = [path for folder in ("include", "src", "kernels") for path in root.glob(f"{folder}/**/*")]
    for path in sorted(paths):
        if path.suffix not in (".hpp", ".ipp", ".cpp", ".cu", ".cuh"):
            continue
        name = path.relative_to(root).as_posix()
        lines = code_lines(path)
        found = list(check_device_code(name, lines))
        if name.startswith("include/mor1e/"):
            found += check_header(name.removeprefix("include/mor1e/"), lines)
        if name.startswith("src/"):
            found += check_source(lines)
        original = path.read_text().split("\n")
        problems += [f"{name}:{number}: {rule}: {original[number - 1].strip()}" for number, rule in sorted(found)]
    return problems


def self_test():
    """Each planted violation is found at its line; the sound files beside them are not."""
    planted = {
        "include/mor1e/core/a.hpp": ("#include <vector>\n#include <iostream>\n", 2),
        "include/mor1e/core/b.hpp": ('// "mor1e/ops/add.hpp"\n#include "mor1e/core/a.hpp"\n', None),
        "include/mor1e/ops/a.hpp": ('#include "mor1e/backend/cpu.hpp"\n', 1),
        "include/mor1e/nn/a.hpp": ('/* two\nlines */\n#include "mor1e/peft/adapter.hpp"\n', 3),
        "include/mor1e/models/a.hpp": ('#include "mor1e/nn/a.hpp"\n#include <Eigen/Core>\n', 2),
        "include/mor1e/models/b.hpp": ("void f() { g<<<1, 2>>>(); }\n", 1),
        "include/mor1e/io/a.hpp": ("#include <thrust/sort.h>\n", 1),
        "include/mor1e/strange/a.hpp": ("\n", 1),
        "include/mor1e/backend/cpu/a.hpp": ("#include <Eigen/Core>  // not in <<<>>>\n", None),
        "include/mor1e/mor1e.hpp": ('#include "mor1e/train/loop.hpp"\n', None),
        "src/a.cpp": ('#include "a.ipp"\n\nint f() { return 1; }\n', 3),
        "src/b.cpp": ("namespace a {\ntemplate class a<float>;\ntemplate void\n  f<int>(int);\n}\n", None),
        "src/c.cpp": ("template <class T> void f(T);\n", 1),
        "kernels/cluster.cu": ("#include <thrust/sort.h>\n", None),
        "kernels/a.cuh": ("#include <Eigen/Core>\n", 1),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, (text, _) in planted.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        found = [problem.split(":")[:2] for problem in check(Path(folder))]
    expected = [[name, str(line)] for name, (_, line) in sorted(planted.items()) if line]
    if found != expected:
        sys.exit(f"self-test failed: found {found}, expected {expected}")


if __name__ == "__main__":
    self_test()
    problems = check(Path(__file__).resolve().parent.parent)
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} problems")
    sys.exit(1 if problems else 0)

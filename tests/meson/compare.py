#!/usr/bin/env python3
"""compare.py CMAKE_BUILD MESON_BUILD SOURCES BUILD_TYPE: both builds compile the same files with the same options into the
same tests. Optimisation is compared where BUILD_TYPE is Release. Prints what differs."""
import json
import re
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

# What only ctest's scripts use, and the tests of CUDA by cudasim.
CMAKE_ALONE = re.compile(r"tests/(headers|cuda)/|bench/compile_time/|(npy_copy|dlpack_arrays)\.dir/")
# How the two colour messages, and speak to nvcc.
IGNORED = re.compile(r"-fdiagnostics-color|-Winvalid-pch|-forward-unknown-to-host-compiler")
KEPT = re.compile(r"-(std=|march=|f|W|X|-generate-code|DMOR1E_|DEIGEN_)")
OPTIMISATION = re.compile(r"-(O|g|DNDEBUG)")


def options(arguments, optimised):
    kept, level = set(), None
    each = []
    for argument in arguments:  # of nvcc, whose host compiler may get several at once
        host = argument.removeprefix("-Xcompiler=")
        each += host.split(",") if host != argument else [argument]
    for argument in each:
        if OPTIMISATION.match(argument):
            if argument.startswith("-O"):
                level = argument  # the last one counts
            elif optimised:
                kept.add(argument)
        elif KEPT.match(argument) and not IGNORED.match(argument):
            kept.add(re.sub(r'=".*', "=PATH", argument))
    if optimised and level:
        kept.add(level)
    return " ".join(sorted(kept))


def compiled(build, sources, optimised):
    """Source -> options of each compilation of it. A generated file goes by its name."""
    found = defaultdict(list)
    for entry in json.loads((build / "compile_commands.json").read_text()):
        arguments = shlex.split(entry["command"])
        if CMAKE_ALONE.search(arguments[arguments.index("-o") + 1]):
            continue
        path = Path(entry["directory"], entry["file"]).resolve()
        generated = build in path.parents or sources not in path.parents
        name = path.name if generated else path.relative_to(sources).as_posix()
        found[name].append(options(arguments, optimised))
    return {name: sorted(each) for name, each in found.items()}


def output_of(*command):
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def main():
    cmake, meson, sources = (Path(argument).resolve() for argument in sys.argv[1:4])
    optimised = sys.argv[4] == "Release"
    problems = []
    a, b = (compiled(build, sources, optimised) for build in (cmake, meson))
    for name in sorted(a.keys() | b.keys()):
        if a.get(name) != b.get(name):
            problems.append(f"{name}:\n  CMake: {a.get(name, 'not compiled')}\n  Meson: {b.get(name, 'not compiled')}")
    ctest = {test["name"] for test in output_of("ctest", "--test-dir", str(cmake), "--show-only=json-v1")["tests"]}
    ctest = {name for name in ctest if not name.startswith(("script.", "cuda."))}
    tests = {test["name"] for test in output_of("meson", "introspect", "--tests", str(meson))}
    problems += [f"test {name} is in one build only" for name in sorted(ctest ^ tests)]
    if problems:
        print("\n".join(problems[:20]))
    print(f"{len(a)} sources, {len(ctest)} tests: {len(problems)} differ between CMake and Meson")
    return 1 if problems or not a or not ctest else 0


if __name__ == "__main__":
    sys.exit(main())

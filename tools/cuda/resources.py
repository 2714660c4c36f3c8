#!/usr/bin/env python3
"""Registers and shared memory of every kernel, as the assembler reported them, against the table that is checked in.

    resources.py BUILD kernels/resources.json [--update]

A kernel may use as many registers more, and as much more shared memory in per cent, as the two margins say: what one
release of the compiler and the next differ by. More, a kernel that spills, and one that the table lacks are problems.
"""
import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

REGISTERS, SHARED_PERCENT = 8, 10
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'")
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(.*)")
SHARED = re.compile(r"(\d+) bytes smem")


def demangled(names):
    """Short names of our kernels; those of Thrust and CUB are left out."""
    out = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    return {m: short(name) for m, name in zip(names, out.splitlines()) if name.removeprefix("void ").startswith("mor1e::")}


def short(name):
    """`void mor1e::backend::kernels::f<mor1e::ops::exp_op, float>(...)` as `f<exp_op, float>`"""
    depth = 0
    for at, letter in enumerate(name):
        depth += (letter == "<") - (letter == ">")
        if letter == "(" and depth == 0:
            name = name[:at]
            break
    name = re.sub(r"mor1e::(backend::kernels::|backend::|ops::)?", "", name)
    return name.removeprefix("void ").replace(" >", ">")


def measured(build):
    """{kernel: {architecture: [registers, bytes of shared memory, bytes of spills]}}"""
    found = {}
    for log in Path(build).glob("CMakeFiles/mor1e_cuda.dir/**/*.ptxas"):
        if not Path(str(log).removesuffix(".ptxas")).exists():
            continue  # of a source that is gone
        kernel = spilled = None
        for line in log.read_text().splitlines():
            if entry := ENTRY.search(line):
                kernel, spilled = entry.groups(), 0
            elif kernel and (spills := SPILLS.search(line)):
                spilled = int(spills[2]) + int(spills[3])
            elif kernel and (used := USED.search(line)):
                shared = SHARED.search(used[2])
                found.setdefault(kernel[0], {})[kernel[1]] = [int(used[1]), int(shared[1]) if shared else 0, spilled]
                kernel = None
    names = demangled(sorted(found))
    return {names[k]: dict(sorted(v.items())) for k, v in found.items() if k in names}


def problems(now, table):
    for kernel, by_architecture in sorted(now.items()):
        for architecture, (registers, shared, spilled) in by_architecture.items():
            place = f"{kernel} on sm_{architecture}"
            if spilled:
                yield f"{place}: {spilled} bytes of registers spilled"
            known = table.get(kernel, {}).get(architecture)
            if known is None:
                yield f"{place}: not in the table"
            elif registers > known[0] + REGISTERS:
                yield f"{place}: {registers} registers, {known[0]} in the table"
            elif shared > known[1] * (1 + SHARED_PERCENT / 100):
                yield f"{place}: {shared} bytes of shared memory, {known[1]} in the table"
    for kernel in sorted(table.keys() - now.keys()):
        yield f"{kernel}: in the table, and not compiled"


def threads(registers):
    """That a multiprocessor of 65,536 registers and 2,048 threads holds, registers being given out by eights."""
    return min(2048, 65536 // (-(-registers // 8) * 8 * 32) * 32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("table", type=Path)
    parser.add_argument("--update", action="store_true", help="write the table")
    options = parser.parse_args()
    now = measured(options.build)
    if not now:
        sys.exit(f"resources: no kernels in {options.build}: build the target mor1e_cuda first")
    if options.update:
        lines = [f"  {json.dumps(k)}: {json.dumps({a: r[:2] for a, r in v.items()})}" for k, v in sorted(now.items())]
        options.table.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    table = json.loads(options.table.read_text())
    found = list(problems(now, table))
    for line in found:
        print(line)
    worst = sorted(((max(r[0] for r in v.values()), k) for k, v in now.items()), reverse=True)[:10]
    print("most registers: registers, threads that a multiprocessor holds by them, kernel")
    for registers, kernel in worst:
        print(f"  {registers:3} {threads(registers):5}  {kernel}")
    print(f"resources: {len(now)} kernels, {len(found)} problems")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

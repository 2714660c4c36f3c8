#!/usr/bin/env python3
"""check_vectorised.py COMPILER FLAGS SOURCE...: no loop of the sources, or of an op that ops/all.hpp lists, under `#pragma omp simd` is left scalar by GCC for
a processor with AVX2 and no masks, in a unit that may not grow. One that has a branch in it would be, or a call of what is
inlined by luck, without a word, and several times as slow."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSOR = "haswell"
CALL_THE_C_LIBRARY = {"noise", "pow", "power"}  # once an element, so that their loops are scalar
ALL_OPS = Path(__file__).resolve().parents[1] / "include/mor1e/ops/all.hpp"

# A loop that cannot be: whether it is found shows that the compiler still tells as we read it.
SCALAR = """
float other(float);
void f(float* y, const float* x, long n) {
#pragma omp simd
  for (long j = 0; j < n; ++j)
    if (x[j] > 0) y[j] = other(x[j]);
}
"""


def every_op():
    """A source that instantiates the CPU's functions of every op; two names of one op count once."""
    names = [name for name in re.findall(r'"mor1e/ops/(\w+)\.hpp"', ALL_OPS.read_text()) if name not in CALL_THE_C_LIBRARY]
    lines = ["#include <mor1e/backend/cpu.hpp>", "#include <mor1e/ops/all.hpp>", "using namespace mor1e;"]
    lines += ["template <class... Ops> struct functions { static constexpr const void* all[] = {"]
    lines += ["    (const void*)&detail::functions_of<Ops, cpu, float>::table...}; };"]
    lines += [f"template struct functions<{', '.join(f'ops::{name}_op' for name in names)}>;"]
    return "\n".join(lines)


def scalar_loops(compiler, flags, source):
    """What is left scalar, as 'file:line: text', and how many loops are vectorised."""
    command = [compiler, f"@{flags}", "-DMOR1E_COMPILED", "-O3", f"-march={PROCESSOR}", "--param=inline-unit-growth=0"]
    command += ["-fopt-info-vec-all", "-w"]
    done = subprocess.run([*command, "-S", "-o", "/dev/null", source], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    scalar = set()
    for path, line in re.findall(r"^(.+?):(\d+):\d+: missed: couldn't vectorize loop", done.stderr, re.MULTILINE):
        text, line = Path(path).read_text().splitlines(), int(line)
        at = text[line - 1].strip()  # the loop, or its body on the next line
        header = line - 2 if at.startswith("for") else line - 3
        if any("#pragma omp simd" in before for before in text[max(0, header) : line - 1]):
            scalar.add(f"{path}:{line}: {at}")
    return scalar, done.stderr.count("optimized: loop vectorized")


def main():
    compiler, flags, *sources = sys.argv[1:]
    scalar, vectorised = set(), 0
    with tempfile.TemporaryDirectory() as folder:
        example, ops = Path(folder) / "scalar.cpp", Path(folder) / "ops.cpp"
        example.write_text(SCALAR)
        if not scalar_loops(compiler, flags, example)[0]:
            sys.exit(f"{compiler} does not tell of a loop that it cannot vectorise")
        ops.write_text(every_op())
        for source in [ops, *sources]:
            found, count = scalar_loops(compiler, flags, source)
            scalar |= found
            vectorised += count
    print(*sorted(scalar), f"{PROCESSOR}: {vectorised} loops vectorised, {len(scalar)} left scalar", sep="\n")
    sys.exit(bool(scalar))


if __name__ == "__main__":
    main()

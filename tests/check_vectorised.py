#!/usr/bin/env python3
"""check_vectorised.py COMPILER FLAGS SOURCE...: no loop of the sources under `#pragma omp simd` is left scalar by GCC for
a processor with AVX2 and no masks, in a unit that may not grow. One that has a branch in it would be, or a call of what is
inlined by luck, without a word, and several times as slow."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSOR = "haswell"


# A loop that cannot be: whether it is found shows that the compiler still tells as we read it.
SCALAR = """
void f(float* y, const float* x, long n) {
#pragma omp simd
  for (long j = 0; j < n; ++j)
    if (x[j] > 0) y[j] = __builtin_sqrtf(y[j] / x[j]);
}
"""


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
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as file:
        file.write(SCALAR)
        file.flush()
        if not scalar_loops(compiler, flags, file.name)[0]:
            sys.exit(f"{compiler} does not tell of a loop that it cannot vectorise")
    scalar, vectorised = set(), 0
    for source in sources:
        found, count = scalar_loops(compiler, flags, source)
        scalar |= found
        vectorised += count
    print(*sorted(scalar), f"{PROCESSOR}: {vectorised} loops vectorised, {len(scalar)} left scalar", sep="\n")
    sys.exit(bool(scalar))


if __name__ == "__main__":
    main()

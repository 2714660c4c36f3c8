#!/usr/bin/env python3
"""check_vectorised.py COMPILER FLAGS SOURCE...: no loop under `#pragma omp simd` is left scalar by GCC for a processor
with AVX2 and no masks. One that has a branch in it would be, without a word, and several times as slow."""
import re
import subprocess
import sys
from pathlib import Path

PROCESSOR = "haswell"


def main():
    compiler, flags, *sources = sys.argv[1:]
    scalar, vectorised = set(), 0
    for source in sources:
        command = [compiler, f"@{flags}", "-DMOR1E_COMPILED", "-O3", f"-march={PROCESSOR}", "-fopt-info-vec-all", "-w"]
        done = subprocess.run([*command, "-S", "-o", "/dev/null", source], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        vectorised += done.stderr.count("optimized: loop vectorized")
        for path, line in re.findall(r"^(\S+):(\d+):\d+: missed: couldn't vectorize loop", done.stderr, re.MULTILINE):
            text, line = Path(path).read_text().splitlines(), int(line)
            # The place is that of the loop, or of its body on the next line.
            if any("#pragma omp simd" in before for before in text[max(0, line - 3) : line - 1]):
                scalar.add(f"{path}:{line}: {text[line - 1].strip()}")
    print(*sorted(scalar), f"{PROCESSOR}: {vectorised} loops vectorised, {len(scalar)} left scalar", sep="\n")
    sys.exit(bool(scalar) or not vectorised)


if __name__ == "__main__":
    main()

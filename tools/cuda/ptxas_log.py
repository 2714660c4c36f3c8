#!/usr/bin/env python3
"""Compiler launcher: runs nvcc, and keeps what its assembler says of each kernel in <object>.ptxas for resources.py."""
import subprocess
import sys
from pathlib import Path

command = sys.argv[1:]
if "-o" not in command or "-c" not in command:
    sys.exit(subprocess.call(command))
run = subprocess.run(command + ["-Xptxas=-v"], stderr=subprocess.PIPE, text=True)
about_kernels, other, inside = [], [], False
for line in run.stderr.splitlines():
    # "ptxas info : ..." and the indented lines that follow one.
    inside = line.startswith("ptxas info") or inside and line.startswith("    ")
    (about_kernels if inside else other).append(line)
if other:
    print("\n".join(other), file=sys.stderr)
if run.returncode == 0:
    Path(command[command.index("-o") + 1] + ".ptxas").write_text("\n".join(about_kernels) + "\n")
sys.exit(run.returncode)

#!/usr/bin/env python3
"""What a user waits for: seconds per public header, and seconds to rebuild a small research program after a change.

A header is compiled alone with -O2, against the headers alone and with MOR1E_COMPILED; medians are also given as a
ratio to <Eigen/Core>, which moves less from machine to machine. Each program of the tour (examples/tour) is touched and
rebuilt against both targets; the budget is 10 s with the compiled library and 30 s with the headers alone. The build
folder is one configured with MOR1E_BUILD_BENCH=ON; `./dev bench compile_time` does all this.
"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODES = {"headers": [], "compiled": ["-DMOR1E_COMPILED"]}
BASELINE = "Eigen/Core"
BUDGET = {"mor1e": 30, "compiled": 10}  # seconds to rebuild a program, on two cores with nothing else to do
# These need a library that is not there on every machine.
LEFT_OUT = ("mor1e/backend/cuda", "mor1e/interop/xtensor")


def seconds(command, **options):
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, **options)
    elapsed = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return elapsed


def compile_header(compiler, flags, header, mode):
    command = [compiler, f"@{flags}", *MODES[mode], "-O2", "-c", "-x", "c++", "-", "-o", os.devnull]
    return seconds(command, input=f"#include <{header}>\n")


def measure_headers(arguments):
    headers = sorted(path.relative_to(ROOT / "include").as_posix() for path in ROOT.glob("include/**/*.hpp"))
    headers = [h for h in headers if arguments.filter in h and not h.startswith(LEFT_OUT)]
    keys = [(BASELINE, "headers")] + [(header, mode) for header in headers for mode in MODES]
    samples = {key: [] for key in keys}
    # Round by round, so that a slow minute of the machine touches every header alike.
    for _ in range(arguments.repeat):
        for header, mode in keys:
            samples[header, mode].append(compile_header(arguments.compiler, arguments.flags, header, mode))
    medians = {key: statistics.median(values) for key, values in samples.items()}
    baseline = medians.pop((BASELINE, "headers"))
    table = [
        {"header": header, "mode": mode, "seconds": value, "ratio": value / baseline, "samples": samples[header, mode]}
        for (header, mode), value in medians.items()
    ]
    return baseline, table


def measure_rebuilds(arguments):
    table = []
    for source in sorted(ROOT.glob("examples/tour/*.cpp")):
        for variant in BUDGET:
            build = ["cmake", "--build", arguments.build, "--target", f"rebuild_{source.stem}_{variant}"]
            seconds(build)
            samples = []
            for _ in range(arguments.repeat):
                source.touch()
                samples.append(seconds(build))
            median = statistics.median(samples)
            table.append({"program": source.stem, "target": f"mor1e::{variant}", "seconds": median, "budget": BUDGET[variant], "samples": samples})
    return table


def git_commit():
    return subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="build folder")
    parser.add_argument("--compiler", default="c++")
    parser.add_argument("--filter", default="", help="only headers whose path contains this")
    parser.add_argument("--repeat", type=int, default=3, help="the median of this many runs counts")
    parser.add_argument("--out", type=Path, help="JSON file")
    arguments = parser.parse_args()
    arguments.flags = arguments.build / "compile_time.flags"
    os.environ["CCACHE_DISABLE"] = "1"

    baseline, headers = measure_headers(arguments)
    print(f"{BASELINE}: {baseline:.2f} s")
    for row in sorted(headers, key=lambda row: -row["seconds"]):
        print(f"{row['seconds']:7.2f} s {row['ratio']:6.2f} x  {row['mode']:8}  {row['header']}")
    rebuilds = measure_rebuilds(arguments)
    for row in rebuilds:
        late = "" if row["seconds"] <= row["budget"] else f", over the budget of {row['budget']} s"
        print(f"{row['seconds']:7.2f} s  touch and rebuild {row['program']} with {row['target']}{late}")

    if arguments.out:
        version = subprocess.run([arguments.compiler, "--version"], capture_output=True, text=True).stdout.split("\n")[0]
        result = {
            "commit": git_commit(), "compiler": version, "machine": platform.machine(), "cores": os.cpu_count(),
            "baseline": {"header": BASELINE, "seconds": baseline}, "headers": headers, "rebuilds": rebuilds,
        }
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        partial = arguments.out.with_suffix(".partial")
        partial.write_text(json.dumps(result, indent=1) + "\n")
        partial.replace(arguments.out)


if __name__ == "__main__":
    main()

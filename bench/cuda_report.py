#!/usr/bin/env python3
"""All that one card has to show, in one JSON file: tests, checks of memory, training runs, and times against bounds.

    cuda_report.py BUILD OUT.json [--model smollm2] [--quick] [--only PART ...]

BUILD was configured with MOR1E_CUDA=ON and MOR1E_BUILD_BENCH=ON; `./dev cuda --device` makes it and calls this. Nothing is
fetched. After each part the file is
written anew, so what a stop leaves is what was measured. `--quick` takes the toy model and few steps.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ["tests", "sanitizer", "train", "step", "ops", "experts", "peers"]


class report:
    def __init__(self, out):
        self.out = out
        self.parts = {}
        self.failed = []

    def write(self):
        unfinished = self.out.with_suffix(".part")
        unfinished.write_text(json.dumps(self.parts, indent=1) + "\n")
        unfinished.replace(self.out)

    def run(self, name, command, results=None, **environment):
        """Runs a command; its exit status, time, last lines and the JSON that it wrote to `results` are the part."""
        print(f"== {name}: {' '.join(map(str, command))}", flush=True)
        begin = time.monotonic()
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env={**os.environ, **environment})
        part = {
            "command": " ".join(map(str, command)),
            "status": done.returncode,
            "seconds": round(time.monotonic() - begin, 2),
            "last": (done.stdout + done.stderr)[-2000:].splitlines(),
        }
        if results and Path(results).exists():
            part["results"] = json.loads(Path(results).read_text())
        self.parts[name] = part
        if done.returncode:
            self.failed.append(name)
            print("\n".join(part["last"][-5:]), flush=True)
        print(f"   status {done.returncode}, {part['seconds']} s", flush=True)
        self.write()

    def leave_out(self, name, why):
        print(f"== {name}: left out, {why}", flush=True)
        self.parts[name] = {"left_out": why}
        self.write()


def card():
    fields = "name,driver_version,memory.total,clocks.sm,clocks.mem,clocks.max.sm,power.limit,persistence_mode"
    try:
        out = subprocess.run(["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"], capture_output=True, text=True)
        return dict(zip(fields.split(","), out.stdout.strip().splitlines()[0].split(", ")))
    except (OSError, IndexError):
        return {"name": "none that nvidia-smi knows"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", default=[], choices=PARTS, help="these parts alone")
    arguments = parser.parse_args()
    build, work = arguments.build, arguments.out.resolve().parent / "cuda_report"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    model = "toy" if arguments.quick else arguments.model
    wanted = lambda part: not arguments.only or part in arguments.only
    r = report(arguments.out)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    r.parts["card"] = {**card(), "commit": commit, "date": time.strftime("%Y-%m-%d %H:%M:%S")}
    r.write()

    tests = sorted((build / "tests").glob("test_cuda*device"))
    if not tests and (wanted("tests") or wanted("sanitizer")):
        sys.exit(f"cuda_report: no tests/test_cuda*device in {build}: build the target cuda_device_tests")
    if wanted("tests"):
        for test in tests:
            r.run(test.name, [test])
    if wanted("sanitizer"):
        sanitizer = shutil.which("compute-sanitizer")
        for tool in ["memcheck", "racecheck"]:
            if not sanitizer:
                r.leave_out(tool, "compute-sanitizer is not installed")
                continue
            for test in tests:
                r.run(f"{tool} {test.name}", [sanitizer, "--tool", tool, "--error-exitcode", 86, test])

    methods = [("lora", [])] + [("mor1e", ["--experts", n]) for n in ([8] if arguments.quick else [8, 32, 128])]
    products = ["fp32"] if arguments.quick else ["fp32", "tf32", "bf16"]
    if wanted("train"):
        for method, options in methods:
            for how in products:
                for graph in [[], ["--cuda-graph"]]:
                    name = " ".join(["finetune", method, *map(str, options[1:]), how, *graph])
                    folder = work / name.replace(" ", "_")
                    r.run(name, [build / "bin/finetune", "--backend", "cuda", "--products", how, *graph, "--model", model, "--data",
                                 "suite", "--method", method, *options, "--out", folder, "--steps", 2 if arguments.quick else 40,
                                 "--eval-limit", 2 if arguments.quick else 100, "--quiet"], folder / "result.json")  # fmt: skip
                    log = folder / "log.jsonl"
                    if log.exists():
                        r.parts[name]["losses"] = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
                        r.write()
    bench = build / "bench/bin"
    if wanted("step"):
        shape = ["--sequences", 2, "--length", 16, "--steps", 1] if arguments.quick else ["--sequences", 16, "--length", 512, "--steps", 20]
        for how in products:
            for graph in [[], ["--cuda-graph"]]:
                for method, options in methods:
                    name = " ".join(["step", method, *map(str, options[1:]), how, *graph])
                    results = work / (name.replace(" ", "_") + ".json")
                    r.run(name, [bench / "step", "--backend", "cuda", "--products", how, *graph, "--model", model, "--method", method,
                                 *options, "--recompute", "no", *shape, "--json", results], results)  # fmt: skip
    for program in ["ops", "experts"]:
        if wanted(program):
            for how in products:
                results = work / f"{program}_{how}.json"
                few = ["--benchmark_filter=softmax|experts/mor1e/8/forward$", "--benchmark_min_time=0"] if arguments.quick else []
                few += ["--runs=1"] if arguments.quick and program == "experts" else []
                r.run(f"{program} {how}", [bench / program, "--backend=cuda", f"--products={how}", *few, f"--benchmark_out={results}",
                                           "--benchmark_out_format=json"], results)  # fmt: skip
    if wanted("peers"):
        venv, data, gguf = build.parent / "peers-venv", os.environ.get("MOR1E_DATA"), os.environ.get("MOR1E_SMOLLM2")
        if not venv.exists():
            r.leave_out("peers", f"PEFT and PyTorch are not installed in {venv} (bench/peers/run.sh does it)")
        elif not data or not gguf:
            r.leave_out("peers", "MOR1E_DATA names no folder of tasks" if not data else "MOR1E_SMOLLM2 names no model")
        else:
            results = work / "peers.json"
            r.run("peers", [sys.executable, ROOT / "bench/peers/run.py", "--build", build, "--venv", venv, "--model", gguf, "--data",
                            data, "--backend", "cuda", "--rounds", 1 if arguments.quick else 5, "--batches", "small" if arguments.quick else "all",
                            "--out", results], results)  # fmt: skip
    print(f"{len(r.parts) - 1} parts, {len(r.failed)} failed: {arguments.out}")
    for name in r.failed:
        print(f"failed: {name}")
    sys.exit(1 if r.failed else 0)


if __name__ == "__main__":
    main()

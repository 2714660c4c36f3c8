#!/usr/bin/env python3
"""Training and scoring with --backend cuda, executed by cudasim: programs.py FOLDER_OF_PROGRAMS WORK_FOLDER [METHOD...]

For every method: a loss curve equal to the processor's, and where it reads the intuition, the same centroids; and across
devices: what was trained on one is resumed and scored on the other.
"""
import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

METHODS = ["lora", "dora", "mor1e", "mix", "molora", "sira", "loramoe", "hydralora", "adamole"]
STEPS = 20
TOLERANCE = 1e-4  # relative; both add in fp32, in another order
CENTROID_TOLERANCE = 1e-5  # of means of embeddings, which both compute in fp32; another label moves them by 1e-2
# A row on the edge of being among the k largest may fall on either side: one expert less than all is no edge here.
OPTIONS = {"sira": ["--top-k", "16"]}


def centroids_of(folder):
    """Those that the adapter of a run was trained with, [] where it has none."""
    data = (folder / "adapter" / "adapter_model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    entry = json.loads(data[8 : 8 + length]).get("intuition.centroids")
    if entry is None:
        return []
    begin, end = entry["data_offsets"]
    return struct.unpack_from(f"<{(end - begin) // 4}f", data, 8 + length + begin)


def main():
    programs, work = Path(sys.argv[1]), Path(sys.argv[2])
    methods = sys.argv[3:] or METHODS
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    failures = []

    def run(program, *options):
        done = subprocess.run([programs / program, "--quiet", *map(str, options)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{program} {' '.join(map(str, options))}\n{done.stdout}{done.stderr}")

    def train(backend, folder, steps, *options):
        run("finetune", "--backend", backend, "--threads", 1, "--resume", folder, "--steps", steps, *options)
        return [json.loads(line)["loss"] for line in (folder / "log.jsonl").read_text().splitlines()]

    def compare(what, ours, theirs):
        worst = max(abs(a - b) / max(abs(b), 1e-6) for a, b in zip(ours, theirs, strict=True))
        print(f"{what}: {len(ours)} losses, {theirs[0]:.4f} to {theirs[-1]:.4f}, differ by at most {worst:.1e}", flush=True)
        if not worst <= TOLERANCE:
            failures.append(f"{what}: differ by {worst:.2e}, more than {TOLERANCE}")

    toy = ["--model", "toy", "--data", "suite", "--eval-limit", 0, "--lr", 5e-4, "--batch", 2, "--checkpoint-every", 10]
    for method in methods:
        options = [*toy, "--method", method, *OPTIONS.get(method, [])]
        curves = [train(backend, work / f"{method}-{backend}", STEPS, *options) for backend in ("cuda", "cpu")]
        compare(method, *curves)
        ours, theirs = (centroids_of(work / f"{method}-{backend}") for backend in ("cuda", "cpu"))
        if (method == "mor1e") > (len(theirs) > 0) or len(ours) != len(theirs):
            failures.append(f"{method}: {len(ours)} numbers of centroids, {len(theirs)} on the processor")
        elif theirs:
            worst = max(abs(a - b) for a, b in zip(ours, theirs)) / max(map(abs, theirs))
            print(f"{method}: centroids differ by at most {worst:.1e} of the largest", flush=True)
            if not worst <= CENTROID_TOLERANCE:
                failures.append(f"{method}: centroids differ by {worst:.2e}, more than {CENTROID_TOLERANCE}")

    # Half on one device, the rest on the other; and a pass as one graph.
    first = [*toy, "--method", methods[0]]
    for begun in ("cpu", "cuda"):
        for goes_on in ("cpu", "cuda"):
            train(begun, work / f"{begun}-{goes_on}", STEPS // 2, *first)
    curves = {pair: train(pair[1], work / "-".join(pair), STEPS) for pair in
              [("cpu", "cpu"), ("cpu", "cuda"), ("cuda", "cpu")]}
    for pair, curve in curves.items():
        compare(f"begun on {pair[0]}, resumed on {pair[1]}", curve, curves["cpu", "cpu"])
    for method in {"lora", "mor1e"} & set(methods):  # without and with memory that kernels take on their way
        graph = train("cuda", work / f"{method}-graph", STEPS, *toy, "--method", method, "--cuda-graph")
        plain = [json.loads(line)["loss"] for line in (work / f"{method}-cuda" / "log.jsonl").read_text().splitlines()]
        if graph != plain:
            failures.append(f"{method}: a pass as a graph gives other losses")

    adapter = work / f"{methods[0]}-cuda" / "adapter"
    accuracy = {}
    for backend in ("cuda", "cpu"):
        out = work / f"scores-{backend}.json"
        run("evaluate", "--backend", backend, "--threads", 1, "--model", "toy", "--adapter", adapter, "--data", "suite",
            "--limit", 2, "--log", work / f"items-{backend}.jsonl", "--json", out)
        accuracy[backend] = [json.loads(line) for line in (work / f"items-{backend}.jsonl").read_text().splitlines()]
    for ours, theirs in zip(accuracy["cuda"], accuracy["cpu"], strict=True):
        if ours["id"] != theirs["id"]:
            failures.append(f"items in another order: {ours['id']}, {theirs['id']}")
    print(f"{len(accuracy['cpu'])} items scored on both", flush=True)
    if failures:
        sys.exit("\n".join(failures))


main()

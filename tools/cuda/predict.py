#!/usr/bin/env python3
"""An estimate of a training step's time on devices that were not measured, from what its ops compute and move.

    predict.py STEP.json

STEP.json is what `bench/step --json` wrote, on any device. An op is taken to last as long as its operations at the rate of the
device's products, or as its bytes, of fp32, at the rate of its memory, whichever is longer; a step as long as all of them. No
launch and no wait is counted, and no cache, which may beat it. The rates are those of the makers' data sheets, without sparsity.
"""
import argparse
import json
from pathlib import Path

# TFLOP/s of fp32, tf32 and bf16 products, and TB/s of memory.
DEVICES = {
    "A100 80 GB SXM": {"fp32": 19.5, "tf32": 156, "bf16": 312, "memory": 2.039},
    "H100 80 GB SXM": {"fp32": 67, "tf32": 494.5, "bf16": 989.5, "memory": 3.35},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", type=Path)
    results = json.loads(parser.parse_args().step.read_text())
    print("| step, tokens | device | products | ms (of which ops that wait for memory) | tokens/s |")
    print("|---|---|---|---|---|")
    for step in results:
        for device, rates in DEVICES.items():
            for products in ["fp32", "tf32", "bf16"]:
                whole = memory_bound = 0
                for op in step["ops"]:
                    computing = op["flops"] / (rates[products] * 1e12)
                    moving = op["bytes"] / (rates["memory"] * 1e12)
                    whole += max(computing, moving)
                    memory_bound += moving if moving > computing else 0
                print(f"| {step['name']}, {step['tokens']} | {device} | {products} | {1e3 * whole:.2f} ({1e3 * memory_bound:.2f}) | "
                      f"{step['tokens'] / whole:,.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()

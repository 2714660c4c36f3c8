#!/usr/bin/env python3
"""The launches of one training step, held against the table in docs/cuda.md: launches.py FOLDER_OF_PROGRAMS WORK_FOLDER DOCUMENT

A step is what two steps do more than one: finetune on the toy model, its kernels counted by cudasim. With --update the
numbers of the table are written anew, and a row without words is added for each kernel that is new.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

METHODS = {"LoRA": ["lora"], "MoR1E": ["mor1e", "--experts", "4", "--cluster-sample", "1"]}  # the same clusters for any number of steps
HEADING = "| launches of a step | " + " | ".join(METHODS) + " | for |"
# What crosses between host and device, as rows of the table.
COPIES = {"copies, host to device": "copies to the device", "copies, device to host": "copies to the host"}


def short(name):
    """The kernel and the first type that it is instantiated for: `each_element_kernel<map_forward_body>`."""
    name = re.sub(r"\(.*", "", name.split("kernels::", 1)[-1]) if "kernels::" in name else name
    kernel, _, arguments = name.partition("<")
    kernel = kernel.split("::")[-1]
    types = [a for a in arguments.replace(">", ",").replace("<", ",").split(",") if "::" in a]
    return f"`{kernel}<{types[0].split('::')[-1].strip()}>`" if types else f"`{kernel}`"


def counts(program, folder, method, steps):
    stats = folder / f"{method[0]}-{steps}.json"
    command = [program, "--quiet", "--backend", "cuda", "--threads", "1", "--model", "toy", "--data", "suite", "--eval-limit", "0",
               "--batch", "2", "--method", *method, "--steps", str(steps), "--out", folder / f"{method[0]}-{steps}"]
    done = subprocess.run(command, env=dict(os.environ, CUDASIM_STATS=str(stats)), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    found = Counter()
    for name, counted in json.loads(stats.read_text()).items():
        if "launches" in counted:
            found[short(name)] += counted["launches"]
        elif name in COPIES:
            found[COPIES[name]] += counted["copies"]
    return found


def step(program, folder, method):
    one, two = counts(program, folder, method, 1), counts(program, folder, method, 2)
    return Counter({name: two[name] - one[name] for name in two if two[name] != one[name]})


def table_of(lines):
    """The rows between the heading and the end of the table: name -> (counts, words); and where they are."""
    begin = lines.index(HEADING) + 2
    end = next(i for i in range(begin, len(lines)) if not lines[i].startswith("|"))
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[begin:end]]
    return {row[0]: (dict(zip(METHODS, row[1:-1], strict=True)), row[-1]) for row in rows}, begin, end


def main():
    update = "--update" in sys.argv
    programs, folder, document = (Path(a) for a in sys.argv[1:] if a != "--update")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = {title: step(programs / "finetune", folder, method) for title, method in METHODS.items()}
    for of in found.values():
        of["all kernels"] = sum(n for name, n in of.items() if name.startswith("`"))
    lines = document.read_text().splitlines()
    table, begin, end = table_of(lines)
    names = [*table, *sorted({name for of in found.values() for name in of} - set(table))]
    problems = []
    for name in names:
        said, words = table.get(name, ({}, ""))
        for title, of in found.items():
            if said.get(title, "0") != str(of[name]):
                problems.append(f"{name}: {of[name]} in a step of {title}, the table says {said.get(title, '0')}")
        table[name] = ({title: str(of[name]) for title, of in found.items()}, words)
    if update:
        lines[begin:end] = [f"| {name} | {' | '.join(table[name][0].values())} | {table[name][1]} |" for name in names
                            if any(n != "0" for n in table[name][0].values())]
        document.write_text("\n".join(lines) + "\n")
    print("\n".join(problems + [f"launches: {len(names)} rows, {len(problems)} differ"]))
    sys.exit(1 if problems and not update else 0)


main()

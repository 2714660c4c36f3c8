#!/usr/bin/env python3
"""How fast a LoRA step of mor1e is beside what a user would take instead. See README.md; run.sh installs and builds.

Each peer takes turns with ours: the same batch, one after the other, the first of a round changing. One peer at a time,
so that no more than two models are in memory. Results: a table, OUT, and OUT's name with .svg."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from contestants import BATCH, CONTESTANTS, OURS

HERE = Path(__file__).resolve().parent
CHOSEN = 3  # batches of `small` and of `mean`
AGREE = 1e-3


class Stop(Exception):
    """Ends the run with one line."""


class Process:
    """A contestant: a line with the number of a batch in, a line of JSON out."""

    def __init__(self, name, command):
        self.name = name
        self.errors = tempfile.TemporaryFile()
        self.child = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      stderr=self.errors, text=True,
                                      env={**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
                                           "PYTHONDONTWRITEBYTECODE": "1"})

    def wait(self):
        """Until it can make steps."""
        self.ready = self._read()

    def step(self, batch):
        try:
            self.child.stdin.write(f"{batch}\n")
            self.child.stdin.flush()
        except BrokenPipeError:
            pass  # _read says why
        return self._read()

    def _read(self):
        line = self.child.stdout.readline()
        if line:
            return json.loads(line)
        code = self.child.wait()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        if code == -signal.SIGKILL:
            how += " (too little memory? --contestants leaves it out, --batches chooses smaller ones)"
        raise Stop(f"{self.name} {how}{': ' + said[-1] if said else ''}")

    def end(self):
        self.child.kill()
        self.child.wait()
        for file in (self.child.stdin, self.child.stdout, self.errors):
            try:
                file.close()
            except BrokenPipeError:
                pass


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True, help="build folder, with the environment of run.sh")
    parser.add_argument("--model", type=Path, required=True, help=".gguf file or folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with <task>/train.jsonl")
    parser.add_argument("--out", type=Path, help="JSON file (default BUILD/bench/peers.json)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestants", help="peers, NAME or NAME:ROUNDS (default: all of the device)")
    parser.add_argument("--backend", choices=["cpu", "cuda"], default="cpu", help="cuda: mor1e and PEFT on a card")
    parser.add_argument("--venv", type=Path, help="with PEFT and PyTorch (default BUILD/peers-venv)")
    parser.add_argument("--batches", default="small", help="small: the three with the fewest padded tokens (default); "
                        "mean: the three nearest their mean, 20 GB with PEFT; all: 24 GB do not suffice for PEFT; or "
                        "numbers, 3,4,26")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--experts", type=int, default=32, help="of ours-mor1e")
    options = parser.parse_args()
    options.venv = options.venv or options.build / "peers-venv"
    options.out = options.out or options.build / "bench" / "peers.json"
    if options.rounds < 1:
        raise Stop("--rounds is at least 1")
    options.peers = []
    able = [name for name in CONTESTANTS if name != OURS and options.backend in CONTESTANTS[name].devices]
    for word in (options.contestants or ",".join(able)).split(","):
        name, _, rounds = word.partition(":")
        if name not in able:
            raise Stop(f"--contestants: no '{name}' with --backend {options.backend}; there are {', '.join(able)}")
        if rounds and (not rounds.isdigit() or int(rounds) < 1):
            raise Stop(f"--contestants: '{word}': rounds are a positive whole number")
        options.peers.append((name, int(rounds or options.rounds)))
    return options


def write_examples(options):
    """The same tokens for everybody, written once a run by our tokenizer."""
    path = options.build / "bench" / "peers_examples.jsonl"
    done = subprocess.run([options.build / "bench" / "peers" / "examples", "--data", options.data, "--model",
                           options.model, "--out", path], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise Stop(done.stderr.strip() or f"examples ended with {done.returncode}")
    return path


def lengths_of(examples):
    return [len(json.loads(line)["ids"]) for line in examples.read_text().splitlines()]


def padded(lengths):
    return BATCH * max(lengths)


def choose_batches(wanted, lengths):
    """Numbers of batches of the list as it is, and as many of the list sorted by length, spread over its batches that
    are no longer than the longest of the former."""
    def cut(some):
        return [some[i:i + BATCH] for i in range(0, len(some) - BATCH + 1, BATCH)]
    mixed, grouped = cut(lengths), cut(sorted(lengths))
    sizes = [padded(batch) for batch in mixed]
    everyone = range(len(mixed))
    if wanted == "all":
        chosen = list(everyone)
    elif wanted in ("small", "mean"):
        target = 0 if wanted == "small" else statistics.mean(sizes)
        chosen = sorted(everyone, key=lambda i: abs(sizes[i] - target))[:CHOSEN]
    else:
        chosen = [int(word) if word.isdigit() else -1 for word in wanted.split(",")]
        if not set(chosen) <= set(everyone):
            raise Stop(f"--batches: small, mean, all, or numbers from 0 to {len(mixed) - 1}, not '{wanted}'")
    most = max(sizes[i] for i in chosen)
    possible = [i for i, batch in enumerate(grouped) if padded(batch) <= most]
    spread = [possible[(2 * i + 1) * len(possible) // (2 * len(chosen))] for i in range(len(chosen))]
    return chosen, [len(mixed) + i for i in spread]


def compete(options, examples, name, rounds, batches):
    """All steps of a peer and of ours beside it."""
    def begin(who):
        print(f"{who}: loading", file=sys.stderr, flush=True)
        processes.append(Process(who, CONTESTANTS[who].command(options, examples)))
        processes[-1].wait()
        return processes[-1]
    processes, steps = [], []
    try:
        ours, peer = begin(OURS), begin(name)
        first = {p.name: p.step(batches[0])["loss"] for p in (ours, peer)}
        for turn in range(rounds):
            for batch in batches:
                got = {p.name: p.step(batch) for p in ((ours, peer) if turn % 2 == 0 else (peer, ours))}
                steps.append({"round": turn, "batch": batch, "ours": got[OURS], "peer": got[name]})
                print(f"{name}: round {turn}, batch {batch}: {got[name]['seconds']:.2f} s, ours "
                      f"{got[OURS]['seconds']:.2f} s", file=sys.stderr, flush=True)
        return {"name": name, "is": CONTESTANTS[name].what, "rounds": rounds, "steps": steps, "first_losses": first,
                "parameters": peer.ready["parameters"], "threads": peer.ready["threads"],
                "versions": peer.ready.get("versions", {})}
    finally:
        for process in processes:
            process.end()


def spread_of(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "n": len(values)}


def summarise(results):
    def rate(step):
        return step["useful_tokens"] / step["seconds"]
    for r in results:
        r["tokens_per_second"] = spread_of([rate(s["peer"]) for s in r["steps"]])
        r["ours_beside"] = spread_of([rate(s["ours"]) for s in r["steps"]])
        r["ours_over_it"] = spread_of([s["peer"]["seconds"] / s["ours"]["seconds"] for s in r["steps"]])
        r["useful"] = (sum(s["peer"]["useful_tokens"] for s in r["steps"]) /
                       sum(s["peer"]["padded_tokens"] for s in r["steps"]))
        r["peak_memory"] = max(s["peer"]["peak_memory"] for s in r["steps"])
        a, b = r["first_losses"].values()
        r["first_losses_agree"] = abs(a - b) <= AGREE


def summary_of_ours(results):
    """All its steps on the batches as they come, beside whomever."""
    plain = [r for r in results if not CONTESTANTS[r["name"]].grouped] or results
    steps = [s["ours"] for r in plain for s in r["steps"]]
    return {"name": OURS, "is": CONTESTANTS[OURS].what,
            "tokens_per_second": spread_of([s["useful_tokens"] / s["seconds"] for s in steps]),
            "useful": sum(s["useful_tokens"] for s in steps) / sum(s["padded_tokens"] for s in steps),
            "peak_memory": max(s["peak_memory"] for s in steps)}


def machine(threads):
    info = Path("/proc/cpuinfo").read_text()
    def field(name):
        return next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith(name)), "")
    return {"processor": field("model name"), "cores": len(os.sched_getaffinity(0)), "threads": threads,
            "flags": [f for f in field("flags").split() if f.startswith(("avx2", "fma", "avx512", "avx_vnni", "amx"))],
            "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "load": os.getloadavg()[0]}


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", HERE, *words], capture_output=True, text=True).stdout.strip()
    return git("rev-parse", "HEAD") + (" and changes" if git("status", "--porcelain") else "")


def table(ours, results):
    rows = [("", "tokens/s", "range", "n", "useful", "peak", "ours / it", "range")]
    for r in [ours, *results]:
        rate, ratio = r["tokens_per_second"], r.get("ours_over_it")
        rows.append((r["name"], f"{rate['median']:.0f}", f"{rate['least']:.0f} to {rate['most']:.0f}", str(rate["n"]),
                     f"{100 * r['useful']:.0f} %", f"{r['peak_memory'] / 1e9:.1f} GB",
                     f"{ratio['median']:.2f}" if ratio else "",
                     f"{ratio['least']:.2f} to {ratio['most']:.2f}" if ratio else ""))
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                               for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows)


def write(path, content):
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    try:
        beside.write_text(content)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def draw(path, ours, results, where):
    """Bars with their range: ours grey, ours of another method hatched, the others white."""
    everyone = [ours, *results]
    rows = "\n".join(f"{i} {r['tokens_per_second']['median']} {r['tokens_per_second']['least']} "
                     f"{r['tokens_per_second']['most']}" for i, r in enumerate(everyone))
    tics = ", ".join(f'"{r["name"]}\\n' + (f'ours {r["ours_over_it"]["median"]:.2f}x' if "ours_over_it" in r else "") +
                     f'" {i}' for i, r in enumerate(everyone))
    top = 1.15 * max(r["tokens_per_second"]["most"] for r in everyone)
    fills = ["solid 1" if r["name"] == OURS else "pattern 4" if r["name"].startswith(OURS) else "solid 0"
             for r in everyone]
    bars = ", \\\n  ".join(f"$rows every ::{i}::{i} using 1:2 with boxes lc rgb '#909090' fill {fill} border lc rgb 'black'"
                           for i, fill in enumerate(fills))
    script = path.with_suffix(".gp")
    write(script, f"""set terminal svg dynamic size {max(760, 160 + 110 * len(everyone))},460 background rgb 'white' font 'sans,11' noenhanced
set output '{path.name}'
set title "LoRA r=32 on SmolLM2-135M, 16 examples a step: median, least and most of the steps\\n{where}"
set ylabel 'useful tokens a second'
unset key
set boxwidth 0.6
set bmargin 4
set pointintervalbox 0
set grid y lc rgb '#dddddd'
set yrange [0:{top}]
set xrange [-0.6:{len(everyone) - 0.4}]
set xtics nomirror ({tics})
$rows << END
{rows}
END
plot {bars}, \\
  $rows using 1:2:3:4 with yerrorbars pt -1 lw 1.5 lc rgb 'black', \\
  $rows using ($1+0.06):2:(sprintf('%.0f', $2)) with labels left offset 0,0.6
""")
    if not shutil.which("gnuplot") or subprocess.run(["gnuplot", script.name], cwd=script.parent,
                                                      stderr=subprocess.DEVNULL).returncode:
        return False
    return True


def report(options, begun_on, examples, results):
    summarise(results)
    ours = summary_of_ours(results)
    begun_on["load_at_end"] = os.getloadavg()[0]
    write(options.out, json.dumps({"machine": begun_on, "commit": commit(), "model": options.model.name,
                                   "examples": examples, "ours": ours, "peers": results}, indent=1) + "\n")
    where = f"{begun_on['processor']}, {options.threads} threads" + (", on its card" if options.backend == "cuda" else "")
    drawn = draw(options.out.with_suffix(".svg"), ours, results, where)
    print(f"{where}; {' '.join(begun_on['flags'])}; load {begun_on['load']:.1f} at the beginning, "
          f"{begun_on['load_at_end']:.1f} at the end")
    print(table(ours, results))
    for r in results:
        if not r["first_losses_agree"]:
            print(f"{r['name']}: its first loss is {r['first_losses'][r['name']]:.5f}, ours on the same batch "
                  f"{r['first_losses'][OURS]:.5f}: they do not compute the same")
    print(f"{options.out}" + (f", {options.out.with_suffix('.svg').name}" if drawn else "; gnuplot drew no picture"),
          flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    for what in (signal.SIGINT, signal.SIGTERM):  # also where it was begun with these ignored
        signal.signal(what, interrupt)
    options = parse()
    for path in (options.build / "bench" / "peers" / "ours", options.venv / "requirements.txt"):
        if not path.exists():
            raise Stop(f"{path} is missing: bench/peers/run.sh makes it")
    begun_on = machine(options.threads)
    examples = write_examples(options)
    mixed, grouped = choose_batches(options.batches, lengths_of(examples))
    results = []
    try:
        for name, rounds in options.peers:
            results.append(compete(options, examples, name, rounds,
                                   grouped if CONTESTANTS[name].grouped else mixed))
    finally:  # those measured until then, where one fails or the run is stopped
        if results:
            report(options, begun_on, {"batch": BATCH, "mixed": mixed, "grouped": grouped}, results)


if __name__ == "__main__":
    try:
        main()
    except Stop as stop:
        sys.exit(f"peers: {stop}")
    except KeyboardInterrupt:
        sys.exit("peers: stopped")

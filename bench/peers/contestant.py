"""What the contestants in Python share: the model, the batches, and taking turns with run.py."""
import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
import transformers

BATCH = 16
RANK, ALPHA, LEARNING_RATE = 32, 16, 1e-4

# Standard output is for answers alone; what libraries print goes where errors go.
_answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def parse(description, *flags):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", type=Path, required=True, help=".gguf file, or folder of a Hugging Face model")
    parser.add_argument("--examples", type=Path, required=True, help="file that the program `examples` wrote")
    parser.add_argument("--threads", type=int, default=2)
    for flag, what in flags:
        parser.add_argument(flag, action="store_true", help=what)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    return options


def load(path):
    """The model in float32; quantised weights are widened."""
    transformers.logging.disable_progress_bar()
    where = {"pretrained_model_name_or_path": path}
    if path.suffix == ".gguf":
        where = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name}
    model = transformers.AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, attn_implementation="sdpa")
    model.config.use_cache = False
    return model.requires_grad_(False)


def read_examples(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def batches_of(examples):
    """Those of the list as it is, then those of the list sorted by length."""
    lists = examples, sorted(examples, key=lambda e: len(e["ids"]))
    return [some[i:i + BATCH] for some in lists for i in range(0, len(some) - BATCH + 1, BATCH)]


def _answer(**line):
    print(json.dumps(line), file=_answers, flush=True)


def take_turns(examples, parameters, step, **versions):
    """`step(batch)` makes one optimiser step and returns (tokens that it computed, loss)."""
    batches = batches_of(read_examples(examples))
    _answer(ready=True, parameters=sum(p.numel() for p in parameters), threads=torch.get_num_threads(),
            versions={"python": sys.version.split()[0], "torch": torch.__version__,
                      "transformers": transformers.__version__, **versions})
    for line in sys.stdin:
        batch = batches[int(line)]
        begin = time.perf_counter()
        padded, loss = step(batch)
        _answer(seconds=time.perf_counter() - begin, useful_tokens=sum(len(e["ids"]) for e in batch),
                padded_tokens=padded, loss=loss,
                peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)

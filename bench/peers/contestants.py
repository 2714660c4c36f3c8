"""Who takes part. A contestant of your own: one line here, a program as contestant.py's take_turns does it."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH = 16
OURS = "ours"
ANY = ("cpu", "cuda")  # devices


@dataclass
class Contestant:
    what: str
    command: Callable  # of (options, file of examples): the words of the command
    grouped: bool = False  # on batches of the list sorted by length
    devices: tuple = ("cpu",)


def _shared(options, examples):
    return ["--model", options.model, "--examples", examples, "--threads", options.threads]


def _ours(method, products="fp32"):
    return lambda options, examples: [options.build / "bench" / "peers" / "ours", "--method", method, "--experts",
                                      options.experts, "--products", products, "--backend", options.backend,
                                      *_shared(options, examples)]


def _python(script, *flags):
    return lambda options, examples: [options.venv / "bin" / "python", HERE / script, *flags,
                                      *_shared(options, examples)]


def _peft(*flags):
    return lambda options, examples: _python("peft_lora.py", *flags,
                                             *(["--cuda"] if options.backend == "cuda" else []))(options, examples)


CONTESTANTS = {
    OURS: Contestant("mor1e, LoRA", _ours("lora"), devices=ANY),
    "ours-mor1e": Contestant("mor1e, MoR1E", _ours("mor1e"), devices=ANY),
    "ours-int8": Contestant("mor1e, LoRA, the frozen base multiplied in int8", _ours("lora", "int8")),
    "ours-bf16": Contestant("mor1e, LoRA, the frozen base multiplied in bfloat16", _ours("lora", "bf16"), devices=ANY),
    "ours-tf32": Contestant("mor1e, LoRA, products in tf32", _ours("lora", "tf32"), devices=("cuda",)),
    "peft": Contestant("PEFT + Transformers, padded, float32", _peft(), devices=ANY),
    "peft-grouped": Contestant("the same, batches of examples of like length", _peft(), grouped=True, devices=ANY),
    "peft-bf16": Contestant("the same as peft, bfloat16 autocast", _peft("--bf16"), devices=ANY),
    "torch": Contestant("plain PyTorch written for speed, packed, float32", _python("torch_lora.py")),
    "torch-compile": Contestant("the same, elementwise parts compiled", _python("torch_lora.py", "--compile")),
}

"""Who takes part. A contestant of your own: one line here, a program as contestant.py's take_turns does it."""
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
BATCH = 16
OURS = "ours"


@dataclass
class Contestant:
    what: str
    command: Callable  # of (options, file of examples): the words of the command
    grouped: bool = False  # on batches of the list sorted by length


def _shared(options, examples):
    return ["--model", options.model, "--examples", examples, "--threads", options.threads]


def _ours(method, products="fp32"):
    return lambda options, examples: [options.build / "bench" / "peers" / "ours", "--method", method, "--experts",
                                      options.experts, "--products", products, *_shared(options, examples)]


def _python(script, *flags):
    return lambda options, examples: [options.build / "peers-venv" / "bin" / "python", HERE / script, *flags,
                                      *_shared(options, examples)]


CONTESTANTS = {
    OURS: Contestant("mor1e, LoRA", _ours("lora")),
    "ours-mor1e": Contestant("mor1e, MoR1E", _ours("mor1e")),
    "ours-int8": Contestant("mor1e, LoRA, the frozen base multiplied in int8", _ours("lora", "int8")),
    "ours-bf16": Contestant("mor1e, LoRA, the frozen base multiplied in bfloat16", _ours("lora", "bf16")),
    "peft": Contestant("PEFT + Transformers, padded, float32", _python("peft_lora.py")),
    "peft-grouped": Contestant("the same, batches of examples of like length", _python("peft_lora.py"), grouped=True),
    "peft-bf16": Contestant("the same as peft, bfloat16 autocast", _python("peft_lora.py", "--bf16")),
    "torch": Contestant("plain PyTorch written for speed, packed, float32", _python("torch_lora.py")),
    "torch-compile": Contestant("the same, elementwise parts compiled", _python("torch_lora.py", "--compile")),
}

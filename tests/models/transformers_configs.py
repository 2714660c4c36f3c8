#!/usr/bin/env python3
"""Writes transformers_configs.json: what Transformers (5.23) computes for configurations of many spellings.

    python tests/models/transformers_configs.py tests/models/transformers_configs.json

Needs torch, transformers and safetensors. The weights follow from a formula that the test repeats, so the file holds
configurations and the logits of the last tokens alone.
"""
import json
import math
import sys
import tempfile

import torch
import transformers
from safetensors.torch import save_file

TOKENS = 40
BASE = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 32, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 17, "hidden_act": "silu",
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": False}
MISTRAL = {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
CASES = {  # changes of BASE; None as a change removes the key, "null" makes it null
    "plain": {},
    "linear, old spelling": {"rope_scaling": {"type": "linear", "factor": 4.0}},
    "linear, integer factor": {"rope_scaling": {"rope_type": "linear", "factor": 2}},
    "linear, new spelling": {"rope_theta": None, "rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}},
    "theta in the new spelling beats the old": {"rope_parameters": {"rope_type": "default", "rope_theta": 300.0}},
    "old spelling beats the new": {"rope_scaling": {"type": "linear", "factor": 4.0},
                                   "rope_parameters": {"rope_type": "default", "rope_theta": 300.0}},
    "empty scaling is none": {"rope_scaling": {}},
    "llama3": {"rope_scaling": LLAMA3},
    "llama3, new spelling": {"rope_theta": None, "rope_parameters": {**LLAMA3, "rope_theta": 100.0}},
    "llama3 without original context": {"rope_scaling": {k: v for k, v in LLAMA3.items() if k[:8] != "original"}},
    "yarn": {"rope_scaling": YARN},
    "yarn, bounds and no rounding": {"rope_scaling": {**YARN, "beta_fast": 8.0, "beta_slow": 0.5, "truncate": False}},
    "yarn, attention factor": {"rope_scaling": {**YARN, "attention_factor": 0.8}},
    "yarn, mscale": {"rope_scaling": {**YARN, "mscale": 0.7, "mscale_all_dim": 0.4}},
    "yarn, original context outside": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0},
                                       "original_max_position_embeddings": 8},
    "yarn, new spelling": {"rope_theta": None, "rope_parameters": {**YARN, "rope_theta": 1000.0}},
    "a window means nothing to llama": {"sliding_window": 4},
    "nor with a switch": {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 1},
    "a window means something to mistral": {**MISTRAL, "sliding_window": 4},
    "whatever the switch of another type says": {**MISTRAL, "sliding_window": 4, "use_sliding_window": False},
    "null is no window": {**MISTRAL, "sliding_window": "null"},
    "mistral has 8 key heads by default": {**MISTRAL, "num_attention_heads": 16, "num_key_value_heads": None},
    "null is as many as heads": {"num_key_value_heads": "null"},
    "llama has as many as heads": {"num_key_value_heads": None},
    "eps and theta by default": {"rms_norm_eps": None, "rope_theta": None},
    "a head of its own beats the claim": {"tie_word_embeddings": True},
}


def weight(at, extents):
    """Element k of the tensor at place `at` of all names in order."""
    n = math.prod(extents)
    values = torch.sin(torch.arange(n, dtype=torch.float64) * 0.61803 + at)
    values = 1 + 0.3 * values if len(extents) == 1 else values * 1.6 / math.sqrt(extents[-1])
    return values.to(torch.float32).reshape(extents)


def run(change):
    config = {**BASE, **change}
    config = {k: None if v == "null" else v for k, v in config.items() if v is not None}
    with tempfile.TemporaryDirectory() as folder:
        json.dump(config, open(folder + "/config.json", "w"))
        loaded = transformers.AutoConfig.from_pretrained(folder)
        shapes = {n: tuple(p.shape) for n, p in transformers.AutoModelForCausalLM.from_config(loaded).state_dict().items()}
        shapes["lm_head.weight"] = (BASE["vocab_size"], BASE["hidden_size"])
        save_file({n: weight(i, shapes[n]) for i, n in enumerate(sorted(shapes))}, folder + "/model.safetensors", {"format": "pt"})
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
        ids = torch.tensor([[(7 * i * i + 3 * i) % BASE["vocab_size"] for i in range(TOKENS)]])
        with torch.no_grad():
            logits = model(ids).logits[0, -3:]
    return {"config": config, "shapes": {n: list(s) for n, s in sorted(shapes.items())},
            "logits": [round(v, 6) for v in logits.flatten().tolist()]}


transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
out = {name: run(change) for name, change in CASES.items()}
with open(sys.argv[1], "w") as file:
    file.write("{\n" + ",\n".join(f" {json.dumps(n)}: {json.dumps(c)}" for n, c in out.items()) + "\n}\n")

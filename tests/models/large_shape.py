#!/usr/bin/env python3
"""Writes a Hugging Face folder with the shape of TinyLlama-1.1B and random bf16 weights in two shards (2.2 GB).

    tests/models/large_shape.py FOLDER [--layers N] [--tokenizer FILE]

A model of real size for measurements of time and memory, with nothing to download. Linears are normal with standard
deviation 0.02, norms 1. --tokenizer copies a tokenizer.json beside the weights (its ids must be below 32000).
"""
import argparse
import json
import math
import random
import shutil
import struct
from pathlib import Path

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "bfloat16",
}
# Weights repeat with this period: a prime, so that no two rows of a matrix are alike.
PERIOD = 1_000_003


def tensors(config):
    """(name, shape) of every tensor, in the order of execution."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    kv = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", [config["vocab_size"], hidden]
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}."
        yield at + "input_layernorm.weight", [hidden]
        for name, rows in (("q", hidden), ("k", kv), ("v", kv), ("o", hidden)):
            yield f"{at}self_attn.{name}_proj.weight", [rows, hidden]
        yield at + "post_attention_layernorm.weight", [hidden]
        for name, shape in (("gate", [inner, hidden]), ("up", [inner, hidden]), ("down", [hidden, inner])):
            yield f"{at}mlp.{name}_proj.weight", shape
    yield "model.norm.weight", [hidden]
    yield "lm_head.weight", [config["vocab_size"], hidden]


def bf16(value):
    return struct.pack("<f", value)[2:]


def random_block(seed):
    draw = random.Random(seed)
    return b"".join(bf16(draw.gauss(0, 0.02)) for _ in range(PERIOD))


def write_shard(path, items, block):
    """Returns the bytes of data written."""
    header, end = {}, 0
    for name, shape in items:
        begin, end = end, end + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    at = 0
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in items:
            left = 2 * math.prod(shape)
            if len(shape) == 1:
                file.write(bf16(1.0) * shape[0])
                continue
            while left:
                piece = block[at : at + left]
                file.write(piece)
                left -= len(piece)
                at = (at + len(piece)) % len(block)
    return end


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=CONFIG["num_hidden_layers"])
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    config = CONFIG | {"num_hidden_layers": options.layers}
    items = list(tensors(config))
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if options.tokenizer:
        shutil.copy(options.tokenizer, options.folder / "tokenizer.json")

    block = random_block(options.seed)
    middle = len(items) // 2
    index, total = {}, 0
    for number, shard in enumerate((items[:middle], items[middle:]), 1):
        name = f"model-{number:05}-of-00002.safetensors"
        total += write_shard(options.folder / name, shard, block)
        index |= {tensor: name for tensor, _ in shard}
    content = {"metadata": {"total_size": total}, "weight_map": index}
    (options.folder / "model.safetensors.index.json").write_text(json.dumps(content, indent=2) + "\n")
    print(f"{options.folder}: {total // 2:,} parameters in two shards")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Adapters and merged models, there and back: our programs against PEFT and Transformers themselves.

A llama with random weights is made anew for each run. Both sides compute in float32 but add in different orders, so
logits are equal up to rounding: within TOLERANCE of the largest one. The largest difference seen in any case is 5e-6;
computed in float64, the same logits are about as far from ours as from theirs. Every adapter moves them by MOVED at
least, so one that is not read, or read with a scale that is off by a thousandth, is outside.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import gguf
import torch
import transformers
from peft import (AdaLoraConfig, BdLoraConfig, IA3Config, KasaConfig, LoHaConfig, LoraConfig, PeftModel, VeraConfig,
                  get_peft_model)
from safetensors.torch import load_file, save_file
from transformers import (AutoConfig, AutoModelForCausalLM, AutoTokenizer, BertConfig, BertModel, BitsAndBytesConfig,
                          GenerationConfig, LlamaConfig, LlamaForCausalLM, NomicBertConfig, NomicBertModel,
                          PreTrainedTokenizerFast)

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = Path(os.environ["MOR1E_PROGRAMS"])
TOKENIZER = ROOT / "tests" / "golden" / "tokenizers" / "spm_llama"
TOLERANCE, MOVED = 1e-5, 1e-1
LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

transformers.logging.disable_progress_bar()
torch.set_num_threads(1)
scratch = tempfile.TemporaryDirectory()
here = Path(scratch.name)
base = here / "base"
ids = torch.randint(3, 1000, (3, 24), generator=torch.Generator().manual_seed(1))
mask = torch.ones_like(ids)
mask[1, 17:] = 0


def make_base(folder, tied, intermediate_size=176):
    """320,000 parameters, or 230,000 without a head of its own; grouped key heads."""
    torch.manual_seed(0)
    vocabulary = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER / "tokenizer.json")).vocab_size
    config = LlamaConfig(vocab_size=vocabulary, hidden_size=64, intermediate_size=intermediate_size, num_hidden_layers=3,
                         num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
                         tie_word_embeddings=tied, initializer_range=0.12, bos_token_id=1, eos_token_id=2)
    LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder / name)


def setUpModule():
    make_base(base, tied=False)
    folder = here / "data" / "colours"
    folder.mkdir(parents=True)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()))
    (folder / "eval.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()[:6]))
    save_file({"input_ids": ids, "attention_mask": mask}, here / "x.safetensors")


def program(name, *arguments):
    """What a program of ours prints and how it ends."""
    return subprocess.run([PROGRAMS / name, *map(str, arguments)], capture_output=True, text=True)


def run(name, *arguments):
    got = program(name, *arguments)
    if got.returncode:
        raise AssertionError(f"{name} ended with {got.returncode}: {got.stderr}")
    return got


def load(folder=base):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def their_logits(model):
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=mask).logits * mask[:, :, None]


def our_logits(model=base, adapter=None):
    run("logits", "--quiet", "--model", model, *(["--adapter", adapter] if adapter else []), "--input",
        here / "x.safetensors", "--out", here / "y.safetensors")
    return load_file(here / "y.safetensors")["logits"]


def difference(a, b):
    """The largest, in parts of the largest logit."""
    return ((a - b).abs().max() / b.abs().max()).item()


def randomise(model):
    """Every trained tensor moves: what starts as zero, too."""
    torch.manual_seed(2)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)


def train(model, steps=6):
    torch.manual_seed(3)
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        model.train()
        model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


def finetune(model, name, *options):
    run("finetune", "--quiet", "--model", model, "--data", here / "data", "--steps", "6", "--batch", "8", "--lr", "0.02",
        "--warmup", "0", "--eval-limit", "0", "--out", here / name, *options)


def save(model, name):
    """The folder that PEFT writes of it, and its logits."""
    model.save_pretrained(here / name)
    return here / name, their_logits(model.eval())


class Case(unittest.TestCase):
    def assertSame(self, a, b):
        self.assertLess(difference(a, b), TOLERANCE)

    def assertMoved(self, logits):
        """The logits are far from those of the base."""
        self.assertGreater(difference(logits, their_logits(load())), MOVED)


class Padding(Case):
    """Padding on the left and on both sides, as Transformers computes it."""

    LENGTHS, STARTS = [24, 17, 5], [0, 7, 11]

    def sides(self):
        mask = torch.zeros_like(ids)
        for i, (length, start) in enumerate(zip(self.LENGTHS, self.STARTS)):
            mask[i, start:start + length] = 1
        labels = ids.masked_fill(mask == 0, -100)
        for i, start in enumerate(self.STARTS):
            labels[i, start] = -100  # Transformers would have the padding before it answer
        save_file({"input_ids": ids, "attention_mask": mask, "labels": labels}, here / "left.safetensors")
        return mask, labels

    def test_decoder(self):
        mask, labels = self.sides()
        run("logits", "--quiet", "--model", base, "--input", here / "left.safetensors", "--out", here / "y.safetensors")
        ours = load_file(here / "y.safetensors")
        for positions in (None, (mask.cumsum(-1) - 1).clamp(min=0)):  # rotary: only distances count
            with torch.no_grad():
                theirs = load()(input_ids=ids, attention_mask=mask, position_ids=positions, labels=labels)
            self.assertSame(ours["logits"], theirs.logits * mask[:, :, None])
            self.assertAlmostEqual(ours["loss"].item(), theirs.loss.item(), delta=TOLERANCE * theirs.loss.item())

    def test_encoder(self):
        mask, _ = self.sides()
        torch.manual_seed(5)
        model = BertModel(BertConfig(vocab_size=1000, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                     intermediate_size=48, max_position_embeddings=24)).eval()
        model.save_pretrained(here / "bert")
        run("logits", "--quiet", "--model", here / "bert", "--input", here / "left.safetensors", "--out",
            here / "y.safetensors")
        with torch.no_grad():
            theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state * mask[:, :, None]
        self.assertSame(load_file(here / "y.safetensors")["last_hidden_state"], theirs)


class Ours(Case):
    """What our programs write, read by PEFT and Transformers."""

    METHODS = {
        "lora": ["--method", "lora", "--rank", "4"],
        "rslora": ["--method", "rslora", "--rank", "5"],
        "dora": ["--method", "dora", "--rank", "4"],
        "two": ["--method", "lora", "--rank", "4", "--targets", "q_proj,down_proj", "--alpha", "3"],
    }

    @classmethod
    def setUpClass(cls):
        for name, options in cls.METHODS.items():
            finetune(base, name, *options)

    def test_base(self):
        self.assertSame(our_logits(), their_logits(load()))

    def test_adapters_in_peft(self):
        for name in self.METHODS:
            with self.subTest(name):
                theirs = their_logits(PeftModel.from_pretrained(load(), here / name / "adapter").eval())
                self.assertMoved(theirs)
                self.assertSame(our_logits(adapter=here / name / "adapter"), theirs)

    def test_merged_in_transformers(self):
        for name in self.METHODS:
            with self.subTest(name):
                adapter, merged = here / name / "adapter", here / f"merged-{name}"
                run("merge", "--quiet", "--model", base, "--adapter", adapter, "--out", merged)
                ours = our_logits(model=merged)
                self.assertMoved(ours)
                self.assertSame(ours, our_logits(adapter=adapter))
                self.assertSame(ours, their_logits(load(merged)))
                self.assertSame(ours, their_logits(PeftModel.from_pretrained(load(), adapter).merge_and_unload()))

    def test_likelihood_of_answers(self):
        """`evaluate` scores with an adapter as PEFT does: the sum of the log-probabilities of a choice's tokens."""
        adapter = here / "lora" / "adapter"
        run("evaluate", "--quiet", "--model", base, "--adapter", adapter, "--data", here / "data", "--scoring", "loglik",
            "--log", here / "scores.jsonl")
        model = PeftModel.from_pretrained(load(), adapter).eval()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER / "tokenizer.json"))
        scores = [json.loads(line) for line in (here / "scores.jsonl").read_text().splitlines()]
        self.assertEqual(len(scores), 6)
        for row, score in zip(rows(), scores):
            prompt = tokenizer(f"Question: {row['question']}\nAnswer:")["input_ids"]
            for choice, ours in zip(row["choices"], score["loglik"]["choices"]):
                both = tokenizer(f"Question: {row['question']}\nAnswer: {choice}")["input_ids"]  # one text
                self.assertEqual(both[:len(prompt)], prompt)
                answer = both[len(prompt):]
                with torch.no_grad():
                    at = model(input_ids=torch.tensor([both])).logits[0].log_softmax(-1)
                theirs = sum(at[len(prompt) + i - 1, token].item() for i, token in enumerate(answer))
                self.assertEqual(ours["tokens"], len(answer))
                self.assertAlmostEqual(ours["sum"], theirs, delta=TOLERANCE * abs(theirs))


class Encoders(Case):
    def test_nomic(self):
        torch.manual_seed(6)
        model = NomicBertModel(NomicBertConfig(vocab_size=1000, hidden_size=48, num_hidden_layers=2, initializer_range=0.2,
                                               num_attention_heads=4, intermediate_size=80)).eval()
        model.save_pretrained(here / "nomic")
        run("logits", "--quiet", "--model", here / "nomic", "--input", here / "x.safetensors", "--out",
            here / "y.safetensors")
        with torch.no_grad():
            theirs = model(input_ids=ids, attention_mask=mask).last_hidden_state * mask[:, :, None]
        self.assertSame(load_file(here / "y.safetensors")["last_hidden_state"], theirs)


class Architectures(Case):
    """Every other kind of decoder: outputs, adapters of both sides in both, merged models."""

    COMMON = {"initializer_range": 0.12, "bos_token_id": 1, "eos_token_id": 2}
    SIZES = {"hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 3, "num_attention_heads": 4,
             "max_position_embeddings": 512}
    KINDS = {
        "mistral": {**SIZES, "num_key_value_heads": 2, "sliding_window": 7},
        "gemma": {**SIZES, "num_key_value_heads": 1, "head_dim": 24},
        "phi": {**SIZES, "partial_rotary_factor": 0.5},
        "bloom": {"hidden_size": 72, "n_layer": 3, "n_head": 6},
    }

    def make(self, kind):
        torch.manual_seed(4)
        words = PreTrainedTokenizerFast(tokenizer_file=str(TOKENIZER / "tokenizer.json")).vocab_size
        config = AutoConfig.for_model(kind, vocab_size=words, **self.COMMON, **self.KINDS[kind])
        AutoModelForCausalLM.from_config(config).save_pretrained(here / kind)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / name, here / kind / name)
        return here / kind

    def test_there_and_back(self):
        for kind in self.KINDS:
            with self.subTest(kind):
                model = self.make(kind)
                alone = our_logits(model)
                self.assertSame(alone, their_logits(load(model)))

                finetune(model, f"{kind}-lora", "--method", "lora", "--rank", "4")
                adapter, merged = here / f"{kind}-lora" / "adapter", here / f"{kind}-merged"
                ours = our_logits(model, adapter)
                self.assertGreater(difference(ours, alone), MOVED)
                self.assertSame(ours, their_logits(PeftModel.from_pretrained(load(model), adapter).eval()))
                run("merge", "--quiet", "--model", model, "--adapter", adapter, "--out", merged)
                self.assertSame(ours, our_logits(merged))
                self.assertSame(ours, their_logits(load(merged)))

                peft = get_peft_model(load(model), LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
                randomise(peft)
                folder, theirs = save(peft, f"{kind}-peft")
                self.assertGreater(difference(theirs, alone), MOVED)
                self.assertSame(our_logits(model, folder), theirs)


def rows():
    colours = ["red", "blue", "green", "black"]
    return [{"id": f"r{i}", "task": "colours", "context": "", "question": f"What colour has box {i}?",
             "choices": colours, "answer": i % 4, "meta": {"answer": "text"}} for i in range(24)]


class Theirs(Case):
    """What PEFT writes, read by our programs."""

    # Read: the logits are the same, and so are those of the merged model.
    READ = {
        "all": {"target_modules": "all-linear"},
        "two": {"target_modules": ["q_proj", "down_proj"], "lora_alpha": 3},
        "paths": {"target_modules": [f"model.layers.{i}.self_attn.{p}_proj" for i in (0, 2) for p in "qo"]},
        "many_paths": {"target_modules": [f"layers.{i}.{p}_proj" for i in (0, 2)
                                          for p in ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o",
                                                    "mlp.gate", "mlp.up", "mlp.down")]},
        "rank_stabilised": {"use_rslora": True, "r": 5},
        "dora": {"use_dora": True},
        "dora_rank_stabilised": {"use_dora": True, "use_rslora": True, "r": 3},
        "dropout": {"lora_dropout": 0.2},
        "gaussian": {"init_lora_weights": "gaussian"},
        "orthogonal": {"init_lora_weights": "orthogonal"},
        "not_initialised": {"init_lora_weights": False},
        "fan_in_fan_out": {"fan_in_fan_out": True},  # PEFT turns it off on linears
        "rank_pattern": {"rank_pattern": {"q_proj": 7, "v_proj": 2, "model.layers.1.mlp.up_proj": 3}},
        "alpha_pattern": {"alpha_pattern": {"q_proj": 3, "layers.1.mlp.down_proj": 40, "gate_proj": 1}},
        "both_patterns": {"rank_pattern": {"layers.0.self_attn.q_proj": 6, "o_proj": 12, "q_proj": 2},
                          "alpha_pattern": {"^model.layers.0.self_attn.q_proj": 5, "q_proj": 9}, "use_rslora": True},
        "patterns_of_dora": {"rank_pattern": {"v_proj": 2}, "alpha_pattern": {"k_proj": 3}, "use_dora": True},
        "no_causal_lm": {"task_type": None},
        "layers": {"layers_to_transform": [0, 2]},
        "one_layer": {"layers_to_transform": 1},
        "layers_that_are_not_there": {"layers_to_transform": [1, 40, -1]},
        "layers_of_a_list": {"layers_to_transform": [2], "layers_pattern": "layers"},
        "layers_of_lists": {"layers_to_transform": [2], "layers_pattern": ["h", "model.layers"]},
        "layers_and_paths": {"target_modules": ["model.layers.0.mlp.up_proj", "layers.1.mlp.gate_proj", "q_proj"],
                             "layers_to_transform": [2]},
        "excluded": {"exclude_modules": ["down_proj", "layers.1.self_attn.q_proj"]},
        "excluded_in_layers": {"exclude_modules": ["v_proj"], "layers_to_transform": [0, 1], "use_dora": True},
        "excluded_of_all": {"target_modules": "all-linear", "exclude_modules": ["o_proj", "lm_head"]},
        "nothing_excluded": {"exclude_modules": ["lm_head", "proj"]},
        "nothing_excluded_by_expression": {"exclude_modules": ".*(vision|lm_head).*"},
        "excluded_by_a_name_alone": {"exclude_modules": "q_proj"},  # an expression for the whole path: nothing
        "nose_proj": {"target_modules": ["q_proj", "nose_proj"]},
    }
    # Refused, naming the key.
    REFUSED = {
        "rank_pattern": {"rank_pattern": {r"layers\.[01]\..*q_proj": 2}},
        "alpha_pattern": {"alpha_pattern": {r".*(q|k)_proj": 2}},
        "modules_to_save": {"modules_to_save": ["lm_head"]},
        "bias": {"bias": "all"},
        "bias ": {"bias": "lora_only"},
        "lora_bias": {"lora_bias": True},
        "target_modules": {"target_modules": r".*layers\.[02].*q_proj"},
        "embed_tokens": {"target_modules": ["q_proj", "embed_tokens"]},
        "lm_head": {"target_modules": ["q_proj", "lm_head"]},
        "exclude_modules": {"exclude_modules": r".*layers\.0\..*"},
        "layers_pattern": {"layers_to_transform": [1], "layers_pattern": "(h|layers)"},
        "layer_replication": {"layer_replication": [[0, 2], [1, 3]]},
        "trainable_token_indices": {"trainable_token_indices": [3, 4]},
        "init_lora_weights": {"init_lora_weights": "pissa"},
        "init_lora_weights ": {"init_lora_weights": "olora"},
        "alora_invocation_tokens": {"alora_invocation_tokens": [5]},
        "kasa_config": {"kasa_config": KasaConfig()},
        "use_bdlora": {"use_bdlora": BdLoraConfig(target_modules_bd_b=["q_proj"], nblocks=2, match_strict=False)},
    }
    OTHERS = {"ADALORA": AdaLoraConfig(total_step=10, target_modules=["q_proj"]),
              "IA3": IA3Config(target_modules=["q_proj"], feedforward_modules=[]),
              "LOHA": LoHaConfig(target_modules=["q_proj"]),
              "VERA": VeraConfig(target_modules=["q_proj"])}

    @staticmethod
    def lora(**options):
        options = {"task_type": "CAUSAL_LM", "r": 4, "lora_alpha": 8, "target_modules": LINEARS} | options
        return get_peft_model(load(), LoraConfig(**options))

    def refuse(self, folder, why):
        got = program("logits", "--model", base, "--adapter", folder, "--input", here / "x.safetensors", "--out",
                      here / "none.safetensors")
        self.assertNotEqual(got.returncode, 0)
        self.assertIn(f"'{why}'", got.stderr)
        self.assertEqual(got.stderr.count("\n"), 1)
        self.assertFalse((here / "none.safetensors").exists())

    def test_trained(self):
        for name in ("all", "two", "dora"):
            with self.subTest(name):
                folder, theirs = save(train(self.lora(**self.READ[name])), f"trained-{name}")
                self.assertMoved(theirs)
                self.assertSame(our_logits(adapter=folder), theirs)

    def test_read(self):
        for name, options in self.READ.items():
            with self.subTest(name):
                model = self.lora(**options)
                randomise(model)
                folder, theirs = save(model, f"read-{name}")
                self.assertMoved(theirs)
                self.assertSame(our_logits(adapter=folder), theirs)
                merged = here / f"read-merged-{name}"
                run("merge", "--quiet", "--model", base, "--adapter", folder, "--out", merged)
                self.assertSame(their_logits(load(merged)), theirs)
                self.assertSame(their_logits(model.merge_and_unload()), theirs)

    def test_order_of_patterns(self):
        """The first pattern that fits a linear counts, in the order of the file."""
        for name, pattern in (("first", {"v_proj": 40, "model.layers.1.self_attn.v_proj": 2}),
                              ("last", {"model.layers.1.self_attn.v_proj": 2, "v_proj": 40})):
            with self.subTest(name):
                model = self.lora()
                randomise(model)
                folder, _ = save(model, f"order-{name}")
                config = json.loads((folder / "adapter_config.json").read_text()) | {"alpha_pattern": pattern}
                (folder / "adapter_config.json").write_text(json.dumps(config))
                theirs = their_logits(PeftModel.from_pretrained(load(), folder).eval())
                self.assertMoved(theirs)
                self.assertSame(our_logits(adapter=folder), theirs)

    def test_tied_embeddings(self):
        make_base(here / "tied", tied=True)
        model = get_peft_model(load(here / "tied"), LoraConfig(task_type="CAUSAL_LM", target_modules=LINEARS))
        randomise(model)
        folder, theirs = save(model, "on-tied")
        self.assertSame(our_logits(here / "tied", folder), theirs)
        run("merge", "--quiet", "--model", here / "tied", "--adapter", folder, "--out", here / "tied-merged")
        self.assertSame(their_logits(load(here / "tied-merged")), theirs)
        self.assertSame(our_logits(here / "tied-merged"), theirs)

    def test_half_precision(self):
        model = self.lora().bfloat16().float()
        randomise(model)
        for type in (torch.bfloat16, torch.float16):
            with self.subTest(type):
                folder, _ = save(model.to(type), f"half-{type}")
                theirs = their_logits(PeftModel.from_pretrained(load(), folder).eval())
                self.assertSame(our_logits(adapter=folder), theirs)

    def test_refused(self):
        for name, options in self.REFUSED.items():
            with self.subTest(name):
                model = self.lora(**options)
                randomise(model)
                model.save_pretrained(here / f"refused-{name}")
                self.refuse(here / f"refused-{name}", name.strip())

    def test_other_methods_refused(self):
        for name, config in self.OTHERS.items():
            with self.subTest(name):
                get_peft_model(load(), config).save_pretrained(here / name)
                self.refuse(here / name, name)

    def test_embeddings_refused(self):
        self.lora().save_pretrained(here / "embeddings", save_embedding_layers=True)
        self.refuse(here / "embeddings", "base_model.model.lm_head.weight")


def write_gguf(path, model, name, pre, eos, around=False):
    """A llama of Transformers as a GGUF file, with the vocabulary of a fixture's tokenizer.json."""
    config, weights = model.config, {k: v.numpy() for k, v in model.state_dict().items()}
    tokenizer = json.loads((TOKENIZER.parent / name / "tokenizer.json").read_text())
    out = gguf.GGUFWriter(path, "llama")
    out.add_embedding_length(config.hidden_size)
    out.add_feed_forward_length(config.intermediate_size)
    out.add_block_count(config.num_hidden_layers)
    out.add_head_count(config.num_attention_heads)
    out.add_head_count_kv(config.num_key_value_heads)
    out.add_context_length(config.max_position_embeddings)
    out.add_layer_norm_rms_eps(config.rms_norm_eps)
    kinds = {id: (token, gguf.TokenType.NORMAL) for token, id in tokenizer["model"]["vocab"].items()}
    for token in tokenizer["added_tokens"]:
        kind = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
        kinds[token["id"]] = (token["content"], kind)
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre(pre)
    out.add_token_list([kinds[id][0] for id in sorted(kinds)])
    out.add_token_types([kinds[id][1] for id in sorted(kinds)])
    merges = tokenizer["model"]["merges"]
    out.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    out.add_bos_token_id(eos)
    out.add_eos_token_id(eos)
    out.add_pad_token_id(eos)
    out.add_add_bos_token(around)
    out.add_add_eos_token(around)
    out.add_chat_template("{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}")
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for key, value in weights.items():
        heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(key.split(".")[-2])
        if heads:  # GGUF's rotary pairs neighbours
            rows, cols = value.shape
            value = value.reshape(heads, 2, rows // heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)
        out.add_tensor(names.get_name(key, (".weight",)), value)
    for step in (out.write_header_to_file, out.write_kv_data_to_file, out.write_tensors_to_file, out.close):
        step()
    return len(kinds)


class Merged(Case):
    """A merged GGUF (or toy) is a folder that Transformers takes: the same logits, tokens and ends of texts."""

    STRINGS = json.loads((TOKENIZER.parent / "strings.json").read_text())

    def same_tokens(self, model, folder):
        (here / "s.json").write_text(json.dumps(self.STRINGS))
        run("tokenize", "--quiet", "--model", model, "--input", here / "s.json", "--out", here / "t.json")
        theirs = AutoTokenizer.from_pretrained(folder)
        for text, ours in zip(self.STRINGS, json.loads((here / "t.json").read_text()), strict=True):
            self.assertEqual(theirs(text)["input_ids"], ours["ids"], text)
            self.assertEqual(theirs(text, add_special_tokens=False)["input_ids"], ours["raw"], text)
            self.assertEqual(theirs.decode(ours["ids"]), ours["decoded"], text)
        return theirs

    def test_gguf(self):
        for name, pre, vocabulary, eos, around in (("byte_phi", "gpt-2", 1316, 1300, False),
                                                   ("byte_phi", "gpt-2", 1316, 1300, True),
                                                   ("smollm2", "smollm", 49152, 2, False)):
            with self.subTest(name, around=around):
                torch.manual_seed(4)
                config = LlamaConfig(vocab_size=vocabulary, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
                                     num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
                                     tie_word_embeddings=True, initializer_range=0.12)
                model = LlamaForCausalLM(config).eval()
                folder = here / f"gguf-{name}-{around}"
                folder.mkdir()
                self.assertEqual(write_gguf(folder / "model.gguf", model, name, pre, eos, around), vocabulary)
                model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=LINEARS))
                randomise(model)
                adapter, theirs = save(model, f"{folder.name}-adapter")
                self.assertSame(our_logits(folder / "model.gguf", adapter), theirs)
                merged = here / f"{folder.name}-merged"
                run("merge", "--quiet", "--model", folder / "model.gguf", "--adapter", adapter, "--out", merged)
                self.assertSame(our_logits(merged), theirs)
                self.assertSame(their_logits(load(merged)), theirs)
                tokenizer = self.same_tokens(folder / "model.gguf", merged)
                self.same_tokens(merged, merged)
                self.assertEqual(tokenizer.eos_token_id, eos)
                self.assertEqual(tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False),
                                 "[user] Hi")
                self.assertEqual(GenerationConfig.from_pretrained(merged).eos_token_id, eos)

    def test_toy(self):
        folder = here / "toy"
        run("finetune", "--quiet", "--model", "toy", "--data", "suite", "--method", "lora", "--rank", "4", "--steps",
            "2", "--batch", "4", "--lr", "0.05", "--warmup", "0", "--eval-limit", "0", "--out", folder)
        run("merge", "--quiet", "--model", "toy", "--adapter", folder / "adapter", "--out", here / "toy-merged")
        self.assertEqual(self.same_tokens("toy", here / "toy-merged").eos_token_id, 256)
        bytes = ids % 256
        save_file({"input_ids": bytes}, here / "bytes.safetensors")
        run("logits", "--quiet", "--model", "toy", "--adapter", folder / "adapter", "--input",
            here / "bytes.safetensors", "--out", here / "y.safetensors")
        with torch.no_grad():
            self.assertSame(load_file(here / "y.safetensors")["logits"], load(here / "toy-merged")(bytes).logits)


class FourBits(Case):
    """Linears in the four bits of bitsandbytes."""

    base = here / "multiples-of-64"  # of other widths bitsandbytes reads other numbers on a CPU than on a GPU

    @classmethod
    def setUpClass(cls):
        make_base(cls.base, tied=False, intermediate_size=192)

    def load(self, folder, **four_bits):
        """In float32, so that both sides multiply the same numbers; the AVX512-BF16 kernels of bitsandbytes round x."""
        config = {"quantization_config": BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.float32,
                                                            **four_bits)} if four_bits else {}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **config)
        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):
                module.support_avx512bf16_for_cpu = False
        return model.eval()

    def test_theirs(self):
        for code in ("nf4", "fp4"):
            for twice in (False, True):
                with self.subTest(code, twice=twice):
                    model = self.load(self.base, bnb_4bit_quant_type=code, bnb_4bit_use_double_quant=twice)
                    folder, theirs = save(model, f"{code}-{twice}")
                    self.assertMoved(theirs)
                    self.assertSame(our_logits(folder), theirs)

    def test_ours(self):
        folder = here / "ours-nf4"
        run("quantise", "--quiet", "--model", self.base, "--out", folder)
        of_theirs = save(self.load(self.base, bnb_4bit_quant_type="nf4"), "theirs-nf4")[0]
        ours, theirs = load_file(folder / "model.safetensors"), load_file(of_theirs / "model.safetensors")
        self.assertEqual(set(ours), set(theirs))
        for name, tensor in theirs.items():
            if "quant_state" in name:
                self.assertEqual(json.loads(bytes(ours[name].tolist())), json.loads(bytes(tensor.tolist())))
            else:
                self.assertTrue(torch.equal(ours[name], tensor), name)
        model = self.load(folder)
        self.assertSame(our_logits(folder), their_logits(model))

        finetune(folder, "nf4-run", "--method", "lora", "--rank", "4")
        adapted = PeftModel.from_pretrained(model, here / "nf4-run" / "adapter").eval()
        self.assertSame(our_logits(folder, here / "nf4-run" / "adapter"), their_logits(adapted))
        run("merge", "--quiet", "--model", folder, "--adapter", here / "nf4-run" / "adapter", "--out",
            here / "nf4-merged")
        self.assertSame(their_logits(load(here / "nf4-merged")), their_logits(adapted))


if __name__ == "__main__":
    unittest.main(warnings="ignore")

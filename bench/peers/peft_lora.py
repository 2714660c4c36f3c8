#!/usr/bin/env python3
"""PEFT and Transformers as their documentation uses them: a batch padded to its longest example, logits at every token."""
import peft
import torch

import contestant

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def collate(batch, device):
    longest = max(len(e["ids"]) for e in batch)
    ids = torch.zeros(len(batch), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, e in enumerate(batch):
        row, n = torch.tensor(e["ids"]), len(e["ids"])
        ids[i, :n], mask[i, :n] = row, 1
        labels[i, e["n_prompt"]:n] = row[e["n_prompt"]:]
    return {name: t.to(device) for name, t in {"input_ids": ids, "attention_mask": mask, "labels": labels}.items()}


def main():
    options = contestant.parse(__doc__, ("--bf16", "products in bfloat16 (autocast)"), ("--cuda", "on a card"))
    device = "cuda" if options.cuda else "cpu"
    model = peft.get_peft_model(
        contestant.load(options.model),
        peft.LoraConfig(r=contestant.RANK, lora_alpha=contestant.ALPHA, lora_dropout=0.0, target_modules=LINEARS,
                        task_type="CAUSAL_LM")).to(device)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=contestant.LEARNING_RATE, weight_decay=0)

    def step(batch):
        inputs = collate(batch, device)
        with torch.autocast(device, torch.bfloat16, enabled=options.bf16):
            loss = model(**inputs).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return inputs["input_ids"].numel(), loss.item()

    contestant.take_turns(options.examples, parameters, step, peft=peft.__version__)


if __name__ == "__main__":
    main()

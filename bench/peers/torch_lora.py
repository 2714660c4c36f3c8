#!/usr/bin/env python3
"""The same step in plain PyTorch, written by hand for speed: examples laid end to end, attention one example at a time,
one product for q, k, v and one for gate, up, logits at the rows of answers alone, a fused optimiser."""
import torch
from torch.nn import functional

import contestant

SCALE = contestant.ALPHA / contestant.RANK


class AdaptedProduct(torch.autograd.Function):
    """x W^T + SCALE (x A^T) B^T for linears that read the same x, W and A on top of each other, one B each."""

    @staticmethod
    def forward(ctx, x, weight, a, *bs):
        low = x @ a.T
        out = x @ weight.T
        for part, low_part, b in AdaptedProduct.parts(out, low, bs):
            part.addmm_(low_part, b.T, alpha=SCALE)
        ctx.save_for_backward(x, weight, a, low, *bs)
        return out

    @staticmethod
    def backward(ctx, gradient):
        x, weight, a, low, *bs = ctx.saved_tensors
        low_gradient = torch.empty_like(low)
        b_gradients = []
        for (part, low_part, b), out in zip(AdaptedProduct.parts(gradient, low, bs),
                                            low_gradient.split(contestant.RANK, 1)):
            torch.mm(part, b, out=out)
            b_gradients.append((part.T @ low_part).mul_(SCALE))
        low_gradient.mul_(SCALE)
        x_gradient = None
        if ctx.needs_input_grad[0]:
            x_gradient = (gradient @ weight).addmm_(low_gradient, a)
        return x_gradient, None, low_gradient.T @ x, *b_gradients

    @staticmethod
    def parts(wide, low, bs):
        return zip(wide.split([b.shape[0] for b in bs], 1), low.split(contestant.RANK, 1), bs)


class AdaptedGroup:
    """Linears that read the same input."""

    def __init__(self, *linears):
        inputs = linears[0].in_features
        self.weight = torch.cat([linear.weight for linear in linears])
        bound = inputs**-0.5
        self.a = torch.empty(contestant.RANK * len(linears), inputs).uniform_(-bound, bound).requires_grad_()
        self.bs = [torch.zeros(linear.out_features, contestant.RANK).requires_grad_() for linear in linears]

    def __call__(self, x):
        return AdaptedProduct.apply(x, self.weight, self.a, *self.bs)

    def parameters(self):
        return [self.a, *self.bs]


def normalise(x, weight, epsilon: float):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def rotated_heads(qkv, cos, sin, heads: int, key_heads: int):
    """q, k and v, each [tokens, heads, width], q and k turned by their positions."""
    qkv = qkv.unflatten(1, (heads + 2 * key_heads, -1))
    turning, v = qkv.split([heads + key_heads, key_heads], 1)
    left, right = turning.chunk(2, -1)
    turned = torch.cat([left * cos - right * sin, right * cos + left * sin], -1)
    q, k = turned.split([heads, key_heads], 1)
    times = heads // key_heads
    return q, k.repeat_interleave(times, 1), v.repeat_interleave(times, 1)


def gated(both):
    gate, up = both.chunk(2, -1)
    return functional.silu(gate) * up


class Model:
    def __init__(self, source, compiled):
        config = source.config
        self.heads, self.key_heads, self.epsilon = (config.num_attention_heads, config.num_key_value_heads,
                                                    config.rms_norm_eps)
        self.frequencies = source.model.rotary_emb.inv_freq
        self.embedding, self.last_norm, self.head = (source.model.embed_tokens.weight, source.model.norm.weight,
                                                     source.lm_head.weight)
        self.layers = [(layer.input_layernorm.weight,
                        AdaptedGroup(layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj),
                        AdaptedGroup(layer.self_attn.o_proj), layer.post_attention_layernorm.weight,
                        AdaptedGroup(layer.mlp.gate_proj, layer.mlp.up_proj), AdaptedGroup(layer.mlp.down_proj))
                       for layer in source.model.layers]
        small = normalise, rotated_heads, gated
        self.normalise, self.rotated_heads, self.gated = (
            [torch.compile(f, dynamic=True) for f in small] if compiled else small)

    def parameters(self):
        return [p for layer in self.layers for part in layer if isinstance(part, AdaptedGroup)
                for p in part.parameters()]

    def loss(self, ids, positions, lengths, rows, targets):
        angles = (positions[:, None] * self.frequencies)[:, None]
        cos, sin = angles.cos(), angles.sin()
        x = self.embedding[ids]
        for norm_1, qkv, out, norm_2, gate_up, down in self.layers:
            heads = self.rotated_heads(qkv(self.normalise(x, norm_1, self.epsilon)), cos, sin, self.heads,
                                       self.key_heads)
            attended = [functional.scaled_dot_product_attention(*(h.transpose(0, 1)[None] for h in of_example),
                                                                is_causal=True)[0].transpose(0, 1)
                        for of_example in zip(*(h.split(lengths) for h in heads))]
            x = x + out(torch.cat(attended).flatten(1))
            x = x + down(self.gated(gate_up(self.normalise(x, norm_2, self.epsilon))))
        logits = self.normalise(x[rows], self.last_norm, self.epsilon) @ self.head.T
        return functional.cross_entropy(logits, targets)


def pack(batch):
    ids, positions, rows, targets = [], [], [], []
    for e in batch:
        n, first = len(e["ids"]), e["n_prompt"]
        rows += range(len(ids) + first - 1, len(ids) + n - 1)
        targets += e["ids"][first:]
        ids += e["ids"]
        positions += range(n)
    return (torch.tensor(ids), torch.tensor(positions), [len(e["ids"]) for e in batch], torch.tensor(rows),
            torch.tensor(targets))


def main():
    options = contestant.parse(__doc__, ("--compile", "norms, rotation and SwiGLU by torch.compile"))
    model = Model(contestant.load(options.model), options.compile)
    parameters = model.parameters()
    optimiser = torch.optim.AdamW(parameters, lr=contestant.LEARNING_RATE, weight_decay=0, fused=True)

    def step(batch):
        inputs = pack(batch)
        loss = model.loss(*inputs)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return len(inputs[0]), loss.item()

    contestant.take_turns(options.examples, parameters, step)


if __name__ == "__main__":
    main()

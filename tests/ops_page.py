#!/usr/bin/env python3
"""docs/ops.md against the ops: the page is made of the comments and functions of include/mor1e/ops. `--write` makes it anew."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPS = ROOT / "include/mor1e/ops"
PAGE = ROOT / "docs/ops.md"

GROUPS = {
    "Arithmetic": "add subtract multiply divide negate power maximum minimum scale affine scale_by full",
    "Functions of one element": "abs exp log sqrt square pow reciprocal sin cos tanh clamp",
    "Activations": "relu leaky_relu gelu_erf gelu_tanh silu sigmoid softplus gated_silu gated_gelu_tanh",
    "Comparisons and choices": "greater greater_equal less less_equal equal where",
    "Reductions": "sum mean max min log_sum_exp segment_mean",
    "Products": "matmul batched_matmul linear block_linear frozen_linear",
    "Rows, columns and shapes": "transpose reshape rows columns concat_rows concat_columns gather_rows embedding"
    " frozen_embedding scale_columns fold_columns spread_columns",
    "Softmax and normalisation": "softmax log_softmax layer_norm rms_norm normalise_rows normalise_sum",
    "Losses": "cross_entropy linear_cross_entropy binary_cross_entropy_with_logits mse_loss l1_loss",
    "Attention": "attention attention_cached rotary rotary_table dropout noise",
    "Experts": "rank1_gates rank1_weights expert_slots top_k_mask capacity_mask excess group_mean router_statistics"
    " updated_row_norms",
}
TORCH = {
    "cat, dim 0 and 1": "concat_rows concat_columns",
    "bmm": "batched_matmul",
    "logsumexp": "log_sum_exp",
    "amax, amin": "max min",
    "masked_fill": "where",
    "narrow, slices": "rows columns",
    "index_select, dim 0": "gather_rows",
    "x.T, x.view": "transpose reshape",
    "F.gelu, approximate 'tanh'": "gelu gelu_tanh",
    "F.normalize": "normalise_rows",
    "F.scaled_dot_product_attention": "attention",
}
HEAD = """# Ops

Made by `tests/ops_page.py --write` of the comments and functions in [ops/](../include/mor1e/ops); a test holds it against them. How to write
another: [adding-an-op.md](adding-an-op.md).

A value is a matrix; `x [T, n] -> y [T, n]` gives shapes, `dx` is the gradient of the loss by x. Functions of one element keep the shape. Each
op is called as `ops::name(t, x, ...)` with a tape and its vars. Those of general use take values instead, `name(x, ...)`, which know their
tape; where two operands are values, one may be a number. `over` is `ops::over::all` (the default), `rows` (one result a column) or `columns`
(one result a row). Batches are rows: blocks of equal size in `batched_matmul`, segments of any size in attention.
"""

FUNCTION = re.compile(r"^(?:value<B, T>|var<T>|auto|\w+<T>) (\w+|operator\S+?)\(", re.MULTILINE)


def parameters(source, start):
    """The parameters from the opening parenthesis on, as (type, name, default)."""
    depth, end = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(source[end], 0)
        end += 1
    inside = " ".join(source[start : end - 1].split())
    for part in re.split(r", (?![^<]*>)", inside) if inside else []:
        declared, _, default = part.partition(" = ")
        kind, _, name = declared.rpartition(" ")
        yield kind, name, default


def functions(source):
    """How each function of an op is called: (name, "name(x, y = 1)", on values)."""
    calls = []
    for match in FUNCTION.finditer(source):
        name, arguments = match[1], list(parameters(source, match.end()))
        if any(kind.startswith("call<") for kind, *_ in arguments):
            continue
        on_values = not any(kind.startswith("tape<") for kind, *_ in arguments)
        names = [argument for _, argument, _ in arguments]
        shown = ", ".join(argument + (f" = {default}" if default else "") for _, argument, default in arguments)
        if name.startswith("operator"):
            symbol = name.removeprefix("operator")
            shown = f"{symbol}{names[0]}" if len(names) == 1 else f"{names[0]} {symbol} {names[1]}"
        else:
            shown = f"{name}({shown})"
        if (name, shown, on_values) not in calls:
            calls.append((name, shown, on_values))
    return calls


def definition(op, source):
    """The comment over the op's struct, without its slashes."""
    found = re.search(rf"((?:^///[^\n]*\n)+)(?:struct|using) {op}_op\b", source, re.MULTILINE)
    if not found:
        sys.exit(f"ops/{op}.hpp: no comment over {op}_op")
    return re.sub(r"^/// ?", "", found[1], flags=re.MULTILINE).rstrip()


def listed():
    return re.findall(r'"mor1e/ops/(\w+)\.hpp"', (OPS / "all.hpp").read_text())


def page():
    sources = {op: (OPS / f"{op}.hpp").read_text() for op in listed()}
    grouped = [op for ops in GROUPS.values() for op in ops.split()]
    if sorted(grouped) != sorted(sources):
        sys.exit(f"ops_page.py: in a group or in ops/all.hpp alone: {sorted(set(grouped) ^ set(sources))}")
    out, names = [HEAD], set()
    for group, ops in GROUPS.items():
        out.append(f"## {group}\n")
        for op in ops.split():
            calls = functions(sources[op])
            names |= {name for name, *_ in calls}
            shown = [call for _, call, on_values in calls if on_values] or [call for _, call, _ in calls]
            out.append(f"**{op}**: " + ", ".join(f"`{call}`" for call in shown) + "\n")
            out.append(f"```text\n{definition(op, sources[op])}\n```\n")
    out.append("## From PyTorch\n\nNames that are the same mean the same. Others:\n\n| PyTorch | here |\n|---|---|")
    for torch, here in TORCH.items():
        if missing := set(here.split()) - names:
            sys.exit(f"ops_page.py: no such function: {missing}")
        out.append(f"| `{torch}` | " + ", ".join(f"`{name}`" for name in here.split()) + " |")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    made = page()
    if "--write" in sys.argv:
        PAGE.write_text(made)
    stale = not PAGE.exists() or PAGE.read_text() != made
    print("docs/ops.md: " + ("out of date, run tests/ops_page.py --write" if stale else f"{len(listed())} ops"))
    sys.exit(stale)

#!/usr/bin/env python3
"""What kernels read and write, as cudasim counts it, against the least that they can: traffic.py PROGRAM STATS_FILE DOCUMENT

The program runs tests/cuda/traffic*.cpp: each kernel once, on [256, 1024] floats. cudasim has no cache: every access counts.
The table in the document (docs/cuda.md) must say the same; --update writes it anew.
"""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

PLANE, ROW, COLUMN = 256 * 1024 * 4, 1024 * 4, 256 * 4
# Parts of columns: 8 times 32 rows for each column.
PARTS = 8 * ROW
MOST = 1.15  # of the least bytes
SECTORS = 0.9  # of those that the bytes asked for fill, of those touched

# Part of the kernel's name: bytes that it must read and write. A row of weights is read once for each row of x, from
# the cache of a device; here it is counted as it is asked for.
LEAST = {
    "map_forward_body<": (PLANE, PLANE),
    "map_backward_body<": (2 * PLANE, PLANE),
    "gated_forward_body<": (2 * PLANE, PLANE),
    "gated_backward_body<": (3 * PLANE, 2 * PLANE),
    "axpby_body<": (2 * PLANE, PLANE),
    "multiply_body<": (2 * PLANE, PLANE),
    "zip_body<": (2 * PLANE, PLANE),
    "zip_sum_term<": (2 * PLANE, 0),
    "sum_all_term<": (PLANE, 0),
    "reduce_columns_kernel<4, mor1e::backend::kernels::plain_sum_term<": (PLANE, PARTS),
    "reduce_rows_kernel<1, 4, mor1e::backend::kernels::plain_sum_term<": (PLANE, COLUMN),
    "gather_rows_body<": (PLANE + 256 * COLUMN, PLANE),
    "softmax_forward_body<": (PLANE, PLANE),
    "softmax_backward_body<": (2 * PLANE, PLANE),
    "rms_norm_forward_body<": (2 * PLANE, PLANE + COLUMN),
    "rms_norm_backward_body<": (4 * PLANE, PLANE),
    "layer_norm_forward_body<": (3 * PLANE, PLANE + 2 * COLUMN),
    "layer_norm_backward_body<": (5 * PLANE, PLANE),
    "transposed_kernel<": (PLANE, PLANE),
    "reduce_rows_kernel<1, 4, mor1e::backend::kernels::cross_entropy_term<": (PLANE, 2 * COLUMN),
    "cross_entropy_backward_body<": (PLANE + 128 * 3 * COLUMN, PLANE),
    "cross_entropy_in_place_kernel<": (2 * PLANE, PLANE),
    "dropout_body<": (PLANE + 128 * 4 * COLUMN, PLANE),
    "rotary_turn_body<": (2 * PLANE, PLANE),  # the table, half as wide, once for each of two heads
    "scale_columns_term<": (2 * PLANE, PARTS),
    "fold_columns_body<": (PLANE, PLANE // 4),
    # A table entry for each chunk, which all threads read.
    "adam_update_kernel<": (4 * PLANE + 64 * 256 * 64, 3 * PLANE),
    "chunk_squares_kernel<": (PLANE + 64 * 256 * 32, 0),
    "clip_tensors_kernel<": (PLANE + 64 * 256 * 32, PLANE),
    "clear_tensors_kernel<": (64 * 256 * 32, PLANE),
    # The intuition of 128 experts, and an instance for each lane.
    "rank1_gates_forward_kernel<": (PLANE + PLANE // 2 + 4 * 32 * COLUMN, PLANE // 2),
    "rank1_gates_backward_kernel<": (PLANE + PLANE + 4 * 32 * COLUMN, PLANE),
}


HEADING = "| kernel on [256, 1024] | MB read | MB written | times the least | FLOP a byte |"


def counted(stats, part):
    kernels = [v for k, v in stats.items() if part in k]
    return kernels[0] if len(kernels) == 1 else None


def problems(stats):
    for part, (read, written) in LEAST.items():
        found = counted(stats, part)
        if found is None:
            yield f"{part}: not exactly one kernel has this in its name"
            continue
        for what, bytes, least in (("reads", found["global_load_bytes"], read), ("writes", found["global_store_bytes"], written)):
            if bytes < least:
                yield f"{part}: {what} {bytes} bytes, less than the {least} that it must"
            if bytes > MOST * least + 16384:  # partial sums and results, of a size that does not grow with the matrix
                yield f"{part}: {what} {bytes} bytes, {bytes / max(least, 1):.2f} times the {least} that it must"
        for way in ("load", "store"):
            touched, fewest = found[f"{way}_sectors"], found[f"{way}_sectors_min"]
            if touched > 1000 and fewest < SECTORS * touched:
                yield f"{part}: {way}s touch {touched} sectors where {fewest} would do"


def table(stats):
    """Operations: those of fp32 and fp64, a fused multiplication and addition as two, exp, sqrt and the like as one."""
    yield HEADING
    yield "|" + "---|" * 5
    for part, least in LEAST.items():
        found = counted(stats, part)
        if found is None:
            continue
        name = re.sub(r"^.*, mor1e::backend::kernels::", "", part).rstrip("<").replace("reduce_columns_kernel<4", "")
        rows = "rows: " if part.startswith("reduce_rows") else "columns: " if part.startswith("reduce_columns") else ""
        read, written = found["global_load_bytes"], found["global_store_bytes"]
        operations = found["flops_f32"] + found["flops_f64"] + found["special"]
        yield (f"| {rows}`{name}` | {read / 1e6:.2f} | {written / 1e6:.2f} | {(read + written) / sum(least):.2f} | "
               f"{operations / (read + written):.1f} |")  # fmt: skip


def main():
    update = "--update" in sys.argv
    program, file, document = (a for a in sys.argv[1:] if a != "--update")
    environment = dict(os.environ, CUDASIM_STATS=file)
    subprocess.run([program, "--test-case=cuda: traffic*"], env=environment, check=True)
    stats = json.loads(Path(file).read_text())
    found = list(problems(stats))
    lines, now = Path(document).read_text().splitlines(), list(table(stats))
    begin = lines.index(HEADING)
    end = next(i for i in range(begin, len(lines)) if not lines[i].startswith("|"))
    if update:
        Path(document).write_text("\n".join(lines[:begin] + now + lines[end:]) + "\n")
    else:
        found += [f"{document} says: {old}" for old in lines[begin:end] if old not in now]
        found += [f"{document} lacks: {new}" for new in now if new not in lines[begin:end]]
    for line in found:
        print(line)
    print(f"traffic: {len(LEAST)} kernels, {len(found)} problems")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""What kernels read and write, as cudasim counts it, against the least that they can: traffic.py PROGRAM STATS_FILE

The program runs tests/cuda/traffic*.cpp: each kernel once, on [256, 1024] floats. cudasim has no cache: every access counts.
"""
import json
import os
import subprocess
import sys

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
    # A table entry for each chunk, and a norm, which all threads read.
    "adam_update_kernel<": (4 * PLANE + 64 * 256 * 72, 3 * PLANE),
    "chunk_squares_kernel<": (PLANE + 64 * 256 * 32, 0),
    "clip_tensors_kernel<": (PLANE + 64 * 256 * 40, PLANE),
    "clear_tensors_kernel<": (64 * 256 * 32, PLANE),
    # The intuition of 128 experts, and an instance for each lane.
    "rank1_gates_forward_kernel<": (PLANE + PLANE // 2 + 4 * 32 * COLUMN, PLANE // 2),
    "rank1_gates_backward_kernel<": (PLANE + PLANE + 4 * 32 * COLUMN, PLANE),
}


def problems(stats):
    for part, (read, written) in LEAST.items():
        kernels = {k: v for k, v in stats.items() if part in k}
        if len(kernels) != 1:
            yield f"{part}: {len(kernels)} kernels have this in their name"
            continue
        (counted,) = kernels.values()
        for what, bytes, least in (("reads", counted["global_load_bytes"], read), ("writes", counted["global_store_bytes"], written)):
            if bytes > MOST * least + 16384:  # partial sums and results, of a size that does not grow with the matrix
                yield f"{part}: {what} {bytes} bytes, {bytes / max(least, 1):.2f} times the {least} that it must"
        for way in ("load", "store"):
            touched, fewest = counted[f"{way}_sectors"], counted[f"{way}_sectors_min"]
            if touched > 1000 and fewest < SECTORS * touched:
                yield f"{part}: {way}s touch {touched} sectors where {fewest} would do"


def main():
    program, file = sys.argv[1:]
    environment = dict(os.environ, CUDASIM_STATS=file)
    subprocess.run([program, "--test-case=cuda: traffic*"], env=environment, check=True)
    with open(file) as stats:
        found = list(problems(json.load(stats)))
    for line in found:
        print(line)
    print(f"traffic: {len(LEAST)} kernels, {len(found)} problems")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()

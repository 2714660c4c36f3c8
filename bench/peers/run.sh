#!/usr/bin/env bash
# How fast a LoRA step is beside PEFT and PyTorch: installs them below the build folder, builds ours, measures.
#
#     MOR1E_DATA=FOLDER bench/peers/run.sh [OPTIONS]        # options of run.py: --rounds, --contestants, --batches, ...
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
venv=$build/peers-venv
stop() { printf 'peers: %s\n' "$*" >&2; exit 1; }

[[ -n ${MOR1E_DATA:-} ]] || stop "MOR1E_DATA names no folder with <task>/train.jsonl"
[[ -d $MOR1E_DATA ]] || stop "MOR1E_DATA: there is no folder $MOR1E_DATA"
model=${MOR1E_SMOLLM2:-}
if [[ -z $model ]]; then
  for model in "${MOR1E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mor1e}"/models/smollm2/*.gguf; do break; done
fi
[[ -e $model ]] || stop "no SmolLM2 at $model: ./dev setup fetches it"
command -v python3 >/dev/null || stop "python3 is not installed"
python3 -c 'import ensurepip, venv' 2>/dev/null || stop "python3 has no venv: apt-get install python3-venv"

if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  echo "== install PEFT, Transformers and PyTorch (5 GB, in $venv)" >&2
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  rm -rf "$venv"
  if ! { python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: -r "$here/requirements.txt"; } >"$log" 2>&1; then
    rm -rf "$venv"
    stop "the installation failed: $(tail -n 1 "$log")"
  fi
  # Last: what holds this file is complete.
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

echo "== build" >&2
if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
cd "$root"
cmake --preset release -DMOR1E_BUILD_BENCH=ON >/dev/null
cmake --build "$build" --parallel "${MOR1E_JOBS:-$(nproc)}" --target peers >&2

exec env PYTHONDONTWRITEBYTECODE=1 python3 "$here/run.py" --build "$build" --model "$model" --data "$MOR1E_DATA" "$@"

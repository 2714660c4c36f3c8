#!/usr/bin/env bash
# run.sh BUILD: the round trip with PEFT, or exit code 77 (skipped) where setup.sh did not install what it needs.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
if ! cmp -s "$here/requirements.txt" "$build/interop-venv/requirements.txt"; then
  echo "tests/interop/setup.sh has not installed PEFT and Transformers, or others than requirements.txt says"
  exit 77
fi
exec env MOR1E_PROGRAMS="$build/bin" HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error PYTHONDONTWRITEBYTECODE=1 \
  "$build/interop-venv/bin/python" "$here/peft_round_trip.py"

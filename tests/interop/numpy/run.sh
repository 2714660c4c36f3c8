#!/usr/bin/env bash
# run.sh BUILD PYTHON: the round trip with NumPy, by the first Python that has it: $MOR1E_PYTHON, the one that
# tests/interop/setup.sh installs, PYTHON. Exit code 77 (skipped) where none has.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
for python in "${MOR1E_PYTHON:-}" "$build/interop-venv/bin/python" "$2"; do
  if [[ -n $python ]] && "$python" -c 'import numpy' 2>/dev/null; then
    exec env MOR1E_BUILD="$build" PYTHONDONTWRITEBYTECODE=1 "$python" "$here/numpy_round_trip.py"
  fi
done
echo "no Python with NumPy: set MOR1E_PYTHON, or run tests/interop/setup.sh"
exit 77

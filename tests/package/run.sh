#!/usr/bin/env bash
# run.sh BUILD WORK COMPILER: installs the build folder BUILD below WORK, then builds and runs the consumers beside this
# script: one finds the core of the installed package, one all of it, one adds the sources as a subdirectory.
set -euo pipefail
build=$1 work=$2 compiler=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$(cd "$here/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
# An installed package that leans on the tree it was built from works here and nowhere else.
if grep -rlF -e "$sources" -e "$build" "$work/prefix" --include='*.cmake'; then
  echo "package: the files above name the source or the build folder" >&2
  exit 1
fi

for consumer in core find_package subdirectory; do
  cmake -S "$here/$consumer" -B "$work/$consumer" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/$consumer.log"
  cmake --build "$work/$consumer"
  for program in "$work/$consumer"/with_*; do
    output=$("$program")
    echo "$consumer ${program##*/}: $output"
  done
done

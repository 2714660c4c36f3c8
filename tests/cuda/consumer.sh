#!/usr/bin/env bash
# consumer.sh BUILD WORK COMPILER: installs the core and the CUDA library below WORK, builds examples/consumer against
# them, and runs it on the processor and where there is no device. Without its .cu the linker names what is missing.
set -euo pipefail
build=$1 work=$2 compiler=$3
sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

rm -rf "$work"
mkdir -p "$work"
cmake --install "$build" --prefix "$work/prefix" >"$work/install.log"
cmake --install "$build" --prefix "$work/prefix" --component mor1e_cuda >>"$work/install.log"
nvcc=$(sed -n 's/^CMAKE_CUDA_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")
cp -r "$sources/examples/consumer" "$work/source"

build_consumer() {
  cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CUDA_COMPILER="$nvcc" \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH="$work/prefix" >"$work/configure.log" 2>&1 || cat "$work/configure.log"
  cmake --build "$work/build"
}

build_consumer
"$work/build/consumer"
if said=$("$work/build/consumer" cuda 2>&1); then
  echo "on the device: $said"
elif [[ $said == "consumer: no CUDA device"* && $(wc -l <<<"$said") == 1 ]]; then
  echo "without a device: $said"
else
  echo "consumer: $said" >&2
  exit 1
fi

sed -i '/target_sources/d' "$work/source/CMakeLists.txt"
if said=$(build_consumer 2>&1); then
  echo "it links without the kernels of its op" >&2
  exit 1
fi
grep -m1 'undefined reference to .*map_forward<cube_op, float>' <<<"$said"

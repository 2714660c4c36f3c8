#!/usr/bin/env bash
# run.sh BUILD WORK COMPILER PYTHON: holds Meson's build against CMake's build folder BUILD, then builds, installs and uses
# a part of it without optimisation, all below WORK. Ends with 77 where there is no Meson.
set -euo pipefail
build=$1 work=$2 compiler=$3 python=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sources=$(cd "$here/../.." && pwd)
if ! command -v meson >/dev/null; then
  echo "meson is not installed"
  exit 77
fi
jobs="${MOR1E_JOBS:-$(nproc)}"

cached() { sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"; }
feature() { case $(cached "$1") in ON) echo enabled ;; AUTO) echo auto ;; *) echo disabled ;; esac; }
flag() { if [[ $(cached "$1") == ON ]]; then echo true; else echo false; fi; }
fail() { printf 'meson: %s\n' "$*" >&2; exit 1; }
# Prints what it did only if it failed.
quietly() {
  local log="$work/log"
  if ! "$@" >"$log" 2>&1; then
    tail -n 100 "$log" >&2
    fail "failed: $*"
  fi
}

rm -rf "$work"
mkdir -p "$work/consumer" "$work/parent/subprojects"
# Meson looks for ccache only where no compiler is named.
launcher=$(cached CMAKE_CXX_COMPILER_LAUNCHER)
export CXX="${launcher:+$launcher }$compiler"
nvcc=$(cached CMAKE_CUDA_COMPILER)
if [[ -n $nvcc && $nvcc != *NOTFOUND ]]; then export NVCC=$nvcc; fi

# The same sources with the same options, and the same tests.
type=$(cached CMAKE_BUILD_TYPE)
quietly meson setup "$work/whole" "$sources" -Dtests=enabled -Dnative="$(flag MOR1E_NATIVE)" -Dcuda="$(feature MOR1E_CUDA)" \
  -Dcompute_capabilities="$(cached MOR1E_CUDA_ARCHITECTURES | tr ';' ,)" \
  -Dprograms="$(feature MOR1E_BUILD_PROGRAMS)" -Dbench="$(feature MOR1E_BUILD_BENCH)" -Dfatal_warnings="$(feature MOR1E_WERROR)"
"$python" "$here/compare.py" "$build" "$work/whole" "$sources" "$type"

# A program and a test.
quietly meson setup "$work/small" "$sources" -Dprograms=enabled -Dtests=enabled -Dcuda=disabled -Doptimization=0 -Dnative=false \
  --prefix "$work/prefix" --libdir "$(cached CMAKE_INSTALL_LIBDIR)"
quietly meson compile -j "$jobs" -C "$work/small" mor1e_compiled account test_core_rng
"$work/small/examples/account" --model toy --method lora
quietly meson test -C "$work/small" --no-rebuild core.rng

# Installed, the two builds differ in the files of CMake's own package alone (and in CUDA, which Meson left out above).
quietly meson install -C "$work/small" --no-rebuild
quietly cmake --install "$build" --prefix "$work/by_cmake"
rm -r "$work/by_cmake/$(cached CMAKE_INSTALL_LIBDIR)/cmake"
diff <(cd "$work/by_cmake" && find . -type f -o -type l | grep -v 'mor1e[-_]cuda' | sort) <(cd "$work/prefix" && find . -type f -o -type l | sort) ||
  fail "CMake (<) and Meson (>) install different files"
packages="$work/prefix/$(cached CMAKE_INSTALL_LIBDIR)/pkgconfig"
for file in "$packages"/*; do
  diff "$work/by_cmake/${file#"$work/prefix/"}" "$file" || fail "CMake (<) and Meson (>) write different files"
done
if grep -rlF -e "$sources" -e "$work" "$packages"; then fail "the files above name the source or the build folder"; fi

# The installed package, by pkg-config alone. All of the library is linked, so that a library missing in its file shows.
export PKG_CONFIG_PATH="$packages"
package="$sources/tests/package"
whole=(-Wl,--whole-archive "${packages%/*}/libmor1e_compiled.a" -Wl,--no-whole-archive)
use() {
  local name=$1 options
  read -ra options <<<"$(pkg-config --cflags --libs "$name")"
  "$compiler" -std=c++20 "${@:2}" "${options[@]}" -o "$work/with_$name"
  echo "$name: $("$work/with_$name")"
}
use mor1e-core "$package/core/main.cpp"
use mor1e "$package/main.cpp"
use mor1e-compiled "$package/main.cpp" "${whole[@]}"

# By dependency().
cp "$package/meson/meson.build" "$package/main.cpp" "$work/consumer"
quietly meson setup "$work/consumer/build" "$work/consumer" --wrap-mode nofallback
quietly meson compile -j "$jobs" -C "$work/consumer/build"
for program in "$work"/consumer/build/with_{headers,compiled}; do echo "installed, ${program##*/}: $("$program")"; done

# As a subproject, which builds nothing that is not asked for.
cp "$package/meson/meson.build" "$package/main.cpp" "$work/parent"
ln -s "$sources" "$work/parent/subprojects/mor1e"
quietly meson setup "$work/parent/build" "$work/parent" --wrap-mode forcefallback
if ninja -C "$work/parent/build" -t query all | grep subprojects/; then fail "a guest builds the above in the project that holds it"; fi
quietly meson compile -j "$jobs" -C "$work/parent/build" with_headers
echo "subproject, with_headers: $("$work/parent/build/with_headers")"

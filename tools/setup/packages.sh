#!/usr/bin/env bash
# Installs the Debian packages this project needs, those that are missing only.
set -euo pipefail

packages=(g++ cmake ninja-build meson pkg-config git unzip python3 python3-pip clang-format
  libeigen3-dev nlohmann-json3-dev libpcre2-dev libutf8proc-dev libssl-dev # the library
  libcli11-dev libfmt-dev gnuplot-nox                                      # the programs and their pictures
  doctest-dev libbenchmark-dev)                                            # the tests and the benchmarks
# Faster products on the CPU, several processes, and what interop/ has an interface for; used and tested where they are
# installed.
optional=(libdnnl-dev libopenmpi-dev openmpi-bin libdlpack-dev libxtensor-dev)

if ! command -v dpkg-query >/dev/null; then
  echo "setup: not a Debian system: these are needed under the names used there: ${packages[*]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  if [[ $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) != ?i* ]]; then missing+=("$package"); fi
done
# The optional ones come along; that they alone are missing is somebody's choice.
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing packages, and neither root nor sudo here; as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
  # Without a terminal a password prompt would wait for ever.
  if [[ ! -t 0 ]]; then as_root+=(-n); fi
fi

echo "== install ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >>"$log" 2>&1; }
# An outdated index is no failure as long as the packages can be installed.
apt update || true
if ! apt install -y --no-install-recommends "${missing[@]}"; then
  tail -n 20 "$log" >&2
  echo "setup: apt-get could not install: ${missing[*]}" >&2
  exit 1
fi
if ! apt install -y --no-install-recommends "${optional[@]}"; then echo "setup: going on without ${optional[*]}"; fi

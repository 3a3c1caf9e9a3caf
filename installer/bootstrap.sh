#!/usr/bin/env bash
# Brings a Debian 12 machine to the point where Cuescope builds: Debian packages, and pinned PyPI parts under .deps/.
# Safe to run again: what is there already is left alone.
#   LIBTORCH=/path/to/libtorch   use that LibTorch instead of installing one (a folder with include/ and lib/)
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps="$root/.deps"
venv="$deps/venv"

say() { printf 'cuescope: %s\n' "$*" >&2; }
die() { say "$1"; say "next: $2"; exit 1; }

packages=(
  build-essential ninja-build ccache mold pkg-config python3 python3-venv
  qt6-base-dev qt6-svg-dev libqcustomplot-dev libgl1-mesa-dev libxkbcommon-dev
  libopencv-core-dev libopencv-imgproc-dev libopencv-imgcodecs-dev libopencv-videoio-dev
  nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libfmt-dev libpcre2-dev libutf8proc-dev libxxhash-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev
  fonts-inter fonts-jetbrains-mono xvfb xauth
)
# What checks the desktop files in the tests; installed with the rest, and never a reason to install anything.
checkers=(appstream desktop-file-utils shared-mime-info)
torch_pin="torch==2.11.0"
python_pins=("$torch_pin" "cmake==4.4.4" "ninja==1.13.2" "pyarrow==26.0.1")

install_debian() {
  command -v dpkg-query >/dev/null || die "this is not a Debian system: dpkg-query is missing" \
    "install the equivalents of: ${packages[*]}, then run again with CUESCOPE_SKIP_APT=1"
  local missing=()
  for p in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ "${#missing[@]}" -eq 0 ] && return 0
  local sudo=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "Debian packages are missing and this user may not install them: ${missing[*]}" \
      "run once as root: apt-get install ${missing[*]}"
    sudo="sudo"
  fi
  say "installing ${#missing[@]} Debian packages"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" "${checkers[@]}" >/dev/null
}

install_python() {
  local pins=("${python_pins[@]}")
  if [ -n "${LIBTORCH:-}" ]; then
    [ -f "$LIBTORCH/lib/libtorch_cpu.so" ] || die "LIBTORCH=$LIBTORCH holds no lib/libtorch_cpu.so" \
      "point LIBTORCH at an unpacked LibTorch 2.11 or unset it"
    pins=("${pins[@]:1}")
  fi
  local stamp="$deps/installed" want="${pins[*]}"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
  say "installing ${want} into .deps (about 4.5 GB with LibTorch, a few minutes)"
  mkdir -p "$deps"
  [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "${pins[@]}"
  printf '%s' "$want" >"$stamp"
}

[ -n "${CUESCOPE_SKIP_APT:-}" ] || install_debian
install_python

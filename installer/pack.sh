#!/usr/bin/env bash
# Gives an installed Cuescope its LibTorch and Arrow: from a folder of this machine, or from PyPI. The engine looks in
# lib/cuescope/pack beside itself. Needs write access there (root for a system-wide installation).
#   cuescope-pack --use DIR       DIR holds torch/ (a site-packages folder or a virtual environment), or is a LibTorch 2.11
#   cuescope-pack --fetch         for the CPU (about 900 MB to fetch)
#   cuescope-pack --fetch --cuda  with the CUDA libraries (about 2.5 GB to fetch)
#   cuescope-pack --show          what is there
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
pack=${CUESCOPE_PACK:-$here/../lib/cuescope/pack}
cpu_pins=(torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85 pyarrow==26.0.1)

say() { printf 'cuescope: %s\n' "$*" >&2; }
die() { say "$1"; say "next: $2"; exit 1; }
show() {
  [ -f "$pack/torch/lib/libtorch_cpu.so" ] && echo "LibTorch: $(readlink -f "$pack/torch")" || echo "LibTorch: none"
  compgen -G "$pack/pyarrow/libparquet.so.*" >/dev/null && echo "Arrow: $(readlink -f "$pack/pyarrow")" || echo "Arrow: none (parquet files do not open)"
  [ -f "$pack/nvidia/cudnn/lib/libcudnn.so.9" ] && echo "CUDA libraries: $(readlink -f "$pack/nvidia")" || echo "CUDA libraries: none"
}
# A part that lies in the pack itself would be removed and then linked to itself.
refuse_own() {
  local own; own=$(readlink -f "$pack")
  for each in "$@"; do
    case "$(readlink -f "$each")/" in "$own"/*) die "$each lies in the pack that is to be filled ($own)" "name another folder with torch 2.11; --show says what the pack has" ;; esac
  done
}
writable() { mkdir -p "$pack" 2>/dev/null && [ -w "$pack" ] || die "$pack cannot be written" "run it as root, or name a folder of your own in CUESCOPE_PACK"; }

case "${1:-}" in
  --show) show ;;
  --use)
    [ $# -eq 2 ] || die "--use takes one folder" "name the folder that holds torch/"
    found=""
    for d in "$2" "$2"/lib/python3*/site-packages; do
      if [ -f "$d/torch/lib/libtorch_cpu.so" ]; then found=$(readlink -f "$d"); break; fi
    done
    writable
    if [ -n "$found" ]; then
      refuse_own "$found" "$found/torch" "$found/nvidia" "$found/pyarrow"
      for part in torch nvidia pyarrow; do
        [ -d "$found/$part" ] || continue
        rm -rf "${pack:?}/$part"
        ln -s "$found/$part" "$pack/$part"
      done
    elif [ -f "$2/lib/libtorch_cpu.so" ]; then
      refuse_own "$2"
      found=$(readlink -f "$2")
      rm -rf "$pack/torch"
      ln -s "$found" "$pack/torch"
    else
      die "$2 holds no torch/lib/libtorch_cpu.so and no lib/libtorch_cpu.so" "name a site-packages folder with torch 2.11, or an unpacked LibTorch 2.11"
    fi
    show
    ;;
  --fetch)
    command -v python3 >/dev/null || die "python3 is missing; it is used to fetch from PyPI, never to run Cuescope" "apt-get install python3-venv, or use --use DIR"
    writable
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    python3 -m venv "$work/venv" || die "python3 cannot make a virtual environment" "apt-get install python3-venv"
    extra=()
    pins=("${cpu_pins[@]}")
    if [ "${2:-}" = --cuda ]; then pins=(torch==2.11.0 pyarrow==26.0.1); else extra=(--no-deps); fi
    say "fetching ${pins[*]} into $pack"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --no-cache-dir "${extra[@]}" --target "$work/new" "${pins[@]}"
    # The engine needs the libraries alone; the CPU pack leaves out what cannot be loaded without CUDA.
    rm -rf "$work"/new/*.dist-info "$work/new/bin" "$work/new/torch/include" "$work/new/torch/bin"
    [ "${2:-}" = --cuda ] || rm -f "$work"/new/torch/lib/libtorch_cuda*.so
    for part in torch nvidia pyarrow; do
      [ -d "$work/new/$part" ] || continue
      rm -rf "${pack:?}/$part"
      mv "$work/new/$part" "$pack/$part"
    done
    show
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    [ "${1:-}" = --help ] || exit 2
    ;;
esac

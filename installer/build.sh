#!/usr/bin/env bash
# Configures and builds one preset, quietly when nothing changed. Usage: build.sh PRESET [TARGET...]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
preset=$1
shift
bash installer/bootstrap.sh
export PATH="$root/.deps/venv/bin:$PATH"
log="$root/build/$preset.log"
mkdir -p "$root/build"
run() {
  if [ -t 1 ] || [ -n "${CUESCOPE_VERBOSE:-}" ]; then "$@" 2>&1 | tee -a "$log"; else "$@" >>"$log" 2>&1; fi
}
: >"$log"
[ -d "build/$preset/bin" ] || echo "cuescope: building for the first time, ten to twenty minutes on two cores; follow it in build/$preset.log" >&2
[ -f "build/$preset/build.ninja" ] || run cmake --preset "$preset" ||
  { tail -n 40 "$log" >&2; echo "cuescope: configuring failed; the whole log is $log" >&2; exit 1; }
targets=()
for t in "$@"; do targets+=(--target "$t"); done
run cmake --build "build/$preset" "${targets[@]}" ||
  { tail -n 60 "$log" >&2; echo "cuescope: the build failed; the whole log is $log" >&2; exit 1; }

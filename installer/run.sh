#!/usr/bin/env bash
# Sets everything up, builds the release and opens the studio on the built-in demo. Arguments go to the studio.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
needs_display=1
for a in "$@"; do case "$a" in --tour* | --bench* | --help | -h | --version | render) needs_display= ;; esac done
display="${DISPLAY:-}${WAYLAND_DISPLAY:-}${QT_QPA_PLATFORM:-}"
if [ -n "$needs_display" ] && [ -z "$display" ]; then
  echo "cuescope: there is no display here (DISPLAY and WAYLAND_DISPLAY are empty)." >&2
  echo "next: run it on a desktop, or let it show itself in pictures: bash installer/run.sh --tour DIR" >&2
  exit 1
fi
[ -n "$display" ] || export QT_QPA_PLATFORM=offscreen
bash "$root/installer/build.sh" release cuescope cuescope-cli cuescope_engine
exec "$root/build/release/bin/cuescope" "$@"

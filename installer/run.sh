#!/usr/bin/env bash
# Sets everything up, builds the release and opens the studio on the built-in demo. Arguments go to the studio.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/installer/build.sh" release cuescope cuescope-cli cuescope_engine
wants_display=1
for a in "$@"; do case "$a" in --tour* | --help | -h | --version | render) wants_display= ;; esac done
if [ -n "$wants_display" ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ -z "${QT_QPA_PLATFORM:-}" ]; then
  echo "cuescope: there is no display here (DISPLAY and WAYLAND_DISPLAY are empty)." >&2
  echo "next: run it on a desktop, or let it show itself to files: bash installer/run.sh --tour DIR" >&2
  exit 1
fi
[ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || export QT_QPA_PLATFORM="${QT_QPA_PLATFORM:-offscreen}"
exec "$root/build/release/bin/cuescope" "$@"

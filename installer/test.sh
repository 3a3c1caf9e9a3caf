#!/usr/bin/env bash
# Sets everything up, builds, runs every test under CTest and closes with the line «N passed, N failed».
# Arguments go to ctest (for example: -R tokenizer).
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
if ! bash installer/build.sh release; then
  echo "0 passed, 1 failed"
  exit 1
fi
export PATH="$root/.deps/venv/bin:$PATH"
out=$(mktemp)
ctest --preset release "$@" 2>&1 | tee "$out"
code=${PIPESTATUS[0]}
read -r passed failed skipped < <(python3 - "$out" <<'PY'
import re, sys
rows = re.findall(r"^\s*\d+/\d+ Test\s+#\d+: \S+ \.*\s*(\*\*\*\S+|Passed|\S+)", open(sys.argv[1], errors="replace").read(), re.M)
skipped = sum("Skipped" in r or "Disabled" in r for r in rows)
passed = sum(r == "Passed" for r in rows)
print(passed, len(rows) - passed - skipped, skipped)
PY
)
rm -f "$out"
if [ "$code" -ne 0 ] && [ "${failed:-0}" -eq 0 ]; then failed=1; fi
if [ "${passed:-0}" -eq 0 ] && [ "${failed:-0}" -eq 0 ]; then failed=1; fi
if [ "${skipped:-0}" -gt 0 ]; then echo "$skipped skipped, for want of what the lines above name"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

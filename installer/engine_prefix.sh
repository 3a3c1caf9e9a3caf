#!/usr/bin/env bash
# Fills a folder with the engine's small libraries (headers and shared objects, 5 MB) for machines that have torch, cmake
# and a compiler but no package manager. Run it on a Debian machine that bootstrap.sh has prepared, copy the folder into the
# checkout of the other machine, then there:  cmake --preset engine-gpu && cmake --build build/engine-gpu
# Usage: engine_prefix.sh [FOLDER]      default: .deps/engine-prefix in the checkout
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:-"$root/.deps/engine-prefix"}
fresh=$(mktemp -d "$(dirname "$out")/engine-prefix.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
mkdir -p "$fresh/include" "$fresh/lib" "$fresh/licences"
for package in nlohmann-json3-dev libyaml-cpp-dev libcli11-dev libfmt-dev libpcre2-dev libutf8proc-dev libxxhash-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev; do
  files=$(dpkg -L "$package" 2>/dev/null) || {
    echo "cuescope: the Debian package $package is not installed here" >&2
    echo "cuescope: next: run installer/bootstrap.sh on this machine first" >&2
    exit 1
  }
  while read -r file; do
    [ -f "$file" ] || continue
    case $file in
      /usr/include/*) name=${file#/usr/include/}; install -D -m 644 "$file" "$fresh/include/${name#x86_64-linux-gnu/}" ;;
      */libyaml-cpp.so | */libpcre2-8.so | */libutf8proc.so | */libpng16.so | */libjpeg.so | */libz.so)  # under the name that programs ask for
        install -m 644 "$(readlink -f "$file")" "$fresh/lib/$(objdump -p "$file" | awk '/SONAME/ {print $2}')" ;;
      */copyright) install -m 644 "$file" "$fresh/licences/$package" ;;
    esac
  done <<<"$files"
done
rm -rf "$out"
mv "$fresh" "$out"
chmod 755 "$out"
trap - EXIT
echo "cuescope: $(du -sh "$out" | cut -f1) in $out"

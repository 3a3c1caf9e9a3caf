#!/usr/bin/env bash
# Installs a package where nothing else is and starts what it holds: in a Debian 12 root that is made for it and thrown away.
#   try_package.sh FILE.deb [PACK]      the studio: doctor, selfcheck, an answer, and the tour without a display
#   try_package.sh FILE.tar.gz [PACK]   the engine for clusters, no Qt in the root: doctor, selfcheck, an answer, a run that goes on, its evaluation
# PACK is a folder for `cuescope-pack --use` (of this machine; seen read-only); without it the root fetches LibTorch itself, with
# `cuescope-pack --fetch`. Runs as root, needs debootstrap, and 2 GB (7 GB with a fetched LibTorch) beside this script's TMPDIR.
#   CUESCOPE_TRY_BASE=DIR    keeps the empty root for the next time
# Ends with 0 when everything worked.
set -euo pipefail
say() { printf 'cuescope: %s\n' "$*" >&2; }
die() { say "$1"; say "next: $2"; exit 1; }

[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
case $1 in *.deb) kind=deb ;; *.tar.gz) kind=archive ;; *) die "$1 is neither a .deb nor a .tar.gz" "name a package that cpack made" ;; esac
[ -f "$1" ] || die "$1 is not there" "make it: cd build/release && cpack -G DEB"
[ -z "${2:-}" ] || [ -d "$2" ] || die "$2 is no folder" "name a folder that holds torch/, or leave it out"
[ "$(id -u)" -eq 0 ] || die "a root for the trial can only be made by root" "run it with sudo"
command -v debootstrap >/dev/null || die "debootstrap is missing" "apt-get install debootstrap"
# In a mount namespace of its own: whatever happens, nothing stays mounted.
[ -n "${CUESCOPE_TRY_INSIDE:-}" ] || CUESCOPE_TRY_INSIDE=1 exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" "$@"

work=$(mktemp -d)
# Folders of this machine are mounted in the root: nothing is removed while one still is.
clean_up() {
  local at
  for at in media/pack dev proc; do umount -R -l "$work/root/$at" 2>/dev/null || true; done
  if grep -q " $work/" /proc/self/mountinfo; then say "$work is still mounted somewhere and stays; remove it by hand"; else rm -rf --one-file-system "$work"; fi
}
trap clean_up EXIT
base=${CUESCOPE_TRY_BASE:-$work/base} root=$work/root
if [ ! -f "$base/etc/debian_version" ]; then
  say "making a Debian 12 root"
  debootstrap --variant=minbase bookworm "$base" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log" >&2; die "debootstrap failed" "see the lines above"; }
fi
cp -a "$base" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
person() { chroot "$root" env -i PATH="$paths" HOME=/home/person XDG_RUNTIME_DIR=/run/person LANG=C.UTF-8 OMP_NUM_THREADS=2 setpriv --reuid person --regid person --clear-groups "$@"; }
step() { say "--- $*"; "$@" || die "this failed: $*" "see the lines above"; }

inside useradd --create-home person
cp "$1" "$root/tmp/"
name=$(basename "$1")
paths=/usr/bin:/bin
mkdir "$root/run/person" && inside chown person:person /run/person && chmod 700 "$root/run/person"
inside apt-get update -qq
fetches=""
[ -n "${2:-}" ] || fetches=python3-venv
if [ "$kind" = deb ]; then
  step inside apt-get install -qq --no-install-recommends "/tmp/$name" $fetches >"$work/apt.log"
  pack=/usr/bin/cuescope-pack
else
  step inside apt-get install -qq --no-install-recommends libgomp1 $fetches >"$work/apt.log"  # what any compiler's programs need
  mkdir "$root/opt/cuescope"
  step inside tar -xzf "/tmp/$name" -C /opt/cuescope --strip-components=1
  paths=/opt/cuescope/bin:$paths
  pack=/opt/cuescope/bin/cuescope-pack
  ! inside sh -c 'ls /usr/lib/x86_64-linux-gnu/ | grep -i -e qt -e opencv' || die "Qt or OpenCV came into the root" "look at what the archive needs"
fi
say "--- without LibTorch it says what to do"
! person cuescope-cli generate --model demo:student-weak --prompt hello 2>"$work/without" || die "an answer came without LibTorch" "look at where the engine found one"
cat "$work/without" >&2
grep -q cuescope-pack "$work/without" || die "the words above do not name cuescope-pack" "mend engine/core/engine_loader.cpp"
if [ -n "${2:-}" ]; then
  mkdir -p "$root/media/pack"
  mount --bind -o ro "$(readlink -f "$2")" "$root/media/pack"
  step inside "$pack" --use /media/pack
else
  step inside "$pack" --fetch
fi
step person cuescope-cli --version
step person cuescope-cli doctor
step person cuescope-cli selfcheck
if [ "$kind" = deb ]; then
  step person cuescope-cli generate --model demo:student-weak --image /usr/share/cuescope/demo/data/example-1.png --prompt "What digit is on the red square?"
  step person cuescope --version
  ! person cuescope 2>"$work/display" || die "the window opened without a display" "look at app/studio_main.cpp"
  grep "there is no display" "$work/display" >&2 || die "without a display it does not say so: $(cat "$work/display")" "look at app/studio_main.cpp"
  step person cuescope --bench-start
  step person cuescope --tour /home/person/tour
  find "$root/home/person/tour" -name '*.png' | wc -l | xargs printf 'cuescope: %s pictures of the tour\n' >&2
else
  step person cuescope-cli generate --model demo:student-weak --image demo:data/example-1.png --prompt "What digit is on the red square?"
  step person cuescope-cli train /opt/cuescope/share/cuescope/presets/demo/opd_vicur.yaml data.train_files=[demo:data/examples.jsonl] data.val_files=[demo:data/examples.jsonl] data.probe_rows=[0] trainer.default_local_dir=/home/person/runs trainer.experiment_name=tried trainer.total_training_steps=3 data.train_batch_size=4
  step person cuescope-cli resume /home/person/runs/tried trainer.total_training_steps=4
  step person cuescope-cli eval --model /home/person/runs/tried --data demo:data/examples.jsonl
fi
say "it installs and starts"

#!/bin/sh
# initramfs.sh FOLDER FILE: a root file system of busybox, the command with its libraries, and what lies in
# FOLDER/job, packed into FILE for a kernel. SPDX-License-Identifier: MIT
set -eu
root=$1/root file=$2 here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp"
cp -R "$1/job" "$root/job"
cp "$NUMANN" "$root/job/numann"
cp "$here/run.sh" "$here/pages.awk" "$root/job"
cp "$here/init" "$root/init"
chmod +x "$root/init"
cp "$(command -v busybox)" "$root/bin/busybox"
"$root/bin/busybox" --list | while read -r name; do
  [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"
done
# "name => /path (0x...)" of libraries, "/path (0x...)" of the loader.
for program in "$NUMANN" "$root/bin/busybox"; do ldd "$program" 2>&1 || :; done |
  awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// && $2 ~ /^\(/ { print $1 }' | sort -u | while read -r library; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done
(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$file"

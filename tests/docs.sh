#!/bin/sh
# The documents tell the truth: what the command writes itself equals its file, the library examples are
# the tested programs, links lead somewhere, and every block marked ```sh run works.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2086,SC2046,SC2012,SC2016 # functions called through check; lists of file names
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
documents="README.md CONTRIBUTING.md NEWS docs/*.md configs/data/README.md"
cd "$work" || exit 99

generated() { # FILE ARGUMENT...
  file=$1
  shift
  run 0 "$@" || return 1
  diff -u "$srcdir/$file" out >differences || { head -n 20 differences; return 1; }
}
check "docs/config.md is numann help config markdown" generated docs/config.md help config markdown
check "docs/numann.1 is numann help man" generated docs/numann.1 help man

# The lines of the code block that follows a line.
block_after() { awk -v mark="$2" '/^```/ && inside { exit } inside { print } index($0, mark) { seen = 1 } seen && /^```/ { inside = 1 }' "$1"; }
block_after "$srcdir/README.md" '<!-- tests/xor.c -->' >xor.c
check "the library example of README.md is tests/xor.c" diff -u "$srcdir/tests/xor.c" xor.c
check "and has fewer than 60 lines" test "$(wc -l <xor.c)" -lt 60 -a -s xor.c

within() { case $(cat "$2") in *"$(cat "$1")"*) ;; *) return 1 ;; esac; } # PART WHOLE
block_after "$srcdir/README.md" '<!-- in tests/answer.c -->' >answer.c
check "the example that asks a model stands in tests/answer.c" within answer.c "$srcdir/tests/answer.c"
check "and is one" test -s answer.c
check "the whole has fewer than 60 lines" test "$(wc -l <"$srcdir/tests/answer.c")" -lt 60

check "the version is one" same "$("$NUMANN" --version)" "numann $(sed -n 's/^AC_INIT(\[numann\], \[\(.*\)\])$/\1/p' "$srcdir/configure.ac")"
check "and NEWS begins with it" same "numann $(sed -n 's/^## \([0-9][0-9.]*\).*/\1/p' "$srcdir/NEWS" | head -n 1)" "$("$NUMANN" --version)"

# ---- a block after <!-- output: ARGUMENTS, from WORD on --> is what the command prints, from that line on
unset OMP_PROC_BIND OMP_PLACES
for document in docs/placement.md docs/machine.md; do
  sed -n 's/^<!-- output: \(.*\), from \(.*\) on -->$/\2 \1/p' "$srcdir/$document" >outputs
  while read -r word arguments; do
    eval "run 0 $arguments"
    sed -n "/^$word/,\$p" out >expected
    block_after "$srcdir/$document" "<!-- output: $arguments, from" >found
    check "$document has what is printed by: $arguments" diff -u found expected
  done <outputs
  check "$document has outputs" test -s outputs
done
eval "set -- $(sed -n 's/^<!-- output: \(plan .*\), from placement on -->$/\1/p' "$srcdir/docs/placement.md")"
check "docs/img/placement-neurons.svg is what plan draws" run 0 "$@" --svg neurons.svg
check "to the byte" cmp neurons.svg "$srcdir/docs/img/placement-neurons.svg"
check "docs/img/placement-hybrid.svg too" run 0 plan --row wide --isa avx2 --topology "$7" --svg hybrid.svg
check "to the byte" cmp hybrid.svg "$srcdir/docs/img/placement-hybrid.svg"

# ---- links and the index
for document in $(cd "$srcdir" && ls $documents); do
  folder=$(dirname "$srcdir/$document")
  awk '/^```/ { inside = !inside } !inside' "$srcdir/$document" | sed -n 's/`[^`]*`//g; s/](\([^)#]*\)[^)]*)/\n\1\n/gp' | grep -v '[][ ]\|^$\|^http' | while read -r link; do
    [ -e "$folder/$link" ] || echo "$document: $link"
  done
done >broken
check "links lead to files" same "$(cat broken)" ""
for document in "$srcdir"/docs/*.md; do
  name=$(basename "$document")
  [ "$name" = README.md ] || check "docs/README.md lists $name" grep -q "($name)" "$srcdir/docs/README.md"
done
check "no document names an absolute place of a machine" refute grep -nE '/(home|root|work|Users)/' $(cd "$srcdir" && ls -d $documents | sed "s|^|$srcdir/|")

# ---- commands: a document's blocks run one after the other in one folder
mkdir bin
ln -s "$NUMANN" bin/numann
PATH=$work/bin:$PATH
export PATH
marked=0
for document in $(cd "$srcdir" && ls $documents); do
  awk '/^```sh run$/ { inside = 1; next } /^```/ { inside = 0 } inside' "$srcdir/$document" >commands
  [ -s commands ] || continue
  marked=$((marked + 1))
  rm -rf place
  mkdir place
  cp -R "$srcdir/configs" place/configs
  chmod -R u+w place
  (cd place && sh -eu ../commands) >out 2>err </dev/null
  check "the commands of $document work" exited 0 $? "$document" || tail -n 5 err
done
check "some documents have commands" test "$marked" -ge 1
finish

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

# ---- the reader of docs/files.md against numann predict: every activation and kind, outputs scaled and not
block_after "$srcdir/docs/files.md" '<!-- reader.py -->' >reader.py
check "docs/files.md has a reader" test -s reader.py
awk 'BEGIN { print "a,b,c,y"; for (i = 0; i < 40; i++) print sin(i) "," i * 5 "," cos(i * i) "," 300 + 70 * sin(i) + i }' >numbers.csv
awk -F, 'NR == 1 { print } NR > 1 { print $1 "," $2 "," $3 "," ($1 > 0) }' numbers.csv >two.csv
cat >numbers.yaml <<'END'
data: {train: {path: numbers.csv, target: y}, scale: standardize, scale_targets: standardize}
network: {layers: [{kind: scale}, {neurons: 6, activation: tanh}, {kind: dropout, rate: 0.2}, {neurons: 1, activation: identity}]}
train: {loss: squared_error, epochs: 3}
END
cat >classes.yaml <<'END'
data: {train: {path: two.csv, target: y}, targets: classes, scale: min_max}
network: {layers: [{neurons: 5, activation: relu}, {neurons: 2, activation: softmax}]}
train: {loss: cross_entropy, epochs: 3}
END
sed 's/{neurons: 5.*softmax}/{neurons: 1, activation: step}/; s/cross_entropy/squared_error/' classes.yaml >step.yaml
sed 's/{neurons: 5.*softmax}/{neurons: 1, activation: sigmoid}/; s/cross_entropy/binary_&/' classes.yaml >sigmoid.yaml
sed 's/scale: min_max/scale: none/' classes.yaml >unscaled.yaml
cat >compare.py <<'END'
import csv, sys
from reader import answer, load
metadata, arrays = load(sys.argv[1])
read = lambda path: list(csv.reader(open(path)))[1:]
rows, answers = read(sys.argv[2]), read(sys.argv[3])
assert len(rows) == len(answers) > 0
for row, told in zip(rows, answers):
    found = answer(metadata, arrays, [float(v) for v in row[:3]])
    wanted = [float(v) for v in told[len(told) - len(found):]]
    for a, b in zip(found, wanted):
        assert abs(a - b) <= 1e-4 * max(1, abs(b)), (row, found, told)
END
reads() { # CONFIG DATA SET...
  config=$1 rows=$2
  shift 2
  run 0 train "$config" --out read --overwrite --quiet "$@" && run 0 predict read "$rows" --output answers.csv &&
    python3 compare.py read/model.safetensors "$rows" answers.csv
}
names_of() { # KEY: those that the command lists when it finds another
  "$NUMANN" info numbers.yaml --set "$1=none" 2>&1 | sed -n 's/.*expected one of \(.*\); did you.*/\1/p' | tr -d ,
}
for name in $(names_of network.layers.1.activation); do
  check "the reader knows $name" grep -q "\"$name\"" reader.py
done
for name in $(names_of network.layers.1.kind); do
  check "the reader knows the kind $name" grep -q "== \"$name\"\|!= \"$name\"" reader.py
done
check "there are such names" test -n "$(names_of network.layers.1.activation)" -a -n "$(names_of network.layers.1.kind)"
if command -v python3 >/dev/null 2>&1; then
  for activation in identity sigmoid tanh relu leaky_relu gelu silu elu selu mish softplus; do
    check "it reads $activation" reads numbers.yaml numbers.csv --set network.layers.1.activation=$activation
  done
  for config in classes step sigmoid unscaled; do check "it reads $config" reads $config.yaml two.csv; done
  check "it reads targets as they are" reads numbers.yaml numbers.csv --set data.scale_targets=none
else
  echo "no python3: the reader of docs/files.md is not run"
fi

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

#!/bin/sh
# What is installed works by itself: `make install` into an empty place, tests/xor.c and tests/answer.c built
# against it (shared and static), and the command run on the installed configs with the source tree out of reach.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
CC=${CC:-cc}
make=${MAKE:-make}
command -v pkg-config >/dev/null 2>&1 || skip "pkg-config is not installed"
[ -f "$builddir/Makefile" ] || skip "no Makefile in $builddir"

place=$work/place
prefix=$(sed -n 's/^prefix = //p' "$builddir/Makefile")
# Outside of a running make the jobs server of the calling one must not be used.
unset MAKEFLAGS MFLAGS MAKELEVEL
make_here() {
  "$make" -s -C "$builddir" "$1" DESTDIR="$place" >"$work/log" 2>&1 || { tail "$work/log"; return 1; }
}
check "make install" make_here install || finish

installed=$place$prefix
bin=$installed/bin/numann
configs=$installed/share/numann/configs
lib=$(dirname "$(find "$installed" -name 'libnumann.a' -o -name 'libnumann.so' | head -n 1)")
PKG_CONFIG_PATH=$lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
PKG_CONFIG_SYSROOT_DIR=
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
# numann.pc holds the final prefix; here everything stands under DESTDIR. The build's own flags
# follow, as a library with sanitizers needs a program with them.
flags() {
  pkg-config --define-variable=prefix="$installed" --define-variable=exec_prefix="$installed" \
    --define-variable=libdir="$lib" --define-variable=includedir="$installed/include" "$@" numann
}

for file in bin/numann include/numann.h include/numann/trainer.h share/numann/configs/digits.yaml \
  share/numann/configs/data/digits.csv.gz share/numann/configs/slurm/chain.sbatch share/doc/numann/README.md; do
  check "$file is installed" test -s "$installed/$file"
done
check "pkg-config knows numann" flags --exists
check "its version is the command's" same "numann $(flags --modversion)" "$("$bin" --version | head -n 1)"

# Nothing below may look at the source tree.
mkdir "$work/elsewhere"
cp "$srcdir/tests/xor.c" "$srcdir/tests/answer.c" "$work/elsewhere"
cd "$work/elsewhere" || exit 99

expected_xor="0 xor 0 = 0.0 0 xor 1 = 1.0 1 xor 0 = 1.0 1 xor 1 = 0.0"
run_xor() { ./"$1" >"$work/out" 2>"$work/err" && same "$(awk '{ $5 = sprintf("%.1f", $5); printf "%s%s", (NR > 1 ? " " : ""), $0 }' "$work/out")" "$expected_xor"; }
compile() { # PROGRAM SOURCE FLAG...
  program=$1 source=$2
  shift 2
  # shellcheck disable=SC2086 # CC and CFLAGS are lists of words
  $CC ${CFLAGS-} -o "$program" "$source" "$@"
}
if [ -f "$lib/libnumann.so" ]; then
  # shellcheck disable=SC2046
  check "xor.c builds against the shared library" compile shared xor.c $(flags --cflags --libs)
  check "and is linked to it" sh -c "ldd ./shared | grep -q '$lib/libnumann.so'"
  check "and gives XOR" run_xor shared
  # shellcheck disable=SC2046
  check "answer.c builds against it" compile answer answer.c $(flags --cflags --libs)
fi
if [ -f "$lib/libnumann.a" ]; then
  # shellcheck disable=SC2046
  check "xor.c builds against the static library" \
    compile static xor.c $(flags --cflags) "$lib/libnumann.a" $(flags --static --libs | sed 's/-lnumann//')
  check "and does not need the shared one" sh -c "! ldd ./static | grep -q libnumann"
  check "and gives XOR" run_xor static
  # shellcheck disable=SC2046
  [ -x answer ] || check "answer.c builds against it" \
    compile answer answer.c $(flags --cflags) "$lib/libnumann.a" $(flags --static --libs | sed 's/-lnumann//')
fi

# Each header stands alone.
for header in "$installed"/include/numann/*.h "$installed/include/numann.h"; do
  printf '#include "%s"\n' "$header" >header.c
  # shellcheck disable=SC2086
  check "$(basename "$header") stands alone" $CC -std=c11 -Wall -Wextra -Wpedantic -Werror \
    -I"$installed/include" -fsyntax-only header.c
done

NUMANN=$bin
strings_free() { ! grep -qF "$1" "$2" && ! grep -qF "$3" "$2"; }
case $(file "$bin" 2>/dev/null) in
  *with\ debug_info*) ;; # debug information names its sources
  *) check "the command does not hold the source tree's path" strings_free "$srcdir/" "$bin" "$builddir/" ;;
esac
cp -R "$configs" configs
chmod -R u+w configs
check "the installed command trains" run 0 train configs/digits.yaml --set train.epochs=2 --json
check "and is accurate" awk -v a="$(json test_accuracy)" 'BEGIN { exit !(a > 0.8) }'
check "from the installed folder as well" run 0 train "$configs/iris.yaml" --out iris --json
check "and evaluates" run 0 eval runs/digits --json
check "and knows itself" run 0 info runs/digits
if command -v bash >found; then
  mkdir job
  # shellcheck disable=SC2016 # of the shell that is started
  check "a shipped sbatch script finds it, and its digits" sh -c 'cd job && PATH=$1/bin:$PATH NUMANN= \
    bash "$2/slurm/one.sbatch" >out 2>&1 && test -s runs/digits/model.safetensors' sh "$installed" "$configs"
fi

# answer.c and the command say the same of the same raw rows.
ask() { ./answer "$1" <rows >answers 2>notes; } # MODEL
say() { run 0 predict "$1" "$2" && sed 1d "$work/out" | cut -d, -f1 >said; } # MODEL ROWS
names_only() { cut -d' ' -f1 answers >names; }
sed '1d; s/,[^,]*$//' configs/data/iris.csv >rows
check "answer.c asks the model of iris" ask iris
check "and says what it asks" grep -q '^answers: one of 3 classes: setosa, versicolor, virginica$' notes
check "the command answers, too" say iris configs/data/iris.csv
check "answer.c has names for its answers" names_only
check "the same for every row" cmp names said
check "many of them" test "$(wc -l <said)" = 150
check "and of each class" same "$(sort -u said | tr '\n' ' ')" "setosa versicolor virginica "
check "the installed command trains on numbers" run 0 train "$configs/line.yaml" --set data.scale_targets=standardize \
  --set data.scale=standardize --out line --quiet
sed '1d; s/,.*//' configs/data/line.csv >rows
check "answer.c asks for numbers" ask line
check "as the command does" say line configs/data/line.csv
check "and gets the same" cmp answers said
check "a run that has not ended is noted" sh -c 'rm line/model.safetensors && ./answer line <rows 2>&1 >/dev/null | grep -q "^note: line: .* has not ended"'
check "what is no model is refused" sh -c '! ./answer rows <rows 2>notes && grep -q "^answer: model: rows" notes'
check "make uninstall" make_here uninstall
check "leaves nothing" same "$(find "$place" ! -type d)" ""
finish

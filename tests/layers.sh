#!/bin/sh
# The tree keeps its rules: who may include whom, what is used where, how long things are. Each rule
# is also broken on purpose once, in a copy, and must be noticed. SPDX-License-Identifier: MIT
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"

breaches() {
  (
    cd "$1" || exit 1
    find src include tests bench -name '*.[ch]' ! -name build_config.h 2>/dev/null | sort | xargs awk -f "$awk"
    grep -nE -e '-(ffast-math|Ofast|funsafe-math|fassociative-math|ffp-contract=(fast|on))' Makefile.am configure.ac |
      sed 's/^/fast-math /'
    grep -L -e '-ffp-contract=off' configure.ac | sed 's/$/:1: no -ffp-contract=off/; s/^/contraction /'
  )
}

awk=$srcdir/tests/layers.awk
breaches "$srcdir" >"$work/found"
check "no rule is broken" test ! -s "$work/found" || cat "$work/found"

# ---- each rule must notice its breach: RULE|FILE|TEXT, put at the end of the file; \n begins a line
cat >"$work/planted" <<'END'
include-order|src/base/status.c|#include "config/config.h"
include-order|src/network/network.c|#include "trainer/trainer.h"
include-order|src/plan/plan.c|#include "numann/trainer.h"
include-order|src/trainer/trainer.c|#include "checkpoint/checkpoint.h"
include-order|src/trainer/step.c|#include "gradient.h"
include-order|src/trainer/step.c|#include "trainer/join.c"
include-order|include/numann/config.h|#include <numann/trainer.h>
kernels-alone|src/kernels/panel.c|#include "machine/team.h"
openmp|src/trainer/step.c|#pragma omp parallel
openmp|src/kernels/panel.c|#include <omp.h>
hwloc|src/machine/machine.h|#include <hwloc.h>
mpi|src/plan/tree.c|#include <mpi.h>
intrinsics|src/kernels/kernels.c|#include <immintrin.h>
intrinsics|src/kernels/chain.h|#include <arm_neon.h>
intrinsics|src/kernels/panel.c|int x = _mm_getcsr();
exit|src/data/csv.c|static void f(void) { exit(1); }
exit|src/base/text.c|static void f(void) { abort(); }
exit|src/machine/view.c|static void f(void) { _exit(1); }
exit|src/machine/look.c|static void f(void) { exit(1); }
printing|src/config/config.c|static void f(void) { printf("x"); }
printing|src/trainer/trainer.c|static void f(void) { fprintf(stderr, "x"); }
reduction|src/machine/team.c|#pragma omp for reduction(+ : sum)
reduction|src/machine/team.c|#pragma omp atomic
fast-math|src/kernels/kernels.c|#pragma GCC optimize ("fast-math")
fast-math|src/kernels/kernels.c|#pragma STDC FP_CONTRACT ON
fast-math|Makefile.am|AM_CFLAGS += -ffast-math
contraction|configure.ac|
banned-call|src/base/text.c|static void f(char *a) { strcpy(a, "x"); }
banned-call|src/data/csv.c|static int f(char *a) { return atoi(a); }
banned-call|src/cli/main.c|static void f(char *a) { sprintf(a, "x"); }
unfinished|src/cli/main.c|/* TODO: later */
licence|src/cli/planted.c|1;2;3;4;5;6;7;8;9
tab|src/cli/main.c|TAB
blank-end|src/cli/main.c|int x; 
comment-form|src/cli/main.c|int x; // the other form
columns|src/data/split.h|COLUMNS 101
columns|include/numann/status.h|COLUMNS 101
doubled-name|src/report/svg.h|typedef struct nu_text {\n  int x;\n} nu_text;
doubled-name|src/base/text.h|typedef struct nu_plot { int x; } nu_plot;
doubled-name|src/machine/view.h|struct numann_network {\n  int x;\n};
doubled-name|src/report/svg.h|typedef float nu_team;
doubled-name|src/report/svg.h|typedef void nu_range(int x);
doubled-name|src/report/svg.h|typedef void (*nu_range)(int x);
doubled-name|src/cli/result.h|void nu_schema(int x);
doubled-name|src/base/file.c|static int nu_rows(void) {\n  return 1;\n}
doubled-name|src/base/file.h|typedef int nu_size_add;
own-default|src/cli/main.c|int f(int x) {\n  switch (x) {\n    case NU_KEY_REAL: return 1;\n    default: return 0;\n  }\n}
own-default|src/cli/main.c|enum { ONE,\n  TWO };\nint f(int x) {\n  switch (x) {\n    case TWO: {\n      break;\n    }\n    default: return 0;\n  }\n}
own-default|src/cli/main.c|int f(int x) {\n  switch (x) {\n    case NUMANN_OK:\n      switch (x) {\n        case 1: break;\n      }\n    default: return 0;\n  }\n}
file-length|src/base/status.h|LONG 501
function-length|src/base/text.c|FUNCTION 61
function-length|src/kernels/panel.c|FUNCTION 121
END

lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "int planted_" i ";" }'; }

plant() { # RULE FILE TEXT
  rm -rf "$work/tree"
  mkdir "$work/tree"
  cp -R "$srcdir/src" "$srcdir/include" "$srcdir/Makefile.am" "$srcdir/configure.ac" "$work/tree"
  chmod -R u+w "$work/tree"
  case "$3" in
    LONG*) lines "${3#LONG }" ;;
    FUNCTION*) echo "static void f(void) {"; lines $((${3#FUNCTION } - 2)) | sed 's/^/  /'; echo "}" ;;
    COLUMNS*) printf '/* ¼%*s */\n' $((${3#COLUMNS } - 7)) x ;;
    TAB) printf '\tint x;\n' ;;
    *) printf '%b\n' "$3" | if [ "$1" = licence ]; then tr ';' '\n'; else cat; fi ;;
  esac >>"$work/tree/$2"
  [ "$1" != contraction ] || sed -i 's/-ffp-contract=off//' "$work/tree/$2"
}

while IFS='|' read -r rule file text; do
  plant "$rule" "$file" "$text"
  breaches "$work/tree" >"$work/found"
  check "notices $rule in $file: $text" grep -q "^$rule $file" "$work/found"
done <"$work/planted"

# What is allowed must stay so, or the rules would be kept by silence.
cat >"$work/allowed" <<'END'
src/machine/team.c|#pragma omp parallel
src/machine/topology.c|#include <hwloc.h>
src/cli/main.c|static void f(void) { exit(1); }
src/machine/look.c|static void f(void) { _exit(1); }
src/base/text.c|/* exit( and TAB-less // in "text" or a comment, printf( too */
src/base/text.c|static const char *f(void) { return "exit(1) // strcpy("; }
src/report/result_table.c|static void f(FILE *out) { fprintf(out, "x"); }
src/kernels/panel.c|#include "base/memory.h"
src/base/text.c|FUNCTION 60
src/base/text.c|COLUMNS 100
src/machine/view.h|struct nu_own {\n  int x;\n};\ntypedef struct nu_own nu_own;\ntypedef struct nu_own nu_own;
src/cli/main.c|int f(int x) {\n  switch (x) {\n    case ENOENT: return 1;\n    case 'A': return 2;\n    default: return 0;\n  }\n}
src/cli/main.c|int f(int x) {\n  switch (x) {\n    case NU_KEY_REAL:\n      switch (x) {\n        case 1: break;\n        default: return 0;\n      }\n  }\n  return 1;\n}
END
while IFS='|' read -r file text; do
  plant allowed "$file" "$text"
  breaches "$work/tree" | grep "^[a-z-]* $file" >"$work/found"
  check "allows $file: $text" test ! -s "$work/found" || cat "$work/found"
done <"$work/allowed"

# ---- a planted error (mutants.tsv) must follow the code that it changes
tab=$(printf '\t')
while IFS="$tab" read -r name file script test flags; do
  case $name$flags in '#'* | '' | *-f*) continue ;; esac # a flag is a change, too
  check "$name has its test" test -f "$srcdir/tests/$test.c"
  sed -e "$script" "$srcdir/$file" >"$work/changed"
  check "$name changes $file" refute cmp -s "$work/changed" "$srcdir/$file"
done <"$srcdir/tests/mutants.tsv"
finish

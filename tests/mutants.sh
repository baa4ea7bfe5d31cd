#!/bin/sh
# The test of the tests: one planted error at a time, from the table mutants.tsv, must make the test
# program beside it fail. Run by `make check-mutants`. SPDX-License-Identifier: MIT
#
# A row: name, file, sed script, test, [flags]. The file is copied and changed; the objects made from
# it are linked before libcore.la, so that they stand in for its own. A header is changed for the
# sources that the flags field names as for=SOURCE; `locale` says that the test needs one with a decimal
# comma in LOCPATH; other words there go to the compiler.
# NUMANN_MUTANTS_SECONDS ends the test after so many seconds, NUMANN_MUTANTS_FIRST begins it at that row and
# goes round: so many short runs cover the table.
# shellcheck disable=SC2086,SC2046,SC2013 # COMPILE, LIBTOOL, LIBS and the like are lists of words
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
: "${COMPILE:?run make check-mutants}" "${LIBTOOL:?}" "${CC:?}"
table=${1:-$srcdir/tests/mutants.tsv}
cd "$builddir" || exit 99

# The instruction set whose kernels are compiled for a mutant: the header's own, else one that every test of
# the kernels runs. Makefile.am has the same flags.
set_of() { # FILE
  case $1 in */vector_base.h) echo base; return ;; esac
  if [ -f libkernels_avx2.la ] && grep -q avx2 /proc/cpuinfo; then echo avx2; else echo base; fi
}
kernel_flags() {
  echo "-O3 -DNU_VECTOR_HEADER=\"kernels/vector_$1.h\" -DNU_KERNELS=nu_kernels_$1"
  case $1 in avx2) echo "-mavx2 -mfma" ;; esac
}

compile() { # SOURCE FLAG...: objects into $work/objects
  source=$1
  shift
  where=$work
  [ -f "$work/$source" ] || where=$srcdir
  if [ "$source" != src/kernels/kernels.c ]; then
    $COMPILE -Wno-error -iquote "$work/src" "$@" -c -o "$work/objects/$(basename "$source").o" "$where/$source"
    return
  fi
  $COMPILE -Wno-error -iquote "$work/src" $(kernel_flags "$set") "$@" -c -o "$work/objects/kernels_$set.o" "$where/$source"
}

# Objects that a test program is linked from beside its own.
support() {
  case $1 in
    check_data*) find tests -name 'data_support.o' -o -name 'data_*.o' ;;
    check_kernels | check_output | check_pairs | check_rows) echo tests/kernel_support.o ;;
    check_share) echo tests/data_support.o tests/meeting.o ;;
    check_bytes) echo tests/data_support.o tests/kernel_support.o ;;
    check_gradient) echo tests/oracle.o ;;
    check_trainer | check_schedule | check_kinds | check_random | check_place | check_calibration) echo tests/training.o ;;
    check_ranks | check_exchange) echo tests/training.o tests/meeting.o ;;
    check_together) echo tests/checkpoint_sample.o tests/meeting.o ;;
    check_machine | check_topology | check_described | check_launch) echo tests/fake_root.o ;;
    check_hosts) echo tests/meeting.o src/cli/json.o ;;
    check_placement | check_placement_limits) echo tests/fake_machine.o ;;
    check_picture) echo tests/fake_machine.o tests/well_formed.o ;;
    check_page) echo tests/well_formed.o ;;
    check_step | check_bf16) echo tests/training.o tests/oracle.o ;;
    check_checkpoint* | check_lock | check_model | check_meaning) echo tests/checkpoint_sample.o ;;
  esac
}

link_mutant() { # TEST
  $LIBTOOL --quiet --tag=CC --mode=link $CC ${CFLAGS-} ${LDFLAGS-} -o "$work/mutant" "tests/$1.o" $(support "$1") \
    "$work"/objects/*.o libcore.la $LIBS
}

build_mutant() { # FILE SED TEST FLAGS
  rm -rf "$work/src" "$work/objects" "$work/mutant"
  mkdir -p "$work/$(dirname "$1")" "$work/objects"
  sed -e "$2" "$srcdir/$1" >"$work/$1" || return 1
  sources=$1 set=$(set_of "$1")
  case $1 in *.h) sources= ;; esac
  flags=
  for word in $4; do
    case $word in
      for=*) sources="$sources ${word#for=}" ;;
      locale) ;;
      *) flags="$flags $word" ;;
    esac
  done
  if [ -z "$flags" ] && cmp -s "$work/$1" "$srcdir/$1"; then
    echo "  the sed script changes nothing"
    return 1
  fi
  for each in $sources; do compile "$each" $flags || return 1; done
  link_mutant "$3"
}

run_mutant() { NUMANN_ISA=$set timeout 300 "$work/mutant" >"$work/log" 2>&1; }

one_mutant() { # NAME FILE SED TEST FLAGS
  case $5 in *locale*) [ -n "${LOCPATH-}" ] || { echo "SKIP: $1: LOCPATH names no locale with a decimal comma"; return; } ;; esac
  check "$1: builds" build_mutant "$2" "$3" "$4" "$5" || return
  check "$1 in $2 is noticed by $4" refute run_mutant
}

tab=$(printf '\t')
passed=
# A test that fails anyway notices nothing.
passes_unchanged() { # TEST
  case " $passed " in *" $1 "*) return ;; esac
  passed="$passed $1"
  check "$1 passes unchanged" sh -c "timeout 600 'tests/$1' >'$work/log' 2>&1" || tail -n 5 "$work/log"
}

rows=$(grep -c '^[^#]' "$table")
first=$((${NUMANN_MUTANTS_FIRST:-0} % rows)) done=0 began=$(date +%s)
grep '^[^#]' "$table" | awk -v first="$first" 'NR > first; NR <= first { head = head $0 "\n" } END { printf "%s", head }' \
  >"$work/rows"
while IFS="$tab" read -r name file script test flags; do
  [ $(($(date +%s) - began)) -lt "${NUMANN_MUTANTS_SECONDS:-86400}" ] || break
  passes_unchanged "$test"
  one_mutant "$name" "$file" "$script" "$test" "${flags-}"
  done=$((done + 1))
done <"$work/rows"
echo "$done of $rows mutants, from row $first on"
finish

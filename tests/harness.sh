# What the shell tests share; sourced by them. SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# make check gives: srcdir (the source tree), builddir (the build tree), NUMANN (the built command);
# by hand, from the source tree: tests/cli.sh, with builddir=... for another than build/.
# Each test calls `check NAME COMMAND...` for every fact and ends with `finish`. The last line has
# libcheck's form, so that one rule counts all tests.
set -u
LC_ALL=C
export LC_ALL
srcdir=$(cd "${srcdir:-.}" && pwd) || exit 99
builddir=$(cd "${builddir:-build}" && pwd) || exit 99
NUMANN=${NUMANN:-$builddir/numann}
unset OMP_NUM_THREADS NUMANN_ISA
NUMANN_DIAGNOSIS=off # of the launch: other tests may run beside this one
export NUMANN_DIAGNOSIS
[ -x "$NUMANN" ] || { echo "$NUMANN is missing: run make first"; exit 99; }

work=$(mktemp -d "${TMPDIR:-/tmp}/numann-test.XXXXXX") || exit 99
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
XDG_CACHE_HOME=$work/cache # nothing is read from, or left in, the user's own
export XDG_CACHE_HOME

checks=0
failures=0

skip() {
  echo "SKIP: $*"
  exit 77
}

# check NAME COMMAND...: the command must succeed.
check() {
  checks=$((checks + 1))
  check_name=$1
  shift
  "$@" && return 0
  failures=$((failures + 1))
  echo "FAIL: $check_name"
  return 1
}

refute() { ! "$@"; }
same() { [ "$1" = "$2" ] || { echo "  found:    $1"; echo "  expected: $2"; return 1; }; }

# run CODE ARGUMENT...: the command must exit with CODE. Its output is in $work/out and $work/err.
run() {
  run_code=$1
  shift
  "$NUMANN" "$@" >"$work/out" 2>"$work/err" </dev/null
  exited "$run_code" $? "numann $*"
}

exited() {
  [ "$1" = "$2" ] && return 0
  echo "  $3: exit $2, expected $1"
  sed 's/^/  | /' "$work/err" | head -n 5
  return 1
}

# The value of a key of the JSON object in a file: without quotes for strings.
json() { sed -n 's/.*"'"$1"'": *"\{0,1\}\([^,"}]*\).*/\1/p' "${2:-$work/out}" | head -n 1; }

finish() {
  echo "$((checks ? 100 * (checks - failures) / checks : 0))%: Checks: $checks, Failures: $failures, Errors: 0"
  [ "$checks" -gt 0 ] && [ "$failures" -eq 0 ]
  exit $?
}

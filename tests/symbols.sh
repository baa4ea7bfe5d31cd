#!/bin/sh
# What the built library takes and gives: of libm only fma, fmaf and sqrt (the rest differs between
# machines in its last bits), no writable data (two trainers live in one process), and no exported
# name but numann_*. Each rule is also broken on purpose once. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
for tool in nm objdump; do
  command -v "$tool" >/dev/null 2>&1 || skip "$tool is not installed"
done
archive=$builddir/.libs/libcore.a
shared=$builddir/.libs/libnumann.so
[ -f "$archive" ] || skip "no $archive: this platform builds other files"
CC=${CC:-cc}

# The names of math.h (C11, and GNU's additions), each also with f and l. Those that the compiler
# always expands by itself (fabs, isnan) cannot show up.
math_names='acos asin atan atan2 cos sin tan acosh asinh atanh cosh sinh tanh exp exp2 expm1 frexp
ilogb ldexp log log10 log1p log2 logb modf scalbn scalbln cbrt hypot pow erf erfc lgamma tgamma ceil
floor nearbyint rint lrint llrint round lround llround trunc fmod remainder remquo nextafter
nexttoward fdim fmax fmin sincos exp10 pow10 gamma j0 j1 jn y0 y1 yn drem significand scalb roundeven
lgamma_r'

# Undefined names of object files or archives that math.h has.
math_used() {
  for name in $math_names; do
    printf '%s\n%sf\n%sl\n' "$name" "$name" "$name"
  done >"$work/math"
  nm -u "$@" 2>/dev/null | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u | grep -xF -f "$work/math"
}

# Objects in sections that can be written. The exceptions are a thread's own: `kept` of machine/team.c, how
# many threads its last team had, in which process; `env_*` of machine/float_env.c, the state that it came with;
# `watching` of base/json.c, whether it reads a text. The others of base/json.c are set once in a process: `chosen_*`,
# the caller's own allocator of Jansson, and `once`; `mpi_job` of machine/comm_mpi.c, as MPI is a process's.
writable() {
  objdump -t "$@" 2>/dev/null |
    awk '$NF !~ /^(\.|__|_Z|\*)/ && NF >= 4 {
           for (i = 2; i < NF; i++)
             if ($i ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $i !~ /^\.data\.rel\.ro/) print $NF
         }' | grep -vE '^((ensure_threads\.)?kept(\.[0-9]+)?|env_depth|env_outside|mpi_job|watching|chosen_(malloc|free)|(nu_json_load\.)?once(\.[0-9]+)?)$' | sort -u
}

exported() { nm -D --defined-only "$@" | awk '{ print $NF }' | sed 's/@.*//' | grep -v '^numann_' | grep -v '^_'; }

nothing() { [ -z "$1" ] || { echo "  found: $(echo "$1" | tr '\n' ' ')"; return 1; }; }

check "the objects use nothing of libm but fma, fmaf, sqrt" nothing "$(math_used "$archive")"
sanitized=$(nm "$archive" 2>/dev/null | grep -c '__asan_\|__ubsan_\|__tsan_')
if [ "$sanitized" = 0 ]; then
  check "there is no writable data" nothing "$(writable "$archive")"
fi
if [ -f "$shared" ]; then
  check "the shared library uses nothing of libm but fma, fmaf, sqrt" nothing "$(math_used -D "$shared")"
  check "it exports numann_* only" nothing "$(exported "$shared")"
  sed -n 's/^NUMANN_API [^(]*[ *]\(numann_[a-z0-9_]*\)(.*/\1/p' "$srcdir"/include/numann/*.h | sort >"$work/promised"
  nm -D --defined-only "$shared" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort >"$work/given"
  check "the headers promise functions" test "$(wc -l <"$work/promised")" -ge 20
  check "it exports all that the headers promise" nothing "$(comm -23 "$work/promised" "$work/given")"
fi

# ---- broken on purpose
planted() { # CODE
  printf '%s\n' "$1" >"$work/planted.c"
  # shellcheck disable=SC2086 # CC may hold words
  $CC -fPIC -O0 -c -o "$work/planted.o" "$work/planted.c" || exit 99
}

planted 'double exp(double); float powf(float, float); double f(double x) { return exp(x) + powf((float)x, 2); }'
check "notices exp and powf" same "$(math_used "$work/planted.o" | tr '\n' ' ')" "exp powf "
planted 'double fma(double, double, double); double sqrt(double); double f(double x) { return fma(x, sqrt(x), x); }'
check "allows fma and sqrt" nothing "$(math_used "$work/planted.o")"
planted 'int counter = 3; static int zeros[9]; int f(void) { counter++; return zeros[counter]++; }'
check "notices writable data" same "$(writable "$work/planted.o" | tr '\n' ' ')" "counter zeros "
planted 'static const char *const names[] = {"a", "b"}; const char *f(int i) { return names[i]; }'
check "allows constant tables" nothing "$(writable "$work/planted.o")"
planted 'int stray(void) { return 1; } int numann_fine(void) { return 2; }'
# shellcheck disable=SC2086
$CC -shared -o "$work/planted.so" "$work/planted.o" || exit 99
check "notices a stray export" same "$(exported "$work/planted.so")" "stray"
finish

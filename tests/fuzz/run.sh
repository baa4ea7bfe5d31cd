#!/bin/sh
# Fuzz the readers under clang's sanitizers, each for SECONDS of CPU time, from the inputs in
# tests/fuzz/corpus. What breaks one is left in build/fuzz/broken; run it again with
#   NUMANN_FUZZ=TARGET build/fuzz/tests/fuzz/fuzzer FILE
# Usage: tests/fuzz/run.sh [SECONDS [TARGET...]]  SPDX-License-Identifier: MIT
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- config set table model metrics calibration topology
[ -x configure ] || ./bootstrap
mkdir -p build/fuzz/broken
flags='-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all'
(
  cd build/fuzz
  # The kernels read no file: their baseline will do, the others take minutes to compile.
  [ -f Makefile ] || ../../configure --disable-shared CC=clang numann_cv_isa_AVX2=no numann_cv_isa_AVX512=no \
    numann_cv_isa_AVX512BF16=no CFLAGS="$flags" >configure.log
  make -j"$(getconf _NPROCESSORS_ONLN)" tests/fuzz/fuzzer >make.log
)
failed=0
for target; do
  found=build/fuzz/found/$target
  mkdir -p "$found"
  if NUMANN_FUZZ=$target ASAN_OPTIONS=detect_leaks=1 OMP_NUM_THREADS=2 build/fuzz/tests/fuzz/fuzzer \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/broken/$target-" "$found" "tests/fuzz/corpus/$target" \
    >"build/fuzz/$target.log" 2>&1; then
    printf '%-12s %9d inputs, nothing found\n' "$target" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "build/fuzz/$target.log")"
  else
    failed=$((failed + 1))
    printf '%-12s FAILED, the end of build/fuzz/%s.log:\n' "$target" "$target"
    tail -n 40 "build/fuzz/$target.log"
  fi
done
exit "$((failed > 0))"

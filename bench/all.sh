#!/bin/sh
# All measurements of bench/README.md, one after the other, then the README itself. Interrupted, it goes on
# where it stopped. SPDX-License-Identifier: MIT
# usage: bench/all.sh [RUNS]   (15: about 50 minutes on two cores; README.md says how long each part takes)
#   NUMANN  the command                          (default: build/numann)
#   FREE    it, built with CPPFLAGS=-DNU_FREE_ORDER (default: build-free/numann, brought up to date)
#   PYTHON  Python with torch and scikit-learn   (default: python3)
#   MNIST   the folder with MNIST's four files   (default: configs/data/mnist)
#   DIGITS  optdigits.tra of the UCI repository  (default: configs/data/optdigits.tra)
#   FANN    the folder with FANN's sources       (default: only the system's library takes part)
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
runs=${1:-15}
numann=${NUMANN:-$top/build/numann}
free=${FREE:-$top/build-free/numann}
python=${PYTHON:-python3}
mnist=${MNIST:-$top/configs/data/mnist}
results=$top/bench/results
series=$results/series # stands there while a series is incomplete: what it measures

if [ -z "${FREE-}" ]; then
  mkdir -p "$top/build-free"
  (cd "$top/build-free" && { [ -f Makefile ] || "$top/configure" CPPFLAGS=-DNU_FREE_ORDER; } && make numann) \
    >"$top/build-free/log" 2>&1 ||
    { echo "all.sh: no free build: see build-free/log; FREE=... names one" >&2; exit 1; }
fi

mkdir -p "$results"
what=$("$numann" --version -v; "$free" --version -v; cat "$numann" "$free" | cksum)
if [ ! -e "$series" ]; then
  rm -f "$results"/*.csv "$results"/peers.json
  printf '%s\n' "$what" >"$series"
elif [ "$(cat "$series")" != "$what" ]; then
  echo "all.sh: $series: the running series was begun with another build; remove the file to begin anew" >&2
  exit 2
fi

part() { # SCRIPT ARGUMENT...
  script=$1
  shift
  printf '%s  %s\n' "$(date +%H:%M:%S)" "$script" >&2
  code=0
  "$python" -B "$top/bench/$script" "$@" || code=$?
  [ "$code" -eq 0 ] || [ "$code" -eq 77 ] || exit "$code" # 77: something that it needs is not here
}

part of_peak.py --numann "$numann" --runs "$runs"
part ceilings.py --numann "$numann"
part promise.py --numann "$numann" --free "$free" --runs "$runs"
part threads.py --numann "$numann" --runs "$runs"
part placement.py --numann "$numann" --runs "$runs"
part startup.py --numann "$numann"
part time_to_accuracy.py --numann "$numann" --python "$python" --data "$mnist"
part lbfgs.py "$numann" ${DIGITS:+"$DIGITS"}
part peers.py --numann "$numann" --python "$python" --runs "$runs" ${FANN:+--fann-source "$FANN"}
part plot.py
rm "$series"

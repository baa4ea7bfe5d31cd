#!/bin/sh
# Refused memory: for every command the n-th request of its process is refused, for many n, alone or
# with all that follow. The command must end with exit code 6, or give what it gives otherwise; never
# another class of error, a signal, a hang, or an older checkpoint. SPDX-License-Identifier: MIT
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99

command -v timeout >/dev/null || skip "no timeout"
if grep -q 'libomp\.so' "$NUMANN"; then skip "LLVM's OpenMP ends the process over what it is refused"; fi
if grep -q __asan_init "$NUMANN"; then skip "a sanitizer has the allocator"; fi
${CC:-cc} -shared -fPIC -O1 -o refuse.so "$srcdir/tests/refuse_memory.c" 2>err ||
  skip "the helper does not compile: $(head -n 1 err)"
LD_PRELOAD=$work/refuse.so REFUSE_COUNT=count "$NUMANN" --version >out 2>err
[ -s count ] || skip "a library cannot be loaded before the others"

# ---- what the commands work on

sed -n '1p; 2,9p; 52,59p; 102,109p' "$srcdir/configs/data/iris.csv" | gzip -c >iris.csv.gz
cut -d , -f 1-4 "$srcdir/configs/data/iris.csv" | head -n 5 >new.csv
cat >run.yaml <<END
data:
  train: {path: iris.csv.gz, target: species}
  validation: {fraction: 0.2}
  scale: standardize
network:
  layers:
    - {neurons: 4, activation: tanh}
    - {neurons: 3, activation: softmax}
train: {loss: cross_entropy, optimizer: {name: adam, learning_rate: 0.01}, batch: 8, epochs: 4}
parallel: {threads: 2}
checkpoint: {every: 1 epochs, keep: 4}
END
calibration="--set parallel.calibration=refresh"
# shellcheck disable=SC2086 # words
check "a whole run" run 0 train run.yaml --out whole --quiet $calibration || finish
# A run that was stopped after two epochs: three checkpoints, no model.
cp -R whole stopped
rm stopped/model.safetensors stopped/report.html "$(ls -d stopped/checkpoints/ck-* | tail -n 1)"

# ---- one command, some of its requests

# What two runs may differ in: times, and the memory of the process.
settled() {
  sed -e 's/"seconds": [^,]*//; s/"samples_per_s": [^,]*//; s/"age_[a-z]*": [^,}]*//' \
    -e 's/measured [0-9]* [a-z]* ago/measured/; /program and libraries/d; / together$/d' \
    -e '/^step  *[0-9.]* us = /d; /^gain /d; /^network  *[0-9.]* GB/d; /^note /d; /^computing is/d' "$1"
}

fresh() {
  rm -rf out.d
  case $resumes in
    yes) cp -R stopped out.d ;;
    finished) cp -Rp whole out.d ;;
  esac
}

# once N ALL ARGUMENT...: the command, with the N-th request refused; its exit code in $code
once() {
  once_n=$1 once_all=$2
  shift 2
  fresh
  timeout -s KILL 30 env LD_PRELOAD="$work/refuse.so" REFUSE="$once_n" REFUSE_ALL="$once_all" \
    REFUSE_COUNT="$work/count" "$NUMANN" "$@" >out 2>err </dev/null
  code=$?
}

model_is() { [ ! -e whole.model ] || cmp -s out.d/model.safetensors whole.model; }

# What the run that was refused something must be: an error of memory, or as good as whole.
judged() {
  if grep -q "passed over" err; then return 1; fi
  case $code in
    6) [ "$(grep -c "^numann: error: memory: " err)" = 1 ] ;;
    0) settled out | cmp -s - expected && model_is ;;
    *) false ;;
  esac
}

# refusals NAME RESUMES EVERY ARGUMENT...: every EVERY-th request in the sample
refusals() {
  name=$1 resumes=$2 every=$3
  shift 3
  [ "${NUMANN_LONG:-}" = 1 ] && every=1
  rm -f whole.model
  once 0 0 "$@"
  check "$name: without a refusal" same "$code" 0
  settled out >expected
  if [ -e out.d/model.safetensors ]; then mv out.d/model.safetensors whole.model; fi
  requests=$(cat count)
  bad=0 tried=0 six=0
  for all in 0 1; do
    n=1
    while [ "$n" -le "$requests" ]; do
      once "$n" "$all" "$@"
      tried=$((tried + 1))
      [ "$code" = 6 ] && six=$((six + 1))
      if ! judged; then
        bad=$((bad + 1))
        echo "  $name: request $n of $requests refused, all after it too: $all: exit $code"
        sed 's/^/  | /' err | tail -n 3
      fi
      n=$((n + every))
    done
  done
  echo "$name: $requests requests, $tried refusals: $six exit 6, $((tried - six - bad)) as without"
  check "$name: refused memory is reported as such" same "$bad" 0
}

refusals help no 3 help config
refusals topo no 29 topo --json
refusals plan no 29 plan run.yaml
refusals "plan --json" no 29 plan run.yaml --json
refusals info no 29 info whole
refusals "info of a config" no 29 info run.yaml
refusals "info --json" no 29 info whole --json
refusals eval no 29 eval whole iris.csv.gz --json
refusals predict no 29 predict whole new.csv
refusals gradcheck no 29 gradcheck run.yaml
refusals train no 47 train run.yaml --out out.d --json --quiet
refusals "train --virtual-ranks" no 47 train run.yaml --set train.grain=2 --virtual-ranks 3 --quiet
refusals "train --resume" yes 47 train run.yaml --out out.d --resume --json --quiet
refusals "train --resume=auto" finished 7 train run.yaml --out '${NOWHERE:-out.d}' --resume=auto --json --quiet
finish

# Trainings that signals end at random moments, and that go on; sourced after harness.sh by tests that work in
# $work. NUMANN_SEED: other moments. SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of harness.sh and for the tests
seed=${NUMANN_SEED:-20241}

random() { # a number from 0 to $1 - 1; kept apart from the shell's own, which POSIX lacks
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  echo $((seed / 65536 % $1))
}

# A signal that is ignored here (nohup, a background job) is ignored by all that is started here.
all_signals="KILL TERM HUP XCPU INT USR1 USR2 PIPE"
signals=
for signal in $all_signals; do
  sh -c "kill -$signal \$\$" 2>"$work/signal.err" && [ "$signal" != PIPE ] && echo "SKIP: SIG$signal is ignored here" && continue
  signals="$signals $signal"
done

# The code of a training that a signal ended.
code_of() { case $1 in KILL) echo 137 ;; *) echo 75 ;; esac; }

# Does the process catch SIGTERM by now? Before its first instruction nobody can. Elsewhere than on Linux: soon.
catches() {
  [ -r /proc/self/status ] || { sleep 0.3; return 0; }
  grep -q '^SigCgt:.*[4-7c-f]...$' "/proc/$1/status" 2>"$work/catches.err"
}

# In the background: send SIGNAL to the process of file $work/pid, SECONDS after it catches signals, unless it
# has ended by then; where $begun names a file, not before that holds something. SIGPIPE ends nothing, so that SIGTERM must follow.
begun=
is_over() { [ -f "$work/over" ]; }
send_later() { # SIGNAL SECONDS
  until [ -s "$work/pid" ] || is_over; do sleep 0.01; done
  target=$(cat "$work/pid")
  until is_over || catches "$target"; do sleep 0.01; done
  until is_over || [ -z "$begun" ] || [ -s "$begun" ]; do sleep 0.01; done
  sleep "$2"
  is_over || kill -s "$1" "$target"
  [ "$1" = PIPE ] || return 0
  sleep 0.05
  is_over || kill -s TERM "$target"
}

# run_signalled SIGNAL SECONDS ARGUMENT...: numann, in the foreground, as shells start what lies in the background
# with SIGINT ignored. $code is its exit code.
run_signalled() {
  rm -f "$work/pid" "$work/over"
  send_later "$1" "$2" 2>"$work/send.err" &
  sender=$!
  shift 2
  sh -c 'echo $$ >"$0/pid"; exec "$@"' "$work" "$NUMANN" "$@" >"$work/out" 2>"$work/err" </dev/null
  code=$?
  : >"$work/over"
  wait "$sender"
}

# Start or go on with NAME's run, with threads, a strategy and a signal that depend on the try.
# shellcheck disable=SC2086 # a list of words
start_killed() { # NAME TRY CONFIG SET...
  folder=killed-$1 threads=$((1 + $2 % 3)) strategy=$([ $(($2 % 2)) = 0 ] && echo neurons || echo samples)
  shift 2
  random 30 >moment
  random "$(echo $signals | wc -w)" >which
  signal=$(echo $signals | cut -d ' ' -f $(($(cat which) + 1)))
  run_signalled "$signal" "0.$(printf '%02d' "$(cat moment)")" train "$@" --out "$folder" --resume --quiet \
    --threads "$threads" --set "parallel.strategy=$strategy" --set checkpoint.every="1 steps"
}

losses() { awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) keep[i] = $i !~ /second|_s$/ } { line = ""; for (i = 1; i <= NF; i++) if (keep[i]) line = line "," $i; print line }' "$1"; }

# It ended before the signal: what came out must be right, then it begins again.
begin_again() {
  check "$name: ended in try $tries with the same model file" cmp -s "killed-$name/model.safetensors" "whole-$name/model.safetensors"
  rm -rf "killed-$name"
}

# killed NAME KILLS EPOCHS CONFIG SET...: a run ended so often equals one that was not.
killed() {
  name=$1 want_kills=$2 epochs=$3
  shift 3
  check "$name: the uninterrupted run" run 0 train "$@" --out "whole-$name" --quiet --json
  whole=$(json weights_sha256)
  landed=0
  tries=0
  while [ "$landed" -lt "$want_kills" ] && [ "$tries" -lt $((20 * want_kills + 100)) ]; do
    tries=$((tries + 1))
    start_killed "$name" "$tries" "$@"
    case $code in
      "$(code_of "$signal")") landed=$((landed + 1)) ;;
      0) begin_again ;;
      *) check "$name: SIG$signal in try $tries" exited "$(code_of "$signal")" "$code" "numann train --resume" ;;
    esac
  done 2>killed.err
  check "$name: $want_kills signals landed ($tries tries, seed ${NUMANN_SEED:-20241})" test "$landed" -eq "$want_kills"
  check "$name: the last resume" run 0 train "$@" --out "killed-$name" --resume --quiet --json
  check "$name: after $landed signals the same weights" same "$(json weights_sha256)" "$whole"
  check "$name: the same model file" cmp -s "killed-$name/model.safetensors" "whole-$name/model.safetensors"
  check "$name: the same curves" same "$(losses "killed-$name/metrics.csv")" "$(losses "whole-$name/metrics.csv")"
  check "$name: every epoch once" test "$(wc -l <"killed-$name/metrics.csv")" -eq $((epochs + 1))
  check "$name: no temporary file is left" same "$(find "killed-$name" -name '*.tmp')" ""
}

#!/bin/sh
# Ranks under MPI that fail, differ, are asked to stop or are launched wrongly: one message, one exit code, no
# hang, and nothing lost. Run by `make check-mpi`. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154,SC2086 # called through check; variables of harness.sh and ranks.sh; lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/ranks.sh
. "$srcdir/tests/ranks.sh"
cd "$work" || exit 99
digits=$srcdir/configs/digits.yaml
sets="--set train.batch=257 --set train.grain=8 --threads 1"
echo "$library, $MPIRUN"

# ---- one rank alone has something wrong: it is named, by one message, and all end
# fails NAME CODE TEXT ARGUMENT...: three ranks
fails() {
  fails_name=$1 fails_code=$2 fails_text=$3
  shift 3
  check "$fails_name: code" ranked "$fails_code" 3 train "$digits" $sets --set train.epochs=2 --out bad --overwrite "$@"
  check "$fails_name: told once" one_error "$fails_text"
}
export ODD ODD_DOES
ODD=0
ODD_DOES='set -- "$@" --set data.train.path=/nowhere/rows.csv'
fails "the only host without its data" 3 "data: /nowhere/rows.csv: cannot be opened"
ODD=1
# MPICH takes ranks of even and of odd numbers for two hosts; two of Open MPI are in mpi_hosts.sh.
if [ "$kind" = mpich ]; then
  make_rows
  export MPIR_CVAR_ODD_EVEN_CLIQUES=1
  fails "another host without its data" 3 "data: rank 1: /nowhere/rows.csv: cannot be opened"
  plain_digits=$digits digits=$work/judged.yaml
  ODD_DOES="set -- \"\$@\" --set data.train.path=$work/other_train.csv"
  fails "another training row" 2 "rank 1 has another config, other rows"
  ODD_DOES="set -- \"\$@\" --set data.validation.path=$work/other_judge.csv"
  fails "another validation row" 2 "rank 1 has another config, other rows" --set train.early_stopping.patience=2
  digits=$plain_digits
  unset MPIR_CVAR_ODD_EVEN_CLIQUES
fi
ODD_DOES='set -- "$@" --set train.seed=7'
fails "another seed" 2 "rank 1 has another config"
ODD_DOES='set -- "$@" --set parallel.fuse_update=false'
fails "weights from one, gradients from the other" 2 "rank 1 has another batch, .* or fuse_update"
ODD_DOES='set -- "$@" --set train.sead=7'
fails "an unknown key" 2 "rank 1: --set train.sead=7: unknown key"
ODD_DOES='set -- "$@" --sat train.seed=7'
fails "an unknown option" 2 "rank 1: command line: unknown option --sat"
ODD_DOES='set -- "$@" --threads 0'
fails "a wrong number of threads" 2 "rank 1: .*threads"
ODD_DOES='set -- "$@" --set parallel.patience=5 --set "checkpoint.every=3 steps"'
gzip -dc "$srcdir/configs/data/digits.csv.gz" >digits.csv
cp digits.csv copy.csv
ODD_DOES="$ODD_DOES"' --set data.train.path='"$work/copy.csv"
sets="$sets --set data.train.path=$work/digits.csv"
check "what may differ between ranks" ranked 0 3 train "$digits" $sets --set train.epochs=1 --out bad --overwrite --quiet
unset ODD ODD_DOES

# ---- all of them
check "a folder that holds a run: code" ranked 2 3 train "$digits" $sets --set train.epochs=2 --out bad
check "a folder that holds a run: told once" one_error "rank 0: bad: the folder holds a run"
fails "an unknown option on all" 2 "config: command line: unknown option --sat" --sat
fails "more ranks than grains" 2 "train.batch: 3 ranks, but a batch of 257 rows in grains of 200 has work for 2" --set train.grain=200
fails "divergence" 7 "diverged: epoch 1" --set train.optimizer.learning_rate=1e30
run 7 train "$digits" $sets --set train.epochs=2 --out bad1 --set train.optimizer.learning_rate=1e30
tail -n 1 err >told
check "divergence: told as by one process" grep -qxF "$(sed 's/bad1/bad/g' told)" err
# The one neuron of tests/diverge.sh, of which most ranks own nothing: its rate is a little too long.
awk 'function draw() { s = s * 16807 % 2147483647; return 2 * s / 2147483647 - 1 }
  BEGIN { s = 3; print "a,b,y"
    for (i = 0; i < 400; i++) { a = draw(); b = draw(); printf "%.4f,%.4f,%.4f\n", a, b, 3 * a - 2 * b } }' >rows.csv
cat >late.yaml <<'END'
data: {train: {path: rows.csv, target: y}}
network: {layers: [{neurons: 1, activation: identity}]}
train: {loss: squared_error, batch: full, grain: 8, epochs: 3000, optimizer: {name: sgd, learning_rate: 4}}
END
check "a late divergence of one process" run 7 train late.yaml --out bad1 --overwrite --set "checkpoint.every=7 steps" --quiet
grep '^numann: error' err | sed 's/bad1/bad/g' >told
check "a late divergence: code" ranked 7 3 train late.yaml --out bad --overwrite --set "checkpoint.every=7 steps" --quiet
check "a late divergence: told as by one process" grep -qxF "$(cat told)" err
kept() { (cd "$1/checkpoints" && cksum ./*); }
check "a late divergence: the same is kept" same "$(kept bad)" "$(kept bad1)"

# ---- launched otherwise: topo still shows the machine
# refused NAME TEXT: by train, plan and topo
refused() {
  check "$1: code" ranked 2 3 train "$digits" $sets --out bad --overwrite
  check "$1: told once" one_error "so many processes were started, but $2"
  check "$1, plan: code" ranked 2 3 plan "$digits" $sets
  check "$1, plan: told once" one_error "so many processes were started, but $2"
  check "$1, plan: nothing else" test ! -s out
  check "$1, topo: code" ranked 2 3 topo
  check "$1, topo: told once" one_error "so many processes were started, but $2"
  check "$1, topo: the machine, once" same "$(grep -c '^machine$' out)" 1
  check "$1, topo --json: code" ranked 2 3 topo --json
  check "$1, topo --json: the diagnosis" has out "^{\"job\": null.*\"diagnosis\": \".*so many processes were started, but $2"
}
if command -v "mpirun.$other" >"$work/which"; then
  own=$MPIRUN
  MPIRUN=mpirun.$other
  refused "the launcher of another MPI" "MPI joined 1 of them"
  MPIRUN=$own
else
  echo "SKIP: no launcher of another MPI"
fi
plain=${NUMANN_PLAIN:-$srcdir/build/numann}
if [ -x "$plain" ] && "$plain" --version --verbose | grep -q '^ranks .*without MPI'; then
  mpi=$NUMANN
  NUMANN=$plain
  refused "built without MPI" "this numann was built without MPI"
  NUMANN=$mpi
else
  echo "SKIP: NUMANN_PLAIN names no numann that is built without MPI"
fi
run 0 train "$digits" $sets --set train.epochs=2 --out one --quiet
cat >own_folder <<'END'
#!/bin/sh
exec "$NUMANN" "$@" --out "off-${OMPI_COMM_WORLD_RANK-$PMI_RANK}"
END
chmod +x own_folder
check "NUMANN_MPI=off" env NUMANN_MPI=off $MPIRUN -n 2 ./own_folder train "$digits" $sets --set train.epochs=2 --quiet >out
for rank in 0 1; do check "NUMANN_MPI=off: a training of its own" cmp off-$rank/model.safetensors one/model.safetensors; done

# ---- nothing but train, plan and topo starts MPI: here it could not
spoiled() {
  env OMPI_MCA_pml=none-such OMPI_COMM_WORLD_SIZE=3 OMPI_COMM_WORLD_RANK=0 PMI_SIZE=3 PMI_RANK=0 PMI_FD=77 "$NUMANN" "$@" \
    >"$work/out" 2>"$work/err" </dev/null
}
check "MPI cannot start here" refute spoiled train "$digits" $sets --out bad --overwrite
for command in --help --version "info one" "predict one digits.csv" "eval one" "train --help" "plan --help" "topo --help"; do
  check "no MPI for numann $command" spoiled $command || sed 's/^/  | /' err
done

# ---- a full disk on the leader: warned of, and nothing that was there is lost
cat >full.sh <<'END'
go() { "$@" --out disk/run --resume --quiet; }
mount -t tmpfs -o size=4m tmpfs disk || exit 99
go "$@" --set train.epochs=1 || exit 98
dd if=/dev/zero of=disk/filler bs=4096 2>filler.err
dd if=/dev/zero of=disk/filler bs=4096 seek=$(($(stat -c %s disk/filler) / 4096 - 16)) count=0 2>filler.err
go "$@" --set train.epochs=3
echo $? >full.code
rm disk/filler
go "$@" --set train.epochs=3 || exit 97
cp disk/run/model.safetensors full.safetensors
END
mkdir -p disk "$PIDS"
cat >ranks3 <<END
#!/bin/sh
exec $MPIRUN -n 3 "\$@"
END
chmod +x ranks3
set -- $sets --set train.schedule.name=constant --set "checkpoint.every=1 epochs"
if unshare -m true 2>"$work/unshare.err"; then
  run 0 train "$digits" "$@" --set train.epochs=3 --out whole --quiet
  unshare -m sh full.sh ./ranks3 "$work/rank" train "$digits" "$@" >out 2>err
  check "a full disk: goes on later" test $? = 0 || sed 's/^/  | /' err
  check "a full disk: code" same "$(cat full.code)" 5
  check "a full disk: warned of" has err "warning: checkpoint not written"
  check "a full disk: told once" one_error "No space left on device"
  check "a full disk: the same model file" cmp full.safetensors whole/model.safetensors
else
  echo "SKIP: no mount namespace for a small disk"
fi

# ---- a signal to the launcher, which hands it on, or to one rank: all stop at one step, and another number goes on
long="$sets --set train.epochs=400"
run 0 train "$digits" $long --out whole --overwrite --quiet
epochs_of() { if [ -f "$1/metrics.csv" ]; then wc -l <"$1/metrics.csv"; else echo 0; fi; }
# stopped SIGNAL TARGET RANKS: the run of folder `stopped` begins, or goes on
stopped() {
  start_job "$3" train "$digits" $long --out stopped --resume --json
  had=$(epochs_of stopped)
  while is_alive "$job" && [ "$(epochs_of stopped)" -le "$((had + 5))" ]; do sleep 0.05; done
  case $2 in launcher) kill -s "$1" "$(child_of "$job")" ;; *) kill -s "$1" "$(pid_of "$2")" ;; esac
  end_job
  exited 75 "$code" "SIG$1 to $2 of $3"
}
child_of() { ps -o pid= --ppid "$1" | head -n 1 | tr -d ' '; } # timeout's, which is the launcher
step_told() { sed -n 's/.*stopped by .* at step \([0-9]*\),.*/\1/p' err; }
stops() { # SIGNAL TARGET RANKS TEXT
  check "SIG$1 to $2 of $3: code" stopped "$1" "$2" "$3" || return
  check "SIG$1 to $2 of $3: told once" same "$(grep -c 'stopped by' err)" 1
  check "SIG$1 to $2 of $3: told" has err "stopped by $4 at step [0-9]*, the checkpoint is safe"
  check "SIG$1 to $2 of $3: in the result" has out '"stopped": *true'
  check "SIG$1 to $2 of $3: saved" test -f "stopped/checkpoints/ck-$(step_told).safetensors"
}
stops USR1 launcher 3 SIGUSR1
stops TERM 1 2 "a signal to another rank"
stops INT 0 4 SIGINT
stops XCPU 4 5 "a signal to another rank"
check "the end of a stopped run" ranked 0 2 train "$digits" $long --out stopped --resume --quiet
check "a stopped run: the same model file" cmp stopped/model.safetensors whole/model.safetensors

# ---- a stop that cannot be saved is no stop: the folder of checkpoints has become a file
start_job 3 train "$digits" $long --set train.epochs=100000 --out lost --quiet
while is_alive "$job" && [ "$(epochs_of lost)" -le 3 ]; do sleep 0.05; done
: >lost/checkpoints
kill -s USR1 "$(pid_of 2)"
end_job
check "a stop that cannot be saved: code" exited 5 "$code" "a signal to rank 2"
check "a stop that cannot be saved: told once" one_error "io: .*checkpoints"

# ---- before the first step: while all ranks wait for their data
mkfifo pipe
start_job 3 train "$digits" --set "data.train.path=$work/pipe" --out early
until [ -f "$PIDS/2" ] && [ -f "$PIDS/1" ] && [ -f "$PIDS/0" ]; do sleep 0.05; done
sleep 1
kill -s USR1 "$(child_of "$job")"
end_job
# The processes end by themselves, one after the other. MPICH's launcher kills the others when it sees the first go.
case "$kind $code" in
  "mpich 9") check "an early stop: told at most once" test "$(grep -c 'before the first step' err)" -le 1 ;;
  *)
    check "an early stop: code" exited 75 "$code" "SIGUSR1 before the first step"
    check "an early stop: told once" same "$(grep -c 'before the first step' err)" 1
    ;;
esac
check "an early stop: no folder" test ! -e early
finish

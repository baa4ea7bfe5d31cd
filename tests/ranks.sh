# Trainings of several ranks; sourced after harness.sh by the tests that start them.
# MPIRUN: the launcher of the MPI that numann is built with, and its options; else found by its name.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables of harness.sh and for the tests
library=$("$NUMANN" --version --verbose | sed -n 's/^ranks  *//p')
case $library in
  "Open MPI"*) kind=openmpi sign="Open MPI|OpenRTE|PRRTE" other=mpich ;;
  MPICH*) kind=mpich sign=HYDRA other=openmpi ;;
  *) skip "this numann is built without MPI (./configure --with-mpi)" ;;
esac
launcher_of() { # KIND SIGN: the name of its launcher
  for launcher in "mpirun.$1" mpirun mpiexec; do
    "$launcher" --version 2>"$work/launcher.err" | grep -qE "$2" && echo "$launcher" && return
  done
}
MPIRUN=${MPIRUN:-$(launcher_of "$kind" "$sign")}
[ "$MPIRUN" ] || skip "no launcher of $library was found; MPIRUN names it"

# As root, in containers, more ranks than cores; all arguments checked, and what was not freed told.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 \
  OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_param_check=1 OMPI_MCA_mpi_show_handle_leaks=1

# What every rank is started by: tells its process, and makes rank $ODD do what $ODD_DOES says before.
cat >"$work/rank" <<'END'
#!/bin/sh
rank=${OMPI_COMM_WORLD_RANK-${PMI_RANK-}}
echo $$ >"$PIDS/$rank"
[ "$rank" != "${ODD-}" ] || eval "$ODD_DOES"
exec "$NUMANN" "$@"
END
chmod +x "$work/rank"
PIDS=$work/pids
export PIDS NUMANN
unset ODD ODD_DOES

has() { grep -q -e "$2" "$1" || { sed 's/^/  | /' "$1" | head -n 8; return 1; }; } # FILE PATTERN
pid_of() { cat "$PIDS/$1"; } # RANK
# Of processes that have ended some stay as zombies where nobody waits for orphans.
is_alive() { [ "$(ps -o stat= -p "$1" 2>"$work/ps.err" | cut -c 1)" != Z ] && kill -0 "$1" 2>"$work/ps.err"; }
alive() { # the ranks that are still there
  for file in "$PIDS"/*; do
    [ -f "$file" ] && is_alive "$(cat "$file")" && echo "${file##*/}"
  done
}

# Digits with layers whose messages go in four bundles: each lane (machine/comm.h) carries more than one of them.
write_large() { # FILE
  cat >"$1" <<END
data:
  train: {path: $srcdir/configs/data/digits.csv.gz, target: label}
  scale: 16
network:
  layers:
    - {neurons: 1024, activation: relu}
    - {neurons: 100, activation: tanh}
    - {neurons: 700, activation: relu}
    - {neurons: 100, activation: tanh}
    - {neurons: 10, activation: softmax}
train: {loss: cross_entropy, optimizer: {name: adam, learning_rate: 1e-3}, batch: 257, grain: 8}
END
}

# A launcher in the background, and $job; the end is waited for by end_job.
start_job() { # RANKS ARGUMENT...: numann
  rm -rf "$PIDS" && mkdir "$PIDS"
  n_ranks=$1
  shift
  # shellcheck disable=SC2086 # a list of words
  timeout -k 5 "${PATIENT:-120}" $MPIRUN -n "$n_ranks" "$work/rank" "$@" >"$work/out" 2>"$work/err" </dev/null &
  job=$!
}
end_job() {
  wait "$job"
  code=$?
}
launch() { start_job "$@" && end_job; }

# ranked CODE RANKS ARGUMENT...: must end with the code.
ranked() {
  want_code=$1
  shift
  launch "$@"
  exited "$want_code" "$code" "$MPIRUN -n $*" && refute grep "still allocated" "$work/err"
}
# Rows that another host may have: config judged.yaml of rows/train.csv and rows/judge.csv, and a row of each
# that is another in other_train.csv and other_judge.csv.
make_rows() {
  mkdir rows
  gzip -dc "$srcdir/configs/data/digits.csv.gz" >rows/train.csv
  head -n 400 rows/train.csv >rows/judge.csv
  for part in train judge; do sed '2s/^[0-9]*/9/' rows/$part.csv >other_$part.csv; done
  sed -e "s|data/digits.csv.gz|$work/rows/train.csv|" -e "s|{fraction: 0.1}|{path: $work/rows/judge.csv}|" \
    "$srcdir/configs/digits.yaml" >judged.yaml
}
errors() { grep -c '^numann: error' "$work/err"; }
one_error() { # TEXT: told once
  { [ "$(errors)" = 1 ] && grep -q "^numann: error: .*$1" "$work/err"; } || { sed 's/^/  | /' "$work/err" | head -n 8; return 1; }
}

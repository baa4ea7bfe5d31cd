# What is run inside the guest (tests/numa_guest.sh). A line for each training:
#   @run NAME EXIT-CODE PAGES-BY-NODE JSON
# PAGES-BY-NODE is what pages.awk sees in /proc/PID/numa_maps.
# SPDX-License-Identifier: MIT
# shellcheck shell=sh
groups=/sys/fs/cgroup
echo "+cpuset +cpu" >$groups/cgroup.subtree_control

# group NAME FILE=VALUE...: a control group with these limits.
group() {
  mkdir "$groups/$1"
  folder=$groups/$1
  shift
  for limit; do echo "${limit#*=}" >"$folder/${limit%%=*}"; done
}

# train NAME GROUP CONFIG ARGUMENT...: in a control group ("" is the root). It begins on the processors of the
# mask $start, but may use all four.
start=
begin() {
  [ -n "$start" ] || return
  mine=$(exec sh -c 'echo $PPID')
  taskset -p "$start" "$mine" >/dev/null && taskset -p f "$mine" >/dev/null
}
train() {
  name=$1 in=$groups/$2 config=/job/$3.yaml
  shift 3
  (
    echo 0 >"$in/cgroup.procs"
    begin
    LD_PRELOAD=$preload exec /job/numann train "$config" --out "/tmp/$name" --quiet --json --explain-placement "$@"
  ) >"/tmp/$name.out" 2>"/tmp/$name.err" </dev/null &
  pages=$(awk -v pid=$! -f /job/pages.awk)
  wait $!
  echo "@run $name $? ${pages:-none} $(cat "/tmp/$name.out")"
  sed 's/^/  | /' "/tmp/$name.err"
}

preload=
group machine "cpuset.cpus=$CPUS" "cpuset.mems=$MEMS"
for network in digits wide; do
  for strategy in neurons samples hybrid; do
    train "$network-$strategy" machine $network --threads 4 --set parallel.strategy=$strategy
  done
done

# The test of the test: pages touched first by one thread, threads bound to nothing.
spoilt() {
  preload=/job/spoil.so
  for SPOIL in pages threads; do
    export SPOIL
    train "$SPOIL-digits" machine digits --threads 4 --set parallel.strategy=samples
  done
  few
}

# Fewer threads than cores: from a processor of the second node, from one of the first, and two at once.
few() {
  preload=
  start=8 train few-1-digits machine digits --threads 2
  start=1 train few-0-digits machine digits --threads 2
  start=8 train few-1-wide machine wide --threads 1
  start=1 train beside-0-digits machine digits --threads 2 --set train.epochs=15 >/tmp/beside &
  sleep 2
  train beside-1-digits machine digits --threads 2 --set train.epochs=15
  wait
  cat /tmp/beside
}

# Limits that only root can set; the number of threads is numann's business.
limits() {
  group quota "cpu.max=150000 100000"
  group core cpuset.cpus=3 cpuset.mems=1
  group node cpuset.cpus=2-3 cpuset.mems=1
  for limit in quota core node; do train "$limit-digits" $limit digits; done
  echo "@bench $(/job/numann bench nodes --seconds 1 --json)"
}
${MORE-}

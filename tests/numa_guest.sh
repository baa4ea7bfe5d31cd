#!/bin/sh
# Placement on machines with several NUMA nodes, by a real kernel under emulation: every page and thread where
# planned, and the weights of a run outside. Needs qemu-system-x86_64, busybox (static), cpio and a kernel:
# NUMANN_KERNEL=FILE, or build/guest/boot/vmlinuz-*, or /boot/vmlinuz-*. Run by `make check-guest`.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck disable=SC2046,SC2086 # lists of words
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
guest=$srcdir/tests/guest
began=$(date +%s)

find_kernel() {
  for kernel in "${NUMANN_KERNEL-}" "$builddir"/guest/boot/vmlinuz-* /boot/vmlinuz-*; do
    [ -f "$kernel" ] && [ -r "$kernel" ] && return
  done
  skip "no kernel: NUMANN_KERNEL=FILE names one"
}
[ "$(uname -m)" = x86_64 ] || skip "the guest is for x86-64"
for tool in qemu-system-x86_64 busybox cpio ldd; do
  command -v $tool >/dev/null || skip "no $tool"
done
find_kernel
cd "$work" || exit 99

# ---- what the guest trains: digits, and 784-512-512-10 on generated rows, both kept as floats
prepare() {
  mkdir job && cp -R "$srcdir/configs/data" job/data && cp "$srcdir/configs/digits.yaml" job/plain.yaml
  sed 's/^  scale: 16 .*/  scale: standardize/; s/^  batch: 32/  batch: full/; s/^  epochs: 40/  epochs: 1/
    s/neurons: 128/neurons: 224/' job/plain.yaml >job/digits.yaml
  "$NUMANN" bench rows --json | sed 's/.*\({"row": "mnist"[^}]*\).*/[\1}]/' | awk -f "$srcdir/tests/same_bits.awk" >made
  sed 's/scale: 255/scale: standardize/; s/batch: 128/batch: 16, grain: 4/' mnist.yaml >job/wide.yaml
  head -n 20 mnist.csv >job/mnist.csv
  ${CC:-cc} -shared -fPIC -o job/spoil.so "$guest/spoil.c" -ldl
  NUMANN=$NUMANN sh "$guest/initramfs.sh" . initramfs.gz
}
check "the guest's files" prepare || finish

for network in digits wide; do
  check "$network outside" run 0 train job/$network.yaml --out host --overwrite --quiet --json --threads 2
  json weights_sha256 >$network.sha256
  check "there is a hash" test "$(wc -c <$network.sha256)" -eq 65
done

# ---- machines

# The options for nodes of 256 MiB with these processors; "-": none, memory alone.
nodes_for_qemu() {
  n=0 sockets=0 options=
  for cpus; do
    options="$options -object memory-backend-ram,id=m$n,size=256M -numa node,nodeid=$n,memdev=m$n"
    [ "$cpus" = - ] || { options="$options,cpus=$cpus" sockets=$((sockets + 1)) last=${cpus#*-}; }
    n=$((n + 1))
  done
  echo "$options -m $((256 * n))M -smp $((last + 1)),sockets=$sockets,cores=$(((last + 1) / sockets)),threads=1"
}

# boot NAME VARIABLES CPUS...: the guest's lines are in NAME.log. Under load the emulator's timer may be too late
# for a kernel that starts: one that never came to its first process is started once more.
boot() {
  name=$1 variables=$2
  shift 2
  for _ in 1 2; do
    timeout -k 5 400 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max $(nodes_for_qemu "$@") \
      -kernel "$kernel" -initrd initramfs.gz -append "console=ttyS0,115200 panic=-1 loglevel=1 no_timer_check $variables" \
      -display none -monitor none -serial stdio -no-reboot -nic none </dev/null 2>&1 | tr -d '\r' >"$name.log"
    grep -q '^@nodes' "$name.log" && return
    echo "$name did not start:"
    tail -n 20 "$name.log"
  done
}

# Two at a time, as much of a run is one thread's.
boot two "CPUS=0-3 MEMS=0-1 MORE=spoilt" 0-1 2-3 &
boot four "CPUS=0-3 MEMS=0-3" 0 1 2 3 &
wait
boot memory-only "CPUS=0-3 MEMS=0-2 MORE=limits" 0-1 2-3 - &
boot forbidden "CPUS=0-1,4-5 MEMS=0,2" 0-1 2-3 4-5 &
wait
echo "guests: $(($(date +%s) - began)) s"

# ---- what the guest says of a run
pages=none
found() { grep "^@run $2 " "$1.log" >line && sed 's/^@run [^ ]* [^ ]* [^ ]* //' line >out && read -r _ _ exit_code pages _ <line; }
of_node() { sed -n "s/.*{\"node\": $1, \"planned\": \([0-9]*\), \"found\": \([0-9]*\)}.*/\\$2/p" out | grep . || echo 0; }
seen() { echo ",$pages" | sed -n "s/.*,$1:\([0-9]*\).*/\1/p" | grep . || echo 0; } # by /proc/PID/numa_maps

count() { json "$1" | grep . || echo 0; }
at_least_500() { [ "$(count pages_checked)" -ge 500 ] || { echo "  pages: $(count pages_checked)"; return 1; }; }
of_100_are_99() { [ $((100 * $(count pages_right))) -ge $((99 * $(count pages_checked))) ]; }
threads_are_there() { [ "$(json threads_bound)" = 4 ] && [ "$(json threads_on_their_core)" = 4 ]; }
placed_well() { at_least_500 && of_100_are_99 && threads_are_there; }

# A node of the plan has its pages, by the system's other account too; any other has none.
node_is_right() { # NODE USED
  if [ "$2" = used ]; then
    [ "$(of_node "$1" 1)" -ge 100 ] && [ "$(seen "$1")" -ge "$(of_node "$1" 2)" ]
  else
    [ "$(of_node "$1" 2)" = 0 ] && [ "$(seen "$1")" = 0 ]
  fi || { echo "  node $1 is to be $2; pages seen: $pages"; tail -n 1 out; return 1; }
}

one_run() { # MACHINE NETWORK STRATEGY NODES
  what="$1: $2, $3"
  check "$what: ran" found "$1" "$2-$3" || return
  check "$what: exit code" same "$exit_code" 0 || { grep "^  | " "$1.log" | sort -u | head; return; }
  check "$what: strategy" same "$(json strategy)" "$3"
  check "$what: threads" same "$(json threads_working)" 4
  check "$what: pages and threads where planned" placed_well || cat out
  check "$what: weights" same "$(json weights_sha256)" "$(cat "$2.sha256")"
  node=0
  for used in $4; do
    check "$what: node $node" node_is_right $node $used
    node=$((node + 1))
  done
}

machine() { # NAME NODE...: each "used" or "empty"
  name=$1
  shift
  check "$name: boots and comes to its end" grep -q '^@end' "$name.log" || tail -n 20 "$name.log"
  for network in digits wide; do
    for strategy in neurons samples hybrid; do one_run "$name" $network $strategy "$*"; done
  done
}
machine two used used
machine four used used used used
machine memory-only used used empty
machine forbidden used empty used

# ---- the test of the test: what is placed wrongly is noticed, and has the same weights
for spoilt in pages-digits threads-digits; do
  check "spoilt $spoilt: ran" found two $spoilt || continue
  check "spoilt $spoilt: enough pages" at_least_500
  check "spoilt $spoilt is noticed" refute placed_well
  check "spoilt $spoilt: weights" same "$(json weights_sha256)" "$(cat digits.sha256)"
done
check "spoilt threads: the pages are not what is noticed" of_100_are_99

# ---- fewer threads than cores: one node has them and all pages, whichever it is
one_node() { sed 's/.*"nodes": \[//; s/\].*//' out | grep -o '"os": [0-9]*' | tr -dc '0-9\n'; }
few() { # NAME THREADS
  check "$1: ran" found two "$1" || return
  check "$1: enough pages" at_least_500
  check "$1: pages where planned" of_100_are_99 || cat out
  check "$1: threads" same "$(json threads_bound) $(json threads_on_their_core)" "$2 $2"
  check "$1: one node" test "$(one_node | wc -l)" = 1
}
few few-0-digits 2
few few-1-digits 2
few few-1-wide 1
few beside-0-digits 2
first=$(one_node)
few beside-1-digits 2
check "of two at once, each has a node of its own" test "$(one_node)" != "$first"

# ---- limits that root sets: the number of threads, and memory of the allowed node alone
limited() { # NAME THREADS
  check "$1: ran" found memory-only "$1-digits" || return
  check "$1: threads" same "$(json threads_limit)" "$2"
  check "$1: weights" same "$(json weights_sha256)" "$(cat digits.sha256)"
}
only_on_node_1() {
  [ "$(seen 1)" -ge 100 ] && [ "$(seen 0)" = 0 ] && [ "$(seen 2)" = 0 ] && return
  echo "  pages seen: $pages"
  return 1
}
limited quota 2
limited core 1
check "core: its node alone has pages" only_on_node_1
limited node 2
check "node: it alone has pages" only_on_node_1
check "node: both threads on their cores" same "$(json threads_on_their_core)" 2

pairs_bound() { grep "^@bench .*\"bound\": true" memory-only.log | grep -o "\"cores_of\": [0-9]*, \"memory_of\": [0-9]*" | tr -dc "0-9\n"; }
check "bench nodes: from each node to each" same "$(pairs_bound | tr '\n' ' ')" "00 01 02 10 11 12 "
finish

#!/bin/sh
# Checkpoints that ranks write together: the bytes of one rank's, whoever goes on with whose; a rank that is killed at any
# system call of it, or refused space, or that does not see the folder. NUMANN_LONG: at every call, and all pairs.
# Run by `make check-mpi`. SPDX-License-Identifier: MIT
# shellcheck disable=SC2317,SC2154,SC2086,SC2012,SC2089,SC2090 # called through check; variables of harness.sh and ranks.sh; lists of words; names of ours; evaluated
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
# shellcheck source=tests/ranks.sh
. "$srcdir/tests/ranks.sh"
cd "$work" || exit 99
if grep -q __asan_init "$NUMANN"; then skip "a sanitizer must be loaded before all others"; fi
${CC:-cc} -shared -fPIC -O1 -o break.so "$srcdir/tests/break_checkpoint.c" 2>err ||
  skip "the helper does not compile: $(head -n 1 err)"
echo "$library, $MPIRUN"
config=$srcdir/configs/digits.yaml
# Wide enough that three ranks have something to write.
sets="--set train.batch=257 --set train.grain=8 --set network.layers.0.neurons=512 --set train.schedule.name=constant
  --set checkpoint.keep=9 --threads 1"
own="--set train.epochs=2"
steps_of() { (cd "$1/checkpoints" && ls ck-*.safetensors | sed 's/[^0-9]//g' | sort -n | tr '\n' ' '); } # FOLDER

# broken ARGUMENT...: as launch, with the helper in all processes; what it did on a rank is in calls.RANK.
broken() {
  rm -f calls.*
  LD_PRELOAD=$work/break.so BREAK_LOG=$work/calls launch "$@"
}

# ---- the same bytes, and who goes on with whose
for ranks in 1 2 3 5; do
  broken $ranks train "$config" $sets $own --set "checkpoint.every=1 epochs" --out by$ranks --quiet
  check "$ranks ranks: code" exited 0 "$code" "$MPIRUN -n $ranks"
  check "$ranks ranks: checkpoints" same "$(steps_of by$ranks)" "5 10 "
  for file in checkpoints/ck-5.safetensors checkpoints/ck-10.safetensors model.safetensors; do
    check "$ranks ranks: $file" cmp by$ranks/$file by1/$file
  done
  rank=1
  while [ $rank -lt $ranks ]; do
    check "$ranks ranks: rank $rank wrote" has calls.$rank "pwrite .*ck-5"
    rank=$((rank + 1))
  done
done
goes_on() { # RANKS OTHER
  rm -rf both && mkdir -p both/checkpoints && : >both/lock
  cp by$1/checkpoints/ck-5.safetensors both/checkpoints
  check "$1 ranks, then $2: code" ranked 0 $2 train "$config" $sets $own --out both --resume --quiet
  check "$1 ranks, then $2: the model" cmp both/model.safetensors by1/model.safetensors
  check "$1 ranks, then $2: the checkpoint" cmp both/checkpoints/ck-10.safetensors by1/checkpoints/ck-10.safetensors
}
if [ -n "${NUMANN_LONG-}" ]; then
  for a in 1 2 3 5; do for b in 1 2 3 5; do goes_on $a $b; done; done
else
  goes_on 1 3
  goes_on 3 2
  goes_on 2 5
  goes_on 5 1
fi

# The best weights of early stopping, three arrays, and arrays that every rank updates whole.
other_arrays() { # SET...
  for ranks in 1 4; do
    broken $ranks train "$config" $sets $own --set "checkpoint.every=1 epochs" "$@" --out others$ranks --overwrite --quiet
    check "$*: $ranks ranks" exited 0 "$code" "$MPIRUN -n $ranks"
  done
  for file in ck-5 ck-10; do
    check "$*: $file" cmp others4/checkpoints/$file.safetensors others1/checkpoints/$file.safetensors
  done
}
other_arrays --set train.early_stopping.patience=3 --set train.optimizer.name=amsgrad
other_arrays --set parallel.fuse_update=false

# ---- a run of three ranks, each call of whose checkpoints is known: of steps 4, 7 and 10
plain="$sets $own --set checkpoint.keep=2"
train3() { broken 3 train "$config" $plain --set "checkpoint.every=3 steps" "$@"; }
train3 --out whole --quiet
check "three ranks: code" exited 0 "$code" "$MPIRUN -n 3"
check "three ranks: the model" cmp whole/model.safetensors by1/model.safetensors
for rank in 0 1 2; do cp calls.$rank whole.$rank; done
synchronised() { # RANK: as often as opened, closed only after it
  awk '$1 == "open" && NR > 1 && !synced { exit 1 } $1 == "open" { synced = 0; n++ } $1 == "fsync" { synced = 1 } $1 == "pwrite" { synced = 0 } $1 == "close" && !synced { exit 1 }
    END { if (!synced || n < 3) exit 1 }' "whole.$1"
}
for rank in 1 2; do check "rank $rank synchronises its part" synchronised $rank; done
calls_of() { wc -l <"whole.$1"; }

# ---- killed at a call: what was durable is there, every checkpoint is valid, and others go on
# The last checkpoint whose new name was synchronised, by what rank 0 has done.
durable() {
  touch calls.0
  awk '$1 == "renameat" { gsub(/[^0-9]/, "", $2); step = $2 } $1 == "fsync" && $2 ~ /checkpoints$/ { last = step } END { print last + 0 }' calls.0
}
valid() { # all of FOLDER
  for file in "$1"/checkpoints/ck-*; do
    [ -f "$file" ] || continue
    "$NUMANN" info "$file" >info.out 2>info.err || { sed 's/^/  | /' info.err; return 1; }
  done
}
not_older() { # FOLDER STEP
  newest=$(steps_of "$1" 2>steps.err | sed 's/ $//; s/.* //')
  [ "${newest:-0}" -ge "$2" ] || { echo "  newest: ${newest:-none}, durable: $2"; return 1; }
}
kills=0
kill_at() { # RANK CALL WHEN
  rm -rf killed
  what="rank $1 killed $3 call $2"
  BREAK_RANK=$1 BREAK_AT=$2 BREAK_BY=$3 train3 --out killed --quiet
  check "$what: landed" refute test "$code" = 0 || return
  kills=$((kills + 1))
  check "$what: all checkpoints are valid" valid killed
  check "$what: the durable one is there" not_older killed "$(durable)"
  ranks=$((1 + ($2 + $1) % 4))
  check "$what: $ranks ranks go on" ranked 0 $ranks train "$config" $plain --out killed --resume --quiet
  check "$what: the same model" cmp killed/model.safetensors by1/model.safetensors
  check "$what: no temporary file is left" same "$(find killed -name '*.tmp')" ""
}
stride=9
[ -z "${NUMANN_LONG-}" ] || stride=1
for rank in 0 1 2; do
  call=$((1 + rank))
  until [ $call -gt "$(calls_of $rank)" ]; do
    if [ $stride = 1 ]; then
      kill_at $rank $call before
      kill_at $rank $call after
    elif [ $((call % 2)) = 0 ]; then
      kill_at $rank $call before
    else
      kill_at $rank $call after
    fi
    call=$((call + stride))
  done
done
# Between the end of its own part and what all agree on.
kill_at 1 "$(awk '$1 == "close" { print NR; exit }' whole.1)" after
echo "$kills kills"

# ---- refused space at a call of the second checkpoint: warned of, the first stays, the third is written
number_of() { # RANK CALL: of the first one with this name for the second checkpoint, among those of the name
  awk -v call="$2" '$1 == call { n++; if ($2 ~ /ck-7[.]/) { print n; exit } }' "whole.$1"
}
refused() { # RANK CALL ERROR TEXT
  rm -rf full
  what="rank $1 is refused $2"
  BREAK_RANK=$1 BREAK_CALL=$2 BREAK_AT=$(number_of $1 $2) BREAK_BY=$3 train3 --set checkpoint.keep=9 --out full --quiet
  check "$what: goes on" exited 0 "$code" "$MPIRUN -n 3"
  check "$what: warned of" has err "warning: checkpoint not written (1 of 3 .*$4"
  check "$what: once" same "$(grep -c 'not written' err)" 1
  [ "$1" = 0 ] || check "$what: names the rank" has err "not written .*: rank $1: .*ck-7"
  check "$what: the other checkpoints" same "$(steps_of full)" "4 10 "
  check "$what: all checkpoints are valid" valid full
  check "$what: the same model" cmp full/model.safetensors by1/model.safetensors
  check "$what: no temporary file is left" same "$(find full -name '*.tmp')" ""
}
for call in openat fallocate pwrite fsync renameat; do refused 0 $call 28 "No space left on device"; done
for rank in 1 2; do
  for call in pwrite fsync close; do refused $rank $call 28 "No space left on device"; done
done
refused 2 fsync 5 "Input/output error"

# ---- a folder that a rank does not see: rank 0 writes alone, and says so once
unseen() { # CALL TEXT
  rm -rf local
  what="rank 2 without the folder ($1)"
  BREAK_RANK=2 BREAK_CALL=$1 BREAK_AT=1 BREAK_BY=2 train3 --set checkpoint.keep=9 --out local
  check "$what: code" exited 0 "$code" "$MPIRUN -n 3"
  check "$what: said" has err "rank 0 writes the checkpoints alone, as not all ranks can: rank 2: .*$2"
  check "$what: once" same "$(grep -c 'writes the checkpoints alone' err)" 1
  check "$what: no warning" refute grep "not written" err
  check "$what: all checkpoints" same "$(steps_of local)" "4 7 10 "
  check "$what: all are valid" valid local
  check "$what: nobody else is asked again" refute grep -q pwrite calls.1
  check "$what: the same model" cmp local/model.safetensors by1/model.safetensors
}
unseen open "cannot be opened"
unseen pread "another file"
if unshare -m true 2>unshare.err; then
  cat >elsewhere <<END
#!/bin/sh
mkdir -p "$work/seen"
exec unshare -m sh -c 'mount -t tmpfs tmpfs "$work/seen" && exec "$NUMANN" "\$@"' numann "\$@"
END
  chmod +x elsewhere
  ODD=1 ODD_DOES='exec ./elsewhere "$@"'
  export ODD ODD_DOES
  check "rank 1 on another disk: code" ranked 0 3 train "$config" $plain --set "checkpoint.every=3 steps" --out seen
  check "rank 1 on another disk: said" has err "alone, as not all ranks can: rank 1: .*No such file"
  check "rank 1 on another disk: the model" cmp seen/model.safetensors by1/model.safetensors
  check "rank 1 on another disk: the checkpoint" cmp seen/checkpoints/ck-10.safetensors by1/checkpoints/ck-10.safetensors
  unset ODD ODD_DOES
else
  echo "SKIP: no mount namespaces: a rank on another disk"
fi
finish

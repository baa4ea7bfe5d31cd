#!/bin/sh
# The command as a user runs it: results, files, refusals, streams. Interruptions: same_bits.sh.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
cp -R "$srcdir/configs" configs
chmod -R u+w configs
at_least() { awk -v a="${1:-0}" -v b="$2" 'BEGIN { exit !(a >= b) }' || { echo "  found: $1, expected at least $2"; return 1; }; }
has() { grep -q -e "$2" "$1" || { echo "  $1 lacks '$2':"; head -n 5 "$1" | sed 's/^/  | /'; return 1; }; }

# ---- train
check "train" run 0 train configs/digits.yaml --set train.epochs=5
check "the table goes to stdout" has out confusion
check "the progress goes to stderr" has err 'epoch.*5/5'
for file in config.yaml model.safetensors metrics.csv metrics.jsonl report.html; do
  check "train leaves $file" test -s "runs/digits/$file"
done
check "train leaves a checkpoint" test -n "$(ls runs/digits/checkpoints)"
check "metrics.csv has a row an epoch" test "$(wc -l <runs/digits/metrics.csv)" -eq 6
check "metrics.jsonl has a row an epoch" test "$(wc -l <runs/digits/metrics.jsonl)" -eq 5
check "the report draws the placement" grep -q "core 0, processor" runs/digits/report.html
check "the report needs no other file" refute grep -qE 'https?://|src=|<link|@import' runs/digits/report.html
cp -R runs first

check "train refuses to overwrite" run 2 train configs/digits.yaml
check "and names both ways out" has err 'resume.*overwrite'
check "and touches nothing" diff -r runs first
check "train --overwrite --json" run 0 train configs/digits.yaml --overwrite --json --quiet --set train.epochs=5 --threads 1
check "--quiet is quiet" test ! -s err
check "one JSON object on one line" test "$(wc -l <out)" -eq 1
for key in epochs train_loss test_loss test_accuracy samples_per_s weights_sha256 threads threads_limit strategy groups isa; do
  check "JSON has $key" test -n "$(json $key)"
done
check "epochs is 5" same "$(json epochs)" 5
check "threads is 1" same "$(json threads)" 1
check "5 epochs are enough for 90 %" at_least "$(json test_accuracy)" 0.9
sha256=$(json weights_sha256)
check "the same files again" cmp -s runs/digits/model.safetensors first/digits/model.safetensors
if command -v python3 >/dev/null 2>&1; then
  check "it is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' out
  check "every line of metrics.jsonl is" python3 -c 'import json, sys; [json.loads(line) for line in open(sys.argv[1])]' runs/digits/metrics.jsonl
fi
check "train elsewhere with --out" run 0 train configs/digits.yaml --out else/where --json --set train.epochs=1
check "and it is there" test -s else/where/model.safetensors
elsewhere=$(json weights_sha256)
check "train --explain-placement" run 0 train configs/digits.yaml --out placed --json --set train.epochs=1 --explain-placement
check "draws it" has err '^placement  '
check "and asks the system" has err '^found  .*pages asked about'
check "JSON has the pages" has out '"pages_checked": [1-9]'
check "to the same weights" same "$(json weights_sha256)" "$elsewhere"
check "train with another machine's description" env HWLOC_SYNTHETIC='node:2 core:2 pu:1' "$NUMANN" train configs/digits.yaml \
  --out foreign --json --set train.epochs=1 --threads 4 >out 2>err
check "binds nothing of it" refute has err 'refuses'
check "and gives the same weights" same "$(json weights_sha256)" "$elsewhere"
check "the saved config trains by itself" run 0 train else/where/config.yaml --out again --json
check "to the same weights" same "$(json weights_sha256)" "$elsewhere"
check "--set reaches into lists" run 0 train configs/digits.yaml --out set --json --set network.layers.0.neurons=20 --set train.epochs=1
check "info of that run" run 0 info set --json
check "shows the network so" has out '"neurons": 20'
check "--resume of a finished run" run 0 train configs/digits.yaml --resume --json --quiet --set train.epochs=5
check "changes nothing" same "$(json weights_sha256)" "$sha256"
check "--resume beyond the end of the schedule" run 2 train configs/digits.yaml --resume --set train.epochs=7
check "names the key that is part of the numbers" has err 'train.schedule.epochs is 7, was 5'
constant="--set train.schedule.name=constant --out constant"
# shellcheck disable=SC2086 # words
{
  check "a rate without an end" run 0 train configs/digits.yaml $constant --quiet --set train.epochs=2
  check "--resume to more epochs" run 0 train configs/digits.yaml $constant --resume --json --quiet --set train.epochs=3
  check "trains them" same "$(json epochs)" 3
  check "--resume to fewer epochs" run 2 train configs/digits.yaml $constant --resume --set train.epochs=2
}
check "says what has run" has err 'found 2, but 3 epochs'
check "and the record still says it" has constant/config.yaml 'epochs: 3$'
sed 's/learning_rate: 0.01, //; s/epochs: 60/epochs: 4/' configs/iris.yaml >configs/open.yaml
check "a rate that is left open" run 0 train configs/open.yaml --json --quiet
check "is adam's own, and in the record" has runs/open/config.yaml 'learning_rate: 0.001'
rate="--set train.optimizer.learning_rate=0.01"
# shellcheck disable=SC2086
check "another rate" run 0 train configs/open.yaml --out whole --json --quiet $rate
whole=$(json weights_sha256)
# shellcheck disable=SC2086
check "of a run" run 0 train configs/open.yaml --out half --json --quiet $rate --set train.epochs=2
check "that goes on without naming it" run 0 train configs/open.yaml --out half --json --resume
check "says it" has err 'learning rate 0.01, as in the checkpoint'
check "is kept" same "$(json weights_sha256)" "$whole"
check "the record of a run trains" run 0 train half/config.yaml --out anew --json --quiet
check "to the same weights" same "$(json weights_sha256)" "$whole"
check "--resume with another seed" run 2 train configs/digits.yaml --resume --set train.seed=9
check "names the key" has err train.seed
check "regression" run 0 train configs/line.yaml --json
check "has an rmse" test -n "$(json train_rmse)"
check "iris" run 0 train configs/iris.yaml --json
check "is accurate" at_least "$(json test_accuracy)" 0.9

awk 'BEGIN { print "a,b,y"; for (i = 0; i < 60; i++) print i % 7 / 7 "," i * 5 "," 3 + i % 7 }' >unscaled.csv
cat >unscaled.yaml <<'END'
data: {train: {path: unscaled.csv, target: y}, test: {fraction: 0.2}}
network: {layers: [{neurons: 8, activation: relu}, {neurons: 1, activation: identity}]}
train: {loss: squared_error}
END
check "inputs far from 1" run 0 train unscaled.yaml --json
check "are warned of" has err 'warning: input b is the largest.*data.scale: standardize'
check "and what comes of them" has err 'warning: test rows: rmse .*as good as nothing was learned'
check "JSON has the measure" at_least "$(json test_constant_rmse)" 1
check "eval warns too" run 0 eval runs/unscaled
check "so" has err 'as good as nothing was learned'
check "and shows the measure" has out 'mean alone'
check "scaled" run 0 train unscaled.yaml --out scaled --quiet --set data.scale=standardize \
  --set data.scale_targets=standardize --set train.epochs=200
check "they are learnt without a warning" test ! -s err

# ---- plan: nothing but a look ahead
check "plan of a config" run 0 plan configs/digits.yaml
for word in machine plan why considered layer blocks memory together; do check "shows $word" has out "$word"; done
check "plan trains nothing" test ! -e runs/plan
check "plan --json" run 0 plan configs/digits.yaml --json --threads 1
for key in threads threads_limit strategy groups isa memory_bytes step_s; do
  check "plan's JSON has $key" test -n "$(json $key)"
done
for key in numa_nodes cores layers alternatives; do check "and $key" has out "\"$key\":"; done
check "plan of a row" run 0 plan --row wide --json
cores=$(sed -n 's/.*"cores": \([0-9]*\).*/\1/p' out)
OMP_NUM_THREADS=64
export OMP_NUM_THREADS
check "OMP_NUM_THREADS is a limit" run 0 plan --row wide --json
check "and not an order" at_least "$cores" "$(json threads)"
unset OMP_NUM_THREADS
check "--threads is an order" run 0 plan --row mnist --json --threads 4096
check "that is obeyed" same "$(json threads)" 4096
check "with one warning" same "$(grep -c 'warning:.*more threads than cores' err)" 1
check "groups are obeyed" run 0 plan --row mnist --json --threads 6 --set parallel.strategy=hybrid --set parallel.groups=3
check "so" same "$(json groups) $(json strategy)" "3 hybrid"
check "shipped rates" run 0 plan configs/digits.yaml --json --set parallel.calibration=off
check "are said to be so" same "$(json origin)" shipped
check "rates measured on order" run 0 plan configs/digits.yaml --set parallel.calibration=refresh
check "says what came of it" has out '^rates .*measur'
check "without a warning" test ! -s err
check "plan draws" run 0 plan --row mnist --topology 'numa:2 core:2 pu:1' --threads 4 --svg placement.svg
check "a file of its own" grep -q '^<svg .* xmlns="http://www.w3.org/2000/svg"' placement.svg
check "with both nodes" same "$(grep -c '"strong"' placement.svg)" 2
check "no folder to draw into" run 5 plan --row mnist --svg none/placement.svg
check "is named" has err 'none/placement.svg'
check "plan of nothing" run 2 plan
check "plan of two things" run 2 plan configs/digits.yaml --row mnist
check "says which" has err 'digits.yaml and --row'

# ---- columns that floats do not hold
awk 'BEGIN { print "t,y"; for (i = 0; i < 200; i++) printf "%d,%d\n", 1700000000 + i, 1700000000 + i }' >times.csv
cat >times.yaml <<'END'
data: {train: {path: times.csv, target: y}, scale: standardize, scale_targets: standardize}
network: {layers: [{neurons: 1, activation: identity}]}
train: {epochs: 200, batch: 4, loss: squared_error}
END
check "train on times" run 0 train times.yaml --out runs/times
check "predict times" run 0 predict runs/times times.csv
check "every row has its own answer" test "$(sort -u out | wc -l)" -eq 201
check "with the digits that it has" has out '^17000001[0-9][0-9]\.[0-9]'

# ---- eval, predict, info, gradcheck, topo, help
check "eval of a run" run 0 eval runs/digits --json
check "eval of a file" run 0 eval runs/digits configs/data/digits.csv.gz --json
check "counts the rows" same "$(json rows)" 1797
gzip -dc configs/data/digits.csv.gz >digits.csv
head -n 4 digits.csv >few.csv
cut -d, -f1-64 few.csv >unlabelled.csv
check "predict from a file" run 0 predict runs/digits few.csv
check "gives a line a row and a header" test "$(wc -l <out)" -eq 4
check "names the classes" has out '^prediction,probability_0'
cp out answers
head -n 1 out >first_line
"$NUMANN" predict runs/digits - <unlabelled.csv >out 2>err
check "predict from stdin, without the target" exited 0 $? predict
check "gives the same" cmp -s out answers
"$NUMANN" predict runs/digits <unlabelled.csv >out 2>err
check "predict without a file reads stdin" cmp -s out answers
head -n 1 unlabelled.csv >none.csv
check "predict no rows" run 0 predict runs/digits none.csv
check "no rows have no answers but the header" cmp -s out first_line
: >none.csv
check "predict an empty file" run 0 predict runs/digits none.csv
check "which has none either" cmp -s out first_line
check "predict to a file" run 0 predict runs/digits few.csv --output answers.csv
check "gives the same" cmp -s answers.csv answers
check "predict to NPY" run 0 predict runs/digits few.csv --output answers.npy
check "which is NPY" has answers.npy NUMPY
printf 'x\n0.5\n' | "$NUMANN" predict runs/line - >out 2>err
check "predict a number" has out '^[-0-9.e]*$'
check "info of a model" run 0 info runs/digits/model.safetensors --json
check "has the hash" test "$(json weights_sha256 | wc -c)" -eq 65
check "info of a config" run 0 info configs/digits.yaml
check "shows the layers" has out softmax
check "gradcheck" run 0 gradcheck configs/iris.yaml
check "gradcheck is for fp32" run 2 gradcheck configs/iris.yaml --set train.precision=bf16
check "topo" run 0 topo
check "bench read" run 0 bench read configs/digits.yaml
check "bench read --json" run 0 bench read configs/digits.yaml --json
check "with all rows" same "$(json rows) $(json features)" "1797 64"
check "bench read of nothing" run 2 bench read
shares_of() {
  sed 's/.*"shares": {\([^}]*\)}.*/\1/' out | tr ',' '\n' |
    awk -F: -v want="$1" '{ sum += $2 } END { exit !(NR == 17 && sum > want - 1e-6 && sum < want + 1e-6) }'
}
few="--layers 5,7,3 --batch 4 --seconds 0.002"
# 7 and 3 neurons are padded to 16, and each layer's bias is an input more: useful over padded, for a row
padding=$(awk 'BEGIN { print substr((4 * 35 + 6 * 21) / (2 * 16 * (6 + 6 + 3 + 8 + 8)), 1, 6) }')
# shellcheck disable=SC2086 # words
check "bench step" run 0 bench step $few --threads 1 --json
check "with its shuffle charged" test "$(json shuffle_share)" != 0.0
for threads in 1 3; do
  # shellcheck disable=SC2086
  check "bench phases, $threads threads" run 0 bench phases $few --threads $threads
  check "says the ceiling" has out "ceiling 0\.[0-9]* of the peak"
  # shellcheck disable=SC2086
  check "bench phases --json" run 0 bench phases $few --threads $threads --json
  check "its shares are the whole step" shares_of 1
  check "counts the padding" same "$(json useful_over_padded | cut -c1-6)" "$padding"
done
# shellcheck disable=SC2086
check "bench phases, several groups, bf16" run 0 bench phases $few --threads 3 --json \
  --set parallel.strategy=samples --set train.grain=1 --set train.precision=bf16
check "its shares are the whole step" shares_of 1
# shellcheck disable=SC2086
check "bench phases, update apart" run 0 bench phases $few --json --set train.clip_norm=1
check "its shares are the whole step" shares_of 1
check "bench phases of something" run 2 bench phases configs/digits.yaml
check "bench nodes" run 0 bench nodes --seconds 0.01
check "a row for the cores of node 0" has out "^cores of 0  *[0-9]"
check "bench nodes --json" run 0 bench nodes --seconds 0.01 --json
check "measures something" refute same "$(json gb_per_s)" 0.0
check "bench peak of something" run 2 bench peak configs/digits.yaml
check "topo --json" run 0 topo --json
check "knows cores" at_least "$(json cores)" 1
check "--help" run 0 --help
for word in train eval predict info gradcheck topo plan help; do
  check "--help lists $word" has out "^  $word "
  check "$word --help" run 0 $word --help
  check "shows its usage" has out "^usage: numann $word"
  "$NUMANN" --help >out 2>err
done
check "--version" run 0 --version
check "is one line" test "$(wc -l <out)" -eq 1
check "help config" run 0 help config
check "knows train.epochs" has out '^train.epochs'

# ---- streams
if [ -w /dev/full ]; then
  "$NUMANN" --help >/dev/full 2>err
  check "a full disk is an I/O error" exited 5 $? "numann --help >/dev/full"
fi
"$NUMANN" predict runs/digits digits.csv 2>err | head -n 1 >out
check "a closed pipe is no crash" refute grep -qi 'assert\|sanitizer\|abort' err
"$NUMANN" info configs/iris.yaml <&- >out 2>err
check "stdin may be closed" exited 0 $? "numann info <&-"
mkdir locked && chmod a-w locked
[ -w locked ] || check "a folder that cannot be written" run 5 train configs/iris.yaml --out locked/run

# ---- files that no run has written stay as they are
mkdir -p own/checkpoints && echo notes >own/lock
check "a lock that is none" run 2 train configs/iris.yaml --out own --resume
check "says so" has err "own/lock: not the lock of a run"
check "it is as it was" same "$(cat own/lock)" notes
rm own/lock && echo mine >own/.a.1-1.tmp && echo mine >own/checkpoints/ck-mine.safetensors
check "--overwrite" run 0 train configs/iris.yaml --set train.epochs=1 --out own --overwrite --quiet
check "takes checkpoints of runs only" same "$(cat own/.a.1-1.tmp own/checkpoints/ck-mine.safetensors)" "mine
mine"
mkdir own-config && cp small.yaml own-config/config.yaml 2>err || cp configs/xor.yaml own-config/config.yaml
for how in --overwrite --resume; do
  check "a config in the run's place, $how" run 2 train own-config/config.yaml --out own-config $how
  check "is named" has err "own-config: holds a config.yaml, but neither"
done
check "and nothing is added" same "$(ls -A own-config)" config.yaml

# ---- a folder that goes while its run trains; one that is put back, and files that are written again
wait_for() { for _ in $(seq 400); do [ ! -s "$1" ] || return 0; sleep 0.05; done; echo "  no $1"; return 1; }
train_long() { # FOLDER EVERY: in the background; $trainer
  "$NUMANN" train configs/digits.yaml --set train.epochs=100000 --set checkpoint.every="$2" --threads 1 --quiet \
    --out "$1" >out 2>err </dev/null &
  trainer=$!
  check "$1: begins" wait_for "$1/metrics.jsonl"
}
# A run that has ended by itself by now has its status still.
stop() { kill -TERM "$trainer" 2>>err; wait "$trainer"; }
train_long gone "1 epochs"
mv gone away # at once: files that go one by one let the third failure fall in between
rm -rf away
stop
check "a removed folder is an I/O error" exited 5 $? "numann train"
check "is told" has err "gone: the run folder was removed, renamed or replaced.*not saved"
check "is not made anew" test ! -e gone
train_long moved "3600 s"
mv moved elsewhere && sleep 0.1 && mv elsewhere moved
stop
check "a folder that was put back is none" exited 75 $? "numann train"
train_long short "3600 s"
rm short/config.yaml short/metrics.csv short/metrics.jsonl
stop
check "removed files: stopped" exited 75 $? "numann train"
check "removed files: all are there" test -s short/config.yaml -a -s short/metrics.csv -a -s short/metrics.jsonl
check "removed files: from the first epoch on" same "$(sed -n '2s/,.*//p' short/metrics.csv)" 1

# ---- what is refused; first the files for it
printf 'a,b,y\n1,2,0\n3,4,1\n5,,0\n' >blank.csv
printf 'a,b,y\n1,2,0\n3,4\n' >ragged.csv
printf 'a,b,y\n1,2,0\n3,nan,1\n' >nan.csv
printf 'a,b,y\n1,2,0\n3,"4,1\n' >quote.csv
printf 'a,b,y\n' >norows.csv
printf 'a,b,y\n1,two,0\n3,4,1\n' >text.csv
: >empty.csv
printf 'not gzip' >fake.csv.gz
head -c 20000 configs/data/digits.csv.gz >cut.csv.gz
printf '\0\0\010\003\377\377\377\377\377\377\377\377\377\377\377\377' >huge.idx
printf '\0\0\010\001\0\0\0\002\001' >short.idx
head -c 1000 runs/digits/model.safetensors >cut.safetensors
{ cat runs/digits/model.safetensors; printf x; } >long.safetensors
printf '\377\377\377\377\377\377\377\177{}' >huge.safetensors
cut -d, -f1-63 few.csv >narrow.csv
sed 's/p0,/q0,/' unlabelled.csv >renamed.csv
printf 'train: {epochs: 3\n' >open.yaml
printf 'train: {epochs: 3}\nextra: 1\n' >unknown.yaml
: >empty.yaml
head -c 2000000 /dev/zero | tr '\0' '#' >large.yaml
cat >small.yaml <<'END'
data: {train: {path: configs/data/iris.csv, target: species}}
network: {layers: [{neurons: 3, activation: softmax}]}
train: {loss: cross_entropy, epochs: 1}
END
mkdir folder

# CODE|a part of the message|arguments
cat >table <<'END'
2|no command|
2|did you mean 'train'|trian configs/iris.yaml
2|usage|train
2|too much|train configs/iris.yaml other.yaml
2|unknown option|train configs/iris.yaml --nonsense
2|did you mean --resume|train configs/iris.yaml --resum
2|no option --out|info runs/digits --out x
2|needs a value|train configs/iris.yaml --set
2|takes no value|train configs/iris.yaml --quiet=1
2|give one|train configs/iris.yaml --resume --overwrite
2|before the command|--json train configs/iris.yaml
2|missing.yaml|train missing.yaml
2|folder|train folder
2|open.yaml:|train open.yaml
2|unknown.yaml:2:1|train unknown.yaml
2|empty|train empty.yaml
2|large.yaml|train large.yaml
2|did you mean train.epochs|train small.yaml --set train.epoch=3
2|train.epochs|train small.yaml --set train.epochs=0
2|train.epochs|train small.yaml --set train.epochs=1e3
2|train.epochs|train small.yaml --set train.epochs
2|learning_rate|train small.yaml --set train.optimizer.learning_rate=nan
2|learning_rate|train small.yaml --set train.optimizer.learning_rate=-1
2|line: --threads 0: expected auto or|train small.yaml --threads 0
2|line: --threads two: expected auto or|train small.yaml --threads two
2|line: --threads 99999: expected auto or|train small.yaml --threads 99999
2|line: --threads 0: expected auto or|plan small.yaml --threads 0
2|line: --threads 0: expected auto or|eval runs/digits --threads 0
2|optimizer: {name: adam}|train small.yaml --set train.optimizer=adam
2|out|train small.yaml --out=
2|strategy|train small.yaml --set parallel.strategy=sideways
2|auto|train small.yaml --set parallel.calibration=on
2|activation|train small.yaml --set network.layers.0.activation=rellu
2|did you mean|train small.yaml --set network.layers.0.activation=sofmax
2|loss|train small.yaml --set train.loss=squared
2|softmax|train small.yaml --set train.loss=binary_cross_entropy
2|softmax|train small.yaml --set network.layers.0.activation=relu
2|neurons|train small.yaml --set network.layers.0.neurons=4
2|optimizer|train small.yaml --set train.optimizer.name=sdg
2|schedule|train small.yaml --set train.schedule.name=cosinus
2|train.optimizer.name: momentum|train small.yaml --set train.optimizer.momentum=0.9
2|train.schedule.name: step|plan small.yaml --set train.schedule.factor=0.5
2|patience|gradcheck small.yaml --set train.early_stopping.min_improvement=0.5
2|initializer|train small.yaml --set network.initializer=he
2|checkpoint.every|train small.yaml --set checkpoint.every=5
2|early_stopping|train small.yaml --set train.early_stopping.patience=3
2|fraction|train small.yaml --set data.test.fraction=1.5
2|target|train small.yaml --set data.train.target=colour
3|missing.csv|train small.yaml --set data.train.path=missing.csv
3|empty|train small.yaml --set data.train.path=empty.csv
3|blank.csv:4|train small.yaml --set data.train.path=blank.csv --set data.train.target=y
3|ragged.csv:3|train small.yaml --set data.train.path=ragged.csv --set data.train.target=y
3|nan.csv:3|train small.yaml --set data.train.path=nan.csv --set data.train.target=y
3|quote.csv:|train small.yaml --set data.train.path=quote.csv --set data.train.target=y
3|norows.csv|train small.yaml --set data.train.path=norows.csv --set data.train.target=y
3|text.csv:2|train small.yaml --set data.train.path=text.csv --set data.train.target=y
3|fake.csv.gz:1|train small.yaml --set data.train.path=fake.csv.gz --set data.train.target=0 --set data.header=false
3|cut.csv.gz|train configs/digits.yaml --out new --set data.train.path=../cut.csv.gz
3|folder|train small.yaml --set data.train.path=folder
3|narrow.csv|predict runs/digits narrow.csv
3|renamed.csv|predict runs/digits renamed.csv
3|missing.csv|predict runs/digits missing.csv
3|missing.csv|eval runs/digits missing.csv
3|unlabelled.csv|eval runs/digits unlabelled.csv
2|format|predict runs/digits few.csv --format xml
4|nothing|eval nothing
4|few.csv|eval few.csv
2|nothing|info nothing
4|cut.safetensors|info cut.safetensors
4|long.safetensors|info long.safetensors
4|huge.safetensors|info huge.safetensors
4|folder|eval folder
4|folder|predict folder few.csv
2|nonsense|help nonsense
7|not finite|train configs/line.yaml --out new --set train.optimizer.learning_rate=1e30
END

# One line on stderr says what is wrong; stdout stays empty; no run folder is made before training.
refused() { # CODE PATTERN ARGUMENT...
  code=$1 pattern=$2
  shift 2
  run "$code" "$@" || return 1
  same "$(wc -c <out)" 0 || return 1
  has err "^numann: error: .*\($pattern\)" || return 1
  [ "$code" = 7 ] || [ $# = 0 ] || same "$(grep -c . err)" 1
}
rows=0
while IFS='|' read -r code pattern arguments; do
  rows=$((rows + 1))
  # shellcheck disable=SC2086 # the arguments are words
  check "refuses: numann $arguments" refused "$code" "$pattern" $arguments
done <table
check "all rows were tried" test "$rows" -ge 60
check "a refusal makes no run" test ! -e runs/small
for bad in huge.idx short.idx; do
  sed 's|^data:.*|data: {train: {images: '"$bad"', labels: short.idx}}|' small.yaml >idx.yaml
  check "refuses $bad" refused 3 "$bad\|short.idx" train idx.yaml
done
finish

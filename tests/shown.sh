#!/bin/sh
# Text of others on the user's terminal: escape sequences, ends of lines, C1 controls, marks that turn the
# direction of writing and bytes that are no UTF-8, from every source that a message or a table names.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
cd "$work" || exit 99
for variable in $(env | sed -n 's/=.*//p' | grep -E '^(SLURM_|OMP_|OMPI_|MPI_)[A-Z0-9_]*$'); do unset "$variable"; done

title=$(printf '\033]0;owned\007')
c1=$(printf '\302\23331m')
turned=$(printf '\342\200\256desrever')
forged=$(printf 'a\nnumann: error: forged')
broken=$(printf '\377|\303')
text="$title$c1$turned" # UTF-8 without an end of a line
worst="$text$forged$broken"
# bytes below a blank but ends of lines, DEL, C1, marks of direction
harmful=$(printf '[\001-\011\013-\037\177]\\|\302[\200-\237]\\|\342\200[\216\217\252-\256]\\|\342\201[\246-\251]')
printf 'x\377' >invalid
if command -v iconv >/dev/null 2>&1 && ! iconv -f UTF-8 -t UTF-8 invalid >whole 2>&1; then
  is_utf8() { iconv -f UTF-8 -t UTF-8 "$1" >whole 2>&1; }
else
  echo "SKIP: no iconv that refuses what is no UTF-8: that is not looked for"
  is_utf8() { true; }
fi
is_clean() { # FILE
  ! grep -a -n "$harmful" "$1" | head -n 2 | cat -v | sed 's/^/  | /' | grep . &&
    is_utf8 "$1" && ! grep -a -q '^numann: error: forged' "$1" && test "$(tr -d '\000' <"$1" | wc -c)" -eq "$(wc -c <"$1")"
}
# shown NAME ARGUMENT...: what numann writes, whatever its exit code, is clean; and there is something.
# VARIABLES, where they are set, are its environment.
shown() {
  shown_name=$1
  shift
  # shellcheck disable=SC2086 # a list of variables
  env ${VARIABLES-} "$NUMANN" "$@" >out 2>err </dev/null
  shown_code=$?
  cat out err >both
  check "$shown_name: ends by itself and says something" test "$shown_code" -lt 128 -a -s both
  check "$shown_name: is clean" is_clean both
}
tells() { grep -a -q -F -e "$1" out err || { echo "  not told: $1"; head -n 3 err | cat -v; return 1; }; }

for spoilt in "$title" "$c1" "$turned" "$forged" "$broken"; do
  printf 'plain\n%s\n' "$spoilt" >spoilt
  check "the check sees what is to be seen" refute is_clean spoilt >spots
done
printf 'gr\303\274n \346\227\245\346\234\254\n' >plain
check "and lets letters pass" is_clean plain

# ---- the command line
while read -r command; do
  # shellcheck disable=SC2086 # a list of words
  shown "$command" $command "$worst"
done <<'END'
help
train
eval
predict
info
plan
gradcheck
bench
bench step --row
bench step --seconds
bench step --layers
plan --row
plan --row mnist --isa
plan --row mnist --threads
plan --row mnist --set
plan --row mnist --svg
topo --topology
topo
plan --row mnist --topology
END
shown "a command" "$worst"
shown "an option" "--$worst"
check "escapes are told as text" tells '\x1b]0;owned\x07\u009b31m\u202edesrevera\x0anumann: error: forged\xff|\xc3'
shown "--set of a key" plan --row mnist --set "$text=1"
shown "--set of a value" plan --row mnist --set "train.optimizer=$text"
shown "--set of YAML" plan --row mnist --set "train.batch=[$text"
shown "--format" predict nowhere --format "$worst"
shown "words of a topology" topo --topology "core:2 $worst:2"
shown "a file of a topology" topo --topology "$worst.xml"

# ---- the environment; LLVM's OpenMP itself prints what it does not understand, and takes gigabytes, or ends, over an
# OMP_NUM_THREADS that is no number
openmp="OMP_PROC_BIND OMP_NUM_THREADS"
grep -q 'libomp\.so' "$NUMANN" && openmp=
for variable in NUMANN_ISA OMP_PLACES $openmp SLURM_CPUS_PER_TASK SLURM_JOB_ID XDG_CACHE_HOME NUMANN_DIAGNOSIS \
  SLURM_TASKS_PER_NODE MPI_LOCALNRANKS TERM LANG; do
  value=$(printf '%s' "$title$c1" | tr -d ' ')
  VARIABLES="SLURM_JOB_ID=7 NUMANN_DIAGNOSIS=on $variable=$value"
  shown "$variable" topo
  shown "$variable, plan" plan --row mnist --topology 'core:4 pu:1'
done
VARIABLES="OMP_PLACES=$broken"
shown "OMP_PLACES that is no UTF-8" topo
shown "OMP_PLACES that is no UTF-8, as JSON" topo --json
unset VARIABLES

# ---- configs and data
config() { # DATA LINE...: a config whose training rows are DATA, with lines more in its part `data`
  printf 'data:\n  train: {%s}\n' "$1"
  shift
  printf '%s\n' "$@"
  cat <<'END'
network:
  layers:
    - {neurons: 2, activation: softmax}
train:
  loss: cross_entropy
  optimizer: {name: sgd, learning_rate: 0.1}
  batch: 4
  epochs: 2
END
}
printf '1,2,x\n3,4,y\n5,6,x\n' >rows.csv
plain="path: rows.csv, target: -1"
hostile='"\e]0;owned\a\x9b31m\u202e\nnumann: error: forged"' # as YAML writes it
while IFS='|' read -r data line; do
  config "$data" "$line" >config.yaml
  for command in train info plan; do
    shown "$command: $data $line" "$command" config.yaml
    rm -rf runs
  done
done <<END
path: rows.csv, target: $hostile|
path: rows.csv, target: [$hostile, 0]|
path: rows.csv, target: $text|
path: $hostile, target: 0|
path: $broken, target: 0|
images: $hostile, labels: $hostile|
path: rows.csv, $hostile: 1|
$plain|  drop: [$hostile]
$plain|  drop: $hostile
$plain|  $hostile: 1
$plain|  separator: $hostile
$plain|  separator: "\e"
$plain|  separator: "\x9b"
$plain|  separator: "\u202e"
$plain|  validation: {path: $hostile}
$plain|  scale: $hostile
END
{ config "$plain" ""; printf '%s: 1\n' "$hostile"; } >config.yaml
shown "a key" info config.yaml
config "$plain" "" | sed "s/softmax/$hostile/" >config.yaml
shown "a word" info config.yaml
config "$plain" "" >"$worst.yaml"
shown "a config's name" info "$worst.yaml"
shown "a run's name" train "$worst.yaml"
check "and it trains" tells 'model.safetensors'
rm -rf runs
printf 'a: [\n%s' "$worst" >config.yaml
shown "no YAML" info config.yaml

config "path: rows.csv, target: t" "" >config.yaml
while IFS='|' read -r name header row; do
  # shellcheck disable=SC2059 # these are texts of escapes
  printf "$header\n1,2,x\n$row\n" >rows.csv
  for command in train info; do
    shown "$command: $name" "$command" config.yaml
    rm -rf runs
  done
done <<'END'
names of columns|a\033]0;b\302\233,\342\200\256,t|1,2,z
names without the target|a\033]0;b\302\233,\342\200\256|1,2
a name that is no UTF-8|a\377\033,b,t|1,2,z
an empty field|a\033]0;b\302\233,\342\200\256,t|,2,z
a doubled name|a\033\342\200\256,a\033\342\200\256,t|1,2,y
a token|a,b,t|1,\033]0;x\007,y
a quoted token|a,b,t|1,"\342\200\256\n\377",y
a quote left open|a\033,b,t|1,"\033,2
a field too many|a\033,b,t|1,2,3,\033
a class that is no UTF-8|a,b,t|1,2,y\377
END
printf '\223NUMPY\001\000\026\000{\033]0;a\302\233\342\200\256\377\n     \n' >rows.npy
config "path: rows.npy, target: 0" "" >config.yaml
shown "a header of NPY" info config.yaml

# ---- a model whose names are others' text
{
  printf 'a\033]0;x\007,b\302\233,t\342\200\256\n'
  for i in 1 2 3 4 5 6; do printf '%d,1,"y\033[31m"\n%d,0,"y\342\200\256\302\233"\n' "$i" "$i"; done
} >rows.csv
folder="run$text$broken"
config 'path: rows.csv, target: "t\u202e"' "" >two.yaml
shown "train" train two.yaml --out "$folder" --explain-placement
check "has trained" test -f "$folder/model.safetensors"
shown "train once more" train two.yaml --out "$folder"
shown "resume" train two.yaml --resume --out "$folder"
shown "resume, longer" train two.yaml --resume --out "$folder" --set train.epochs=3
check "goes on" tells 'going on from step'
is_json() { ! command -v python3 >/dev/null 2>&1 || python3 -c "import json, sys; found = json.load(open('out')); assert $1"; }
shown "info" info "$folder"
shown "info --json" info "$folder" --json
check "JSON has the names themselves" is_json 'sorted(found["classes"]) == ["y\x1b[31m", "y\u202e\x9b"]'
shown "eval without rows" eval "$folder"
shown "eval" eval "$folder" rows.csv
shown "eval --json" eval "$folder" rows.csv --json
check "it is JSON" is_json 'len(found["classes"]) == 2'
shown "predict of a file" predict "$folder" two.yaml
printf '1,\033]0;x\007\n' >ask.csv
shown "predict of a token" predict "$folder" ask.csv
printf '1,0\n' >ask.csv
check "predict" run 0 predict "$folder" ask.csv
check "answers are data: names as they are" grep -a -q "$(printf 'probability_y\033')" out
for file in metrics.csv metrics.jsonl config.yaml; do
  cp -R "$folder" spoilt-run
  [ ! -f "spoilt-run/$file" ] || printf '%s\n' "$worst" >>"spoilt-run/$file"
  shown "$file with a strange end" train two.yaml --resume --out spoilt-run --set train.epochs=4
  [ ! -f "spoilt-run/$file" ] || printf '%s\n' "$worst" >"spoilt-run/$file"
  shown "$file that is none" train two.yaml --resume --out spoilt-run --set train.epochs=5
  rm -rf spoilt-run
done
cp -R "$folder" spoilt-run
for file in spoilt-run/checkpoints/* spoilt-run/model.safetensors; do
  [ ! -f "$file" ] || { printf '%s' "$worst" | dd of="$file" bs=1 seek=200 conv=notrunc 2>/dev/null; }
done
shown "damaged checkpoints" train two.yaml --resume --out spoilt-run --set train.epochs=6
check "are told of" tells 'checkpoint passed over'
shown "a damaged model" info spoilt-run
printf '\100\000\000\000\000\000\000\000{"%s":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}%60s' "$text" x >a.safetensors
shown "a model of others" info a.safetensors

# ---- other files that are read
measured() { run 0 plan --row mnist --threads auto --set parallel.calibration=refresh; }
XDG_CACHE_HOME="$work/cache$text$broken"
check "rates are measured" measured
check "and their file's name is clean" is_clean out
# Where other programs disturb the measurement, its rates are not kept.
for _ in 1 2 3 4 5 6 7 8; do
  find "$XDG_CACHE_HOME" -type f >kept 2>/dev/null
  [ ! -s kept ] || break
  measured
done
while IFS= read -r file; do
  cp "$file" rates.json
  for rates in "$worst" "{\"$text\": 1}" "$(sed "s/\"host\": \"[^\"]*/&$text/" rates.json)"; do
    printf '%s\n' "$rates" >"$file"
    shown "a file of rates" plan --row mnist
  done
done <kept
[ -s kept ] || echo "SKIP: files of rates: the machine is too busy to measure any"
"$NUMANN" train two.yaml --out held --quiet --set train.epochs=1000000000 >held.out 2>&1 &
holder=$!
tries=0
until [ -s held/lock ] || [ $tries -eq 100 ]; do sleep 0.1; tries=$((tries + 1)); done
printf '%s' "$worst" >held/lock
shown "a lock with a strange text" train two.yaml --resume --out held
check "tells who has it" tells 'in use by'
kill -KILL $holder
wait $holder 2>killed
sed "s|\(<object type=\"Package\"[^>]*>\)|\1<info name=\"CPUModel\" value=\"$c1$turned\"/>|" "$srcdir/tests/topologies/cpuset.xml" >"$text.xml"
shown "topo of a file" topo --topology "$text.xml"
check "with the model" tells '\u009b31m\u202edesrever'
shown "topo of a file, as JSON" topo --topology "$text.xml" --json
shown "plan for a file" plan --row mnist --topology "$text.xml"
printf '%s<topology>%s' "$text" "$worst" >"$text.xml"
shown "a file that is none" topo --topology "$text.xml"
finish

#!/bin/sh
# Models and checkpoints that are well-formed, with right checksums, and mean nothing: every command
# refuses them with exit code 4 or answers right; a resume takes the next older checkpoint. Then those
# of every format that was ever written, tests/models: they answer as on their first day.
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2317 # functions are called through check
# shellcheck source=tests/harness.sh
. "${srcdir:-.}/tests/harness.sh"
edit_model=$builddir/tests/edit_model
[ -x "$edit_model" ] || skip "tests/edit_model is not built (it needs libcheck's make check)"
cd "$work" || exit 99
cp -R "$srcdir/configs" configs
chmod -R u+w configs
has() { grep -q -F -e "$2" "$1" || { echo "  $1 lacks '$2':"; head -n 5 "$1" | sed 's/^/  | /'; return 1; }; }

train() { # NAME CONFIG SETTING...: 4 epochs, the checkpoints of the last two
  name=$1 config=$2
  shift 2
  for setting; do set -- "$@" --set "$setting"; shift; done
  "$NUMANN" train "configs/$config" --out "runs/$name" --quiet --threads 1 --set train.epochs=4 \
    --set "checkpoint.every=1 epochs" --set checkpoint.keep=2 "$@" >out 2>err
}
by=train.optimizer
check "a run of iris" train iris iris.yaml train.batch=16
check "one with early stopping" train stop iris.yaml data.validation.fraction=0.2 \
  train.early_stopping.patience=3 $by.name=amsgrad
check "one with rmsprop" train rmsprop iris.yaml $by.name=rmsprop $by.learning_rate=0.001
check "one with irprop" train irprop iris.yaml $by.name=irprop train.batch=full $by.weight_decay=0
check "one of a line" train line line.yaml
sed 's/,[^,]*$//' configs/data/iris.csv >iris.csv
sed 's/,[^,]*$//' configs/data/line.csv >line.csv

# ---- models: RUN|CODE|REASON, or what the answers must be: same|EDITS
cat >models <<'END'
iris|0|same|
iris|0|numbers|text data '"setosa","versicolor","virginica"' '"","b\u001b[31m","c\nd"'
iris|0|numbers|text data '["setosa","versicolor","virginica"]' null
iris|0|same|text data '"target_names":["species"]' '"target_names":null'
iris|4|class_names has 'setosa' twice|text data versicolor setosa
iris|4|feature_names has|text data sepal_length sepal_width
iris|4|metadata data is|text data '"targets":0' '"targets":2147483648'
iris|4|metadata data is|text data '"targets":0' '"targets":1099511627776'
iris|4|metadata data is|text data '"classes":3' '"classes":1099511627776'
iris|4|metadata data is|text data '"features":4' '"features":5'
iris|4|metadata data is|text data '"virginica"]' '"virginica","rosa"]'
iris|4|metadata data is|text data '"classes":3' '"classes":0'
iris|4|metadata data is|text data '"sepal_length"' 7
iris|4|metadata layers is|text layers '"dense"]' '"dense","dense"]'
iris|4|metadata layers is|text layers '[null,null]' '[null,null,null]'
iris|4|metadata layers is|text layers '[null,null]' '"none"'
iris|4|metadata layers is|text layers '"tanh",' ''
iris|4|metadata layers is|text layers '[4,16,3]' '[4,576460752303423488,3]'
iris|4|metadata layers is|text layers '[4,16,3]' '[4,9223372036854775808,3]'
iris|4|metadata layers is|text layers '[4,16,3]' '[4,0,3]'
iris|4|metadata layers is|set layers '{"kinds":["dense","dropout","dense"],"sizes":[4,16,16,3],"activations":["tanh","identity","softmax"],"rates":[null,null,null],"loss":"cross_entropy"}' name layers.1. layers.2.
iris|0|same|set layers '{"kinds":["dense","dropout","dense"],"sizes":[4,16,16,3],"activations":["tanh","identity","softmax"],"rates":[null,"0.5",null],"loss":"cross_entropy"}' name layers.1. layers.2.
iris|4|softmax in layer 1 of 2|text layers tanh softmax
iris|4|step in layer 1 of 2|text layers tanh step
iris|4|does not fit a last layer|text layers cross_entropy squared_error
iris|4|metadata config:1:1: not valid YAML|set config '}{'
iris|4|metadata config:1:1: found an empty file|set config ''
iris|4|unknown key|text config seed: seeed:
iris|4|train.batch: found "-3"|text config 'batch: 16' 'batch: -3'
iris|0|same|set numerics_version 2
iris|0|same|set numerics_version 18446744073709551615
iris|4|numann_format is '3'|set numann_format 3
iris|4|step is 'missing'|set kind checkpoint
iris|4|weights_sha256 is|number layers.0.bias 0 1
iris|4|is not finite|number scaling.inputs.scale 2 nan
iris|4|is not finite|number scaling.inputs.shift 2 inf
line|0|same|
line|0|same|leave scaling.outputs.
line|0|same|leave scaling.
line|0|same|number scaling.outputs.shift 0 1e-310
line|4|shapes that fill the file|leave scaling.outputs.scale
line|4|scaling.outputs.scale[0] is 0|number scaling.outputs.scale 0 0
line|4|scaling.outputs.scale[0] is 0|number scaling.outputs.scale 0 -0
line|4|scaling.outputs.scale[0] is 0|number scaling.outputs.scale 0 -1e-310
line|4|is not finite|number scaling.outputs.scale 0 inf
END

# All digits of the answers; where classes have other names, without these.
answers() { if [ "$1" = numbers ]; then grep -o '0\.[0-9e-]*' "$2"; else cat "$2"; fi; }

ask() { # RUN CODE REASON: of the model `it`
  data=configs/data/$1.csv
  [ "$3" = numbers ] && data=iris-without-targets.csv
  for command in "info it" "info it --json" "predict it $1.csv" "eval it $data"; do
    # shellcheck disable=SC2086 # words
    set -- "$1" "$2" "$3" $command
    "$NUMANN" "$4" it.safetensors ${6:+"$6"} >out 2>err </dev/null
    code=$?
    [ "$3" = numbers ] && [ "$4" = eval ] && [ "$code" -eq 3 ] && code=0 # the labels have no such name
    exited "$2" "$code" "$4" || return 1
    [ "$2" = 0 ] || has err "$3" || return 1
    [ "$4" = predict ] && cp out answers
  done
  [ "$2" != 0 ] || { answers "$3" "answers-$1" >want; answers "$3" answers >got; cmp want got; }
}

for run in iris line; do
  "$NUMANN" predict "runs/$run/model.safetensors" "$run.csv" >"answers-$run" 2>err
done
cp configs/data/iris.csv iris-without-targets.csv
while IFS='|' read -r run code reason edits; do
  check "the model of $run can be changed: $edits" \
    eval "\"\$edit_model\" runs/$run/model.safetensors it.safetensors $edits" || continue
  check "$run, $edits: $code" ask "$run" "$code" "$reason"
done <models
"$edit_model" runs/iris/model.safetensors it.safetensors set numerics_version 2
check "another numerics version" run 0 predict it.safetensors iris.csv
check "is told" has err "numerics version 2"
check "info --json" run 0 info it.safetensors --json
check "has it" same "$(json numerics_version)" 2
"$edit_model" runs/iris/model.safetensors it.safetensors text data setosa 's\u001b[31m' text data sepal_length 'l\u0007'
for command in "info it.safetensors" "predict it.safetensors iris.csv" "eval it.safetensors configs/data/iris.csv"; do
  # shellcheck disable=SC2086 # words
  "$NUMANN" $command >out 2>err </dev/null
  check "$command gives the terminal no commands" refute grep -q "$(printf '[\033\007]')" out err
done

# Two outputs that are infinite: softmax has no answer.
"$edit_model" runs/iris/model.safetensors large.safetensors number layers.0.bias 0 50 number layers.0.bias 1 50 \
  number layers.1.weight 0 3e38 number layers.1.weight 1 3e38 number layers.1.weight 16 3e38 number layers.1.weight 17 3e38
sha256=$("$NUMANN" info large.safetensors 2>&1 | sed -n 's/.* \([0-9a-f]\{64\}\) was expected.*/\1/p')
"$edit_model" large.safetensors it.safetensors set weights_sha256 "$sha256"
check "answers that are no numbers are refused by predict" run 7 predict it.safetensors iris.csv
check "with their row" has err "row 0, number 0"
check "and by eval" run 7 eval it.safetensors configs/data/iris.csv --json

# ---- checkpoints: RUN|CODE of info and the like|REASON of the resume, which takes the older one|EDITS
cat >checkpoints <<'END'
iris|4|no training stands there|set epoch 18446744073709551615
iris|4|no training stands there|set epoch 3
iris|4|no training stands there|set batch 9223372036854775808
iris|4|no training stands there|set batch 3
iris|4|no training stands there|set epoch 2
iris|4|no training stands there|set epoch 8
iris|4|no training stands there|set epoch 0 set batch 32
iris|4|no training stands there|set best_epoch 5
iris|4|best_epoch is 2 after 4 epochs without|set best_epoch 2
iris|4|not better|set finished true
iris|4|epoch_loss is not 0|set epoch_loss 3ff0000000000000
iris|4|none below 0|number optimizer.moment2.layers.0.weight 5 -1
iris|4|metadata config:1:1: not valid YAML|set config '}{'
iris|0|did you mean adam|text config 'name: adam' 'name: adamm'
iris|0|did you mean constant|text config 'name: constant' 'name: konstant'
iris|0|optimiser is not that of its config|set optimizer adamw
iris|0|layers are not those of its config|text layers tanh relu
iris|0|go together|text config 'patience: 0' 'patience: 2'
iris|0|numerics version 2|set numerics_version 2
stop|4|no training stands there|set best_epoch 9
stop|4|best_epoch is 0 after 4 epochs with|set best_epoch 0
stop|4|not better|set best_epoch 4 set finished true
stop|0|finished before|set best_epoch 3 set finished true
stop|4|none below 0|number optimizer.largest_moment2.layers.1.bias 2 -1e-30
rmsprop|4|none below 0|number optimizer.moment1.layers.0.weight 0 -1
irprop|4|none below 0|number optimizer.step_size.layers.0.weight 0 -1
END

resume() { # RUN: 2 epochs more
  rm -f it/model.safetensors
  "$NUMANN" train "it/config.yaml" --out it --resume --threads 1 --json --set train.epochs=6 >out 2>err
}

go_on() { # RUN CODE REASON: the newest checkpoint of the run `it` is a hostile one
  for command in "info $newest" "info $newest --json" "predict $newest iris.csv" \
    "eval $newest configs/data/iris.csv"; do
    # shellcheck disable=SC2086 # words
    run "$2" $command || return 1
    [ "$2" = 0 ] || has err "$3" || return 1
  done
  resume && has err "passed over" && has err "$3" && same "$(json weights_sha256)" "$want"
}

for run in iris stop rmsprop irprop; do
  rm -rf it
  cp -R "runs/$run" it
  check "the run of $run goes on" resume
  want=$(json weights_sha256)
  eval "want_$run=\$want"
done
while IFS='|' read -r run code reason edits; do
  rm -rf it
  cp -R "runs/$run" it
  newest=it/checkpoints/$(cd it/checkpoints && printf '%s\n' ck-* | sort -t- -k2n | tail -n 1)
  eval "want=\$want_$run"
  check "the checkpoint of $run can be changed: $edits" \
    eval "\"\$edit_model\" \"\$newest\" it/it $edits" || continue
  mv it/it "$newest"
  check "$run, $edits: $code" go_on "$run" "$code" "$reason"
done <checkpoints
rm -f it/checkpoints/*
"$edit_model" runs/iris/checkpoints/ck-32.safetensors it/checkpoints/ck-32.safetensors set config '}{'
"$NUMANN" train configs/iris.yaml --out it --resume >out 2>err
check "none that can be read: exit code 4" exited 4 $? "numann train"
check "and why" has err "metadata config:1:1"

# ---- every format
numerics=$("$NUMANN" info configs/xor.yaml --json 2>err | sed -n 's/.*"numerics_version": \([0-9]*\).*/\1/p')
near() { # two files of the same words and, but for roundings, numbers
  paste -d, "$1" "$2" | awk -F, '{ n = NF / 2; for (i = 1; i <= n; i++) { d = $i - $(i + n)
    if ($i != $(i + n) && ($i + 0 == 0 || d > 1e-6 || d < -1e-6)) { print "  line " NR ": " $0; bad = 1 } } }
    END { exit bad || !NR }'
}
for folder in "$srcdir"/tests/models/format-*; do
  format=${folder##*/}
  rm -rf it
  mkdir -p it/checkpoints
  cp "$folder/ck-10.safetensors" it/checkpoints/
  cp "$folder/config.yaml" "configs/$format.yaml"
  model=$folder/model.safetensors
  check "$format: predict" run 0 predict "$model" "$folder/rows.csv"
  check "$format: answers as on its first day" near out "$folder/answers.csv"
  check "$format: eval" run 0 eval "$model" "configs/$(sed -n 's/.*path: \([^,}]*\).*/\1/p' "$folder/config.yaml")" --json
  check "$format: info" run 0 info "$model" --json
  want=$(json weights_sha256)
  check "$format: info of the checkpoint" run 0 info "$folder/ck-10.safetensors" --json
  written=$(json numerics_version)
  "$NUMANN" train "configs/$format.yaml" --out it --resume --json >out 2>err
  code=$?
  if [ "$written" != "$numerics" ]; then
    check "$format: a resume is refused" exited 4 $code "numann train"
    check "$format: for its numerics version" has err "numerics version $written"
  elif [ "$(uname -m)" = x86_64 ]; then
    check "$format: the training goes on" exited 0 $code "numann train"
    check "$format: to the same bits" same "$(json weights_sha256)" "$want"
  fi
done
finish

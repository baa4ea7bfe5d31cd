# Data and configs for the rows of `numann bench rows --json`, read on standard input: of every row its own
# network, loss, optimiser and batch, on generated CSV rows that end in a smaller batch. Writes NAME.csv and
# NAME.yaml, prints the names. Integers below 2^53 throughout: the same bytes from every awk.
# SPDX-License-Identifier: MIT
function next_random() { # Lehmer's generator with Park and Miller's multiplier: 1 to 2^31 - 2
  seed = seed * 16807 % 2147483647
  return seed
}

# Two batches and a piece; of large batches one and a piece.
function rows_of(batch) { return batch <= 128 ? 2 * batch + 11 : batch + int(batch / 8) + 3 }

function write_data(name, rows, features, outputs, values,    r, i, line) {
  seed = 1
  for (r = 0; r < rows; r++) {
    line = ""
    for (i = 0; i < features; i++) line = line int(next_random() / 8388608) ","
    if (values) for (i = 1; i < outputs; i++) line = line int(next_random() / 8388608) % 2 ","
    # every class occurs
    line = line (values ? int(next_random() / 8388608) % 2 : r < outputs ? r : next_random() % outputs)
    print line >(name ".csv")
  }
  close(name ".csv")
}

function write_config(name, size, layers, q, values,    l, out, i, target) {
  out = q[16] == "cross_entropy" ? "softmax" : q[12] == "relu" ? "identity" : q[12]
  target = values ? "[" size[1] : "-1"
  if (values) {
    for (i = 1; i < size[layers]; i++) target = target ", " size[1] + i
    target = target "]"
  }
  print "data: {train: {path: " name ".csv, target: " target "}, header: false, scale: 255}" >(name ".yaml")
  print "network:\n  layers:" >(name ".yaml")
  for (l = 2; l <= layers; l++)
    print "    - {neurons: " size[l] ", activation: " (l == layers ? out : q[12]) "}" >(name ".yaml")
  print "train: {loss: " q[16] ", optimizer: {name: " q[20] ", learning_rate: " q[28] "}, batch: " q[24] ",\n" \
    "        epochs: 1}" >(name ".yaml")
  close(name ".yaml")
}

BEGIN { RS = "{" }
/"row"/ {
  split($0, q, "\"") # "row": "4", "layers": "8", "activation": "12", "loss": "16", "optimizer": "20" ...
  layers = split(q[8], size, ",")
  values = q[16] == "squared_error" && size[layers] > 100
  write_data(q[4], rows_of(q[24]), size[1], size[layers], values)
  write_config(q[4], size, layers, q, values)
  print q[4]
}

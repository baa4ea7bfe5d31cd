# The rules of CONTRIBUTING.md that a machine can see. SPDX-License-Identifier: MIT
# Reads sources and headers named by paths from the root of the tree; prints "RULE FILE:LINE: TEXT"
# for every breach.

BEGIN {
  n = split("base machine kernels config data network plan layers trainer checkpoint report cli", order, " ")
  for (i = 1; i <= n; i++) rank[order[i]] = i
  # The public headers belong to stages too.
  rank_public["version"] = rank_public["status"] = rank["base"]
  n = split("config data network plan trainer", order, " ")
  for (i = 1; i <= n; i++) rank_public[order[i]] = rank[order[i]]
  rank_public["model"] = rank["checkpoint"]

  file_limit = 500
  columns = 100
  banned_call = "strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|sscanf|rand|srand|random|drand48"
}

function type_found(name, defined) { is_type[name] = is_type[name] place; definitions[name] += defined }

# Every place of a list gets the breach.
function breach_at(places, rule, text, n, i, at) {
  n = split(places, at, " ")
  for (i = 1; i <= n; i++) printf "%s %s: %s\n", rule, at[i], text
}

function breach(rule, text) { printf "%s %s:%d: %s\n", rule, FILENAME, FNR, text; breaches++ }

# The stage that a path lies in: src/STAGE/... or include/numann/STAGE.h.
function stage_of(path, parts) {
  split(path, parts, "/")
  if (parts[1] == "src") return parts[2]
  return ""
}

function rank_of_include(name, parts) {
  if (name ~ /^numann\//) { sub(/^numann\//, "", name); sub(/\.h$/, "", name); return rank_public[name] }
  split(name, parts, "/")
  return rank[parts[1]]
}

# A call, not a part of a longer name such as nu_printf(.
function calls(names) { return code ~ "(^|[^A-Za-z0-9_])(" names ")[ ]*\\(" }

FNR == 1 {
  if (lines > file_limit) printf "file-length %s:%d: more than %d lines\n", last_file, lines, file_limit
  stage = stage_of(FILENAME)
  library = stage != "" && stage != "cli"
  public = FILENAME ~ /^include\/numann\//
  level = stage != "" ? rank[stage] : 0
  if (public) { name = FILENAME; sub(/^include\//, "", name); level = rank_of_include(name) }
  in_body = in_comment = licensed = depth = in_enum = 0
  split("", braces)
  inside = FILENAME ~ /^(src|include)\//
  head = ""
}

{ lines = FNR; last_file = FILENAME; place = FILENAME ":" FNR " " }

FNR <= 8 && /SPDX-License-Identifier: MIT/ { licensed = 1 }
FNR == 9 && !licensed { breach("licence", "no SPDX line among the first eight") }

# `code` is the line without comments and without what stands between quotes.
{
  code = $0
  if (in_comment) { if (sub(/^.*\*\//, "", code)) in_comment = 0; else code = "" }
  gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
  gsub(/'([^'\\]|\\.)*'/, "''", code)
  gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", code)
  if (sub(/\/\*.*$/, "", code)) in_comment = 1
}

# Bytes that continue a character of UTF-8 do not count (the tests run in the C locale).
inside && length($0) > columns {
  shown = $0
  gsub(/[\200-\277]/, "", shown)
  if (length(shown) > columns) breach("columns", length(shown) " columns, at most " columns)
}

/TODO|FIXME|HACK/ { breach("unfinished", $0) }
/\t/ { breach("tab", $0) }
/[ ]$/ { breach("blank-end", $0) }
code ~ /\/\// { breach("comment-form", $0) }

/^[ ]*#[ ]*include[ ]*"/ {
  split($0, quoted, "\"")
  included = quoted[2]
  if (included ~ /\.c$/) breach("include-order", "includes a source: " included)
  else if (level && included != "build_config.h" && included != "numann.h") {
    if (!rank_of_include(included)) breach("include-order", "not written from the root: " included)
    else if (rank_of_include(included) > level) breach("include-order", included " stands further right")
    if (stage == "kernels" && included !~ /^(base|kernels)\//) breach("kernels-alone", included)
  }
}
/^[ ]*#[ ]*include[ ]*<numann\// && public {
  split($0, quoted, /[<>]/)
  if (rank_of_include(quoted[2]) > level) breach("include-order", quoted[2] " stands further right")
}

# ---- one name, one meaning: the types and functions of all files, compared at the end. Of a type with
# a body the end counts; `typedef struct nu_x nu_x;` only announces it.
inside && code ~ /^\}[ ]*[A-Za-z_0-9]+;/ || inside && code ~ /^typedef .*[ *][A-Za-z_0-9]+;/ {
  name = code
  sub(/;[^;]*$/, "", name)
  sub(/^.*[^A-Za-z_0-9]/, "", name)
  type_found(name, code !~ "^typedef (struct|enum|union) " name " " name ";")
}
inside && code ~ /^typedef [^{;]*\(/ {
  name = code
  sub(/^[^(]*\(\*/, "", name) # typedef void (*nu_x)(...), else typedef void nu_x(...)
  sub(/[()].*$/, "", name)
  sub(/^.*[^A-Za-z_0-9]/, "", name)
  type_found(name, 1)
}
inside && code ~ /^(struct|enum|union) [a-z_0-9]+ \{/ {
  split(code, word, " ")
  type_found(word[2], 1)
}
inside && code ~ /^[A-Za-z_][^={;]*[ *][a-z_0-9]+\(/ && code !~ /^typedef/ {
  name = code
  sub(/\(.*$/, "", name)
  sub(/^.*[^A-Za-z_0-9]/, "", name)
  is_function[name] = is_function[name] place
}

# ---- a switch over an enum of ours names every value: the compiler then tells of a forgotten one.
# The enumerators, and of each switch its labels and its default, compared at the end.
inside && code ~ /^[ ]*(typedef )?enum([ ]+[a-z_0-9]+)?[ ]*\{/ { in_enum = 1 }
in_enum {
  rest = code
  sub(/^.*\{/, "", rest)
  while (match(rest, /[A-Z][A-Z0-9_]*/)) {
    enumerator[substr(rest, RSTART, RLENGTH)] = 1
    rest = substr(rest, RSTART + RLENGTH)
    if (!sub(/^[^,}]*,/, "", rest)) break # what stands behind "=" is no enumerator
  }
  if (code ~ /\}/) in_enum = 0
}
inside && code ~ /(^|[^A-Za-z0-9_])switch[ ]*\(/ { n_switches++; open_switch[++depth] = n_switches }
depth && code ~ /(^|[^A-Za-z0-9_])case[ ]+[A-Z]/ {
  name = code
  sub(/^.*case[ ]+/, "", name)
  sub(/[^A-Z0-9_].*$/, "", name)
  labels[open_switch[depth]] = labels[open_switch[depth]] " " name
}
depth && code ~ /(^|[^A-Za-z0-9_])default[ ]*:/ {
  default_at[open_switch[depth]] = place
  default_text[open_switch[depth]] = $0
}
depth { braces[depth] += gsub(/\{/, "{", code) - gsub(/\}/, "}", code) }
depth && braces[depth] <= 0 && code ~ /\}/ { braces[depth--] = 0 }

stage == "" { next } # what follows is about src/

/include[ ]*<omp\.h>|#[ ]*pragma[ ]+omp|_Pragma\(.*omp/ && FILENAME != "src/machine/team.c" { breach("openmp", $0) }
/include[ ]*<hwloc/ && FILENAME !~ /^src\/machine\/(view\.[ch]|topology\.c|draw\.c)$/ { breach("hwloc", $0) }
FILENAME !~ /src\/machine\/comm_mpi\.c$/ && /include[ ]*<mpi\.h>/ { breach("mpi", $0) }
(/include[ ]*<([a-z]*intrin|arm_neon|x86gprintrin)\.h>/ || code ~ /(^|[^A-Za-z0-9_])_mm[0-9]*_/) &&
  FILENAME !~ /^src\/kernels\/vector_[a-z0-9]+\.h$/ && FILENAME != "src/machine/float_env.c" { breach("intrinsics", $0) }
library && calls("exit|_exit|_Exit|quick_exit|abort") && !(FILENAME == "src/machine/look.c" && calls("_exit")) { breach("exit", $0) }
library && stage != "report" && calls("printf|puts|putchar|perror|fprintf|fputs") { breach("printing", $0) }
code ~ /reduction[ ]*\(|MPI_Allreduce/ || /#[ ]*pragma[ ]+omp[ ]+(atomic|simd)/ { breach("reduction", $0) }
/fast-math|Ofast|associative-math|FP_CONTRACT[ ]+ON|fp_contract[ ]*\(on|fp[ ]+reassociate/ { breach("fast-math", $0) }
calls(banned_call) { breach("banned-call", $0) }

# A function: a head in column 0 up to "{", a body up to "}" in column 0.
in_body && /^}/ {
  limit = stage == "kernels" ? 120 : 60
  if (FNR - start + 1 > limit) breach("function-length", (FNR - start + 1) " lines, at most " limit)
  in_body = 0
  head = ""
  next
}
in_body { next }
/^[A-Za-z_]/ { head = code; start = FNR; if (code ~ /;[ ]*$/) head = "" }
/^[ ]/ && head != "" { head = head code }
head != "" && code ~ /\{[ ]*$/ && head ~ /\(/ && head !~ /=|^(typedef|struct|enum|union)[^()]*\{/ { in_body = 1; next }
/^[}#]/ { head = "" }

END {
  if (lines > file_limit) printf "file-length %s:%d: more than %d lines\n", last_file, lines, file_limit
  for (name in is_type) {
    if (name !~ /^(nu|numann)_/) continue
    if (definitions[name] > 1) breach_at(is_type[name], "doubled-name", name " is defined twice")
    if (name in is_function)
      breach_at(is_type[name] is_function[name], "doubled-name", name " is a type and a function")
  }
  for (i in default_at) {
    n = split(labels[i], label, " ")
    for (own = 0; n > 0; n--) own += label[n] in enumerator
    if (own) breach_at(default_at[i], "own-default", default_text[i])
  }
}

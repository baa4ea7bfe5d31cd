# The rules of CONTRIBUTING.md that a machine can see. SPDX-License-Identifier: MIT
# Reads sources and headers named by paths from the root of the tree; prints "RULE FILE:LINE: TEXT"
# for every breach.

BEGIN {
  n = split("base machine kernels config data network plan trainer checkpoint report cli", order, " ")
  for (i = 1; i <= n; i++) rank[order[i]] = i
  # The public headers belong to stages too.
  rank_public["version"] = rank_public["status"] = rank["base"]
  n = split("config data network plan trainer checkpoint", order, " ")
  for (i = 1; i <= n; i++) rank_public[order[i]] = rank[order[i]]

  file_limit = 500
  banned_call = "strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok|sscanf|rand|srand|random|drand48"
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
  in_body = in_comment = licensed = 0
  head = ""
}

{ lines = FNR; last_file = FILENAME }

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

stage == "" { next } # what follows is about src/

/include[ ]*<omp\.h>|#[ ]*pragma[ ]+omp|_Pragma\(.*omp/ && FILENAME != "src/machine/team.c" { breach("openmp", $0) }
/include[ ]*<hwloc/ && FILENAME !~ /^src\/machine\/(view\.[ch]|topology\.c|draw\.c)$/ { breach("hwloc", $0) }
/include[ ]*<mpi\.h>/ { breach("mpi", $0) }
(/include[ ]*<([a-z]*intrin|arm_neon|x86gprintrin)\.h>/ || code ~ /(^|[^A-Za-z0-9_])_mm[0-9]*_/) &&
  FILENAME !~ /^src\/kernels\/vector_[a-z0-9]+\.h$/ && FILENAME != "src/machine/float_env.c" { breach("intrinsics", $0) }
library && calls("exit|_exit|_Exit|quick_exit|abort") { breach("exit", $0) }
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
}

# awk -v pid=PID: of each NUMA node the most pages that the process is seen with, as "0:512,1:498". Mapped files
# are not counted, nor what the process has before it becomes numann. SPDX-License-Identifier: MIT
function first_line(file,    line) { line = ""; getline line <file; close(file); return line }

function look(file,    n, now, line, word, words, part) {
  while ((getline line <file) > 0) {
    if (line ~ / file=/) continue
    words = split(line, word, " ")
    for (n = 3; n <= words; n++)
      if (word[n] ~ /^N[0-9]+=/) { split(substr(word[n], 2), part, "="); now[part[1]] += part[2] }
  }
  close(file)
  for (n in now) if (now[n] > most[n]) most[n] = now[n]
}

BEGIN {
  folder = "/proc/" pid
  while ((stat = first_line(folder "/stat")) != "" && stat !~ /\) Z /) {
    if (stat ~ /\(numann\)/) look(folder "/numa_maps")
    system("sleep 0.03")
  }
  for (n in most) { printf "%s%s:%d", separator, n, most[n]; separator = "," }
}

# Bash completion for numann. SPDX-License-Identifier: MIT
# The words come from the command itself (numann help completion), so they never lag behind it.

_numann() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }
  done
  COMPREPLY=()
  case $previous in
    --format) mapfile -t COMPREPLY < <(compgen -W "csv npy" -- "$word"); return ;;
    --threads | -t) mapfile -t COMPREPLY < <(compgen -W "auto" -- "$word"); return ;;
    --set) return ;;
  esac
  if [[ -z $command || $word == -* ]]; then
    local words
    words=$("${COMP_WORDS[0]}" help completion $command 2>/dev/null)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  elif [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "config $("${COMP_WORDS[0]}" help completion 2>/dev/null)" -- "$word")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -F _numann numann

/** The completion scripts, which call `aiq __complete` for every word. */

/** Quotes words itself: `compgen -W` would run code in them. */
const bash = String.raw`# aiq completion for bash: source this file.
_aiq() {
  local value _
  COMPREPLY=()
  while IFS=$'\t' read -r value _; do
    COMPREPLY+=("$(printf '%q' "$value")")
  done < <(aiq __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -o bashdefault -F _aiq aiq
`.replaceAll('\\${', '${');

const zsh = String.raw`#compdef aiq
# aiq completion for zsh: put this file as _aiq into a folder of $fpath.
_aiq() {
  local -a candidates
  local value description
  while IFS=$'\t' read -r value description; do
    candidates+=("\${value//:/\\:}:$description")
  done < <(aiq __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#candidates} )); then
    _describe aiq candidates
  else
    _files
  fi
}
compdef _aiq aiq
`.replaceAll('\\${', '${');

const fish = String.raw`# aiq completion for fish: put this file into ~/.config/fish/completions.
function __aiq_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  aiq __complete -- $words[2..-1] "$current" 2>/dev/null
end
complete -c aiq -a '(__aiq_complete)'
`;

export const scripts = { bash, zsh, fish } as const;

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What each shell evaluates. All of them ask `outrider __complete`, with the words up to the cursor, the last of which may be empty; it offers plain words only. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  // Bash takes `:` for the end of a word (COMP_WORDBREAKS); the words are joined again, and what is before the last colon is not offered twice.
  bash: `_outrider() {
  local line="\${COMP_LINE:0:COMP_POINT}" word candidates
  local -a words
  read -r -a words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=('')
  word="\${words[\${#words[@]}-1]}"
  candidates="$(outrider __complete -- "\${words[@]:1}" 2>/dev/null)"
  COMPREPLY=()
  while IFS= read -r candidate; do
    [[ -n "$candidate" ]] || continue
    if [[ "$word" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then candidate="\${candidate#"\${word%"\${word##*:}"}"}"; fi
    COMPREPLY+=("$candidate")
  done <<< "$candidates"
}
complete -o default -F _outrider outrider
`,
  zsh: `#compdef outrider
_outrider() {
  local -a candidates
  candidates=("\${(@f)$(outrider __complete -- "\${(@)words[2,$CURRENT]}" 2>/dev/null)}")
  candidates=("\${(@)candidates:#}")
  if (( \${#candidates} )); then compadd -a candidates; else _files; fi
}
compdef _outrider outrider
`,
  fish: `function __outrider_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l candidates (outrider __complete -- $words[2..-1] 2>/dev/null)
  if test (count $candidates) -gt 0
    string join -- \\n $candidates
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c outrider -f -a '(__outrider_complete)'
`,
};

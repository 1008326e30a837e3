#!/bin/sh
# A plugin in thirty lines of shell: it counts the words of a text, and takes its first lines.
#
#     plugins:
#       words: { command: [./words.sh] }
#
# The protocol is JSON, one object a line: docs/reference/plugin-protocol.md. `field` finds a value by its name, which
# is enough here because the engine writes no spaces and these values have no quotes in them.
field() { printf '%s' "$line" | sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p"; }
port='{"name":"text","kind":"file","doc":"A text."}'
lines='{"type":"object","properties":{"lines":{"type":"integer","minimum":0,"default":10}}}'
hello='{"type":"hello","protocol":1,"plugins":[{"name":"words","version":"1.0","summary":"Works on texts.","operations":[
{"name":"words/count","version":1,"summary":"Counts words.","inputs":['$port'],
 "outputs":[{"name":"words","kind":"metrics","doc":"How many there are."}]},
{"name":"words/head","version":1,"summary":"Takes the first lines.","params":'$lines',"inputs":['$port'],
 "outputs":['$port']}]}]}'
while IFS= read -r line; do
  case $(field type) in
    hello) printf '%s' "$hello" | tr -d '\n'; echo ;;
    run)
      text=$(printf '%s' "$line" | sed 's/.*"inputs":{"text":\[{"path":"\([^"]*\)".*/\1/')
      out=$(printf '%s' "$line" | sed 's/.*"outputs":{"[a-z]*":"\([^"]*\)".*/\1/')
      case $(field operation) in
        words/count) printf '{ "words": %d }\n' "$(wc -w < "$text")" > "$out" ;;
        words/head) head -n "$(field lines)" "$text" > "$out" ;;
      esac
      echo '{"type":"done","id":'"$(field id)"',"usage":{"cpu_s":0,"wall_s":0,"peak_rss":0}}' ;;
    shutdown) exit ;;
  esac
done

#!/bin/bash
# engram-ctl beside an owner that writes, creates and drops spaces, checkpoints
# and compacts: each command sees what was acknowledged before it began, none
# finds damage, and none troubles the owner. Short by default; `tools/run
# readers` is the long run.
#
#   readers_test.sh PATH_OF_ENGRAM_CTL PATH_OF_CHURN_OWNER

set -euo pipefail

if [[ $# -ne 2 || ! -x $1 || ! -x $2 ]]; then
  echo "usage: $0 PATH_OF_ENGRAM_CTL PATH_OF_CHURN_OWNER" >&2
  exit 2
fi
ctl=$(realpath "$1")
owner=$(realpath "$2")
commands=${ENGRAM_READER_COMMANDS:-45}
readers=${ENGRAM_READERS:-3}
work=$(mktemp -d)
child=

cleanup() {
  if [[ -n $child ]]; then kill -9 "$child" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

"$owner" db acked >owner.out 2>&1 &
child=$!
for ((i = 0; i < 200; ++i)); do
  if grep -q '^ready$' owner.out; then break; fi
  sleep 0.05
done
# Until there is something to read: the space "notes" has a graph by then.
for ((i = 0; i < 400; ++i)); do
  if [[ -s acked && $(<acked) -gt 200 ]]; then break; fi
  sleep 0.05
done

# complain READER CODE COMMAND...: a command that did not end as it should.
complain() {
  local reader=$1 code=$2
  shift 2
  {
    echo "FAILED: engram-ctl $* ended in $code"
    sed 's/^/  stdout: /' "out$reader" | cut -c 1-300 | head -5
    sed 's/^/  stderr: /' "err$reader" | cut -c 1-600 | head -5
  } >>"failures$reader"
}

# read_beside READER COUNT
read_beside() {
  local reader=$1 count=$2 i code acked before=0 last command
  : >"failures$reader"
  for ((i = 0; i < count; ++i)); do
    acked=$(($(<acked)))
    case $(((i + reader) % 10)) in
      0 | 1 | 2) command=(get numbers $((acked % 1000))) ;;
      3) command=(verify) ;;
      4) command=(ls) ;;
      5) command=(info --json) ;;
      6) command=(search numbers --id $((acked % 1000)) --k 3) ;;
      7) command=(dump notes) ;;
      8) command=(wal verify) ;;
      9) command=(stats) ;;
    esac
    code=0
    timeout 120 "$ctl" --db db "${command[@]}" \
      >"out$reader" 2>"err$reader" </dev/null || code=$?
    if [[ $code -ne 0 ]]; then
      complain "$reader" "$code" "${command[@]}"
    elif [[ ${command[0]} == get ]]; then
      last=$(grep -oE 'payload +of [0-9]+' "out$reader" | grep -oE '[0-9]+$')
      if ((last < acked)); then
        complain "$reader" "write $last, and $acked was" "${command[@]}"
      fi
    elif [[ ${command[0]} == info ]]; then
      last=$(grep -oE '"last_lsn":[0-9]+' "out$reader" | cut -d: -f2)
      if ((last < before)); then complain "$reader" "LSN $last" info; fi
      before=$last
    fi
    echo "${command[0]}" >>"done$reader"
  done
}

pids=()
for ((reader = 0; reader < readers; ++reader)); do
  read_beside "$reader" $((commands / readers)) &
  pids+=($!)
done
# Meanwhile no second writer gets in, and each hears who is in the way.
refused=0
for verb in compact checkpoint "drop notes --yes" "wal salvage --yes" \
  "dead-letters notes --retry-all"; do
  code=0
  "$ctl" --db db $verb >out 2>err </dev/null || code=$?
  if [[ $code -eq 4 ]] && grep -q "process $child" err; then
    refused=$((refused + 1))
  else
    echo "FAILED: $verb beside the owner ended in $code: $(<err)"
  fi
done
wait "${pids[@]}"

failures=0
kill -0 "$child" 2>/dev/null || failures=$((failures + 1))
kill -TERM "$child" 2>/dev/null || true
code=0
wait "$child" || code=$?
child=
if [[ $code -ne 0 ]]; then failures=$((failures + 1)); fi
echo "the owner ended in $code:"
sed 's/^/  /' owner.out
if [[ $refused -ne 5 ]]; then failures=$((failures + 1)); fi
cat failures?* || true
failures=$((failures + $(cat failures?* | grep -c '^FAILED' || true)))
code=0
"$ctl" --db db verify >out || code=$?
if [[ $code -ne 0 ]]; then
  echo "FAILED: verify afterwards: $code"
  cat out
  failures=$((failures + 1))
fi
echo "$(cat done?* | wc -l) commands beside the owner:" \
  "$(cat done?* | sort | uniq -c | tr -s ' ' | tr '\n' ',')" \
  "$failures failures"
[[ $failures -eq 0 ]]

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
failures=0
cd "$work"

cleanup() {
  if [[ -n $child ]]; then kill -9 "$child" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

# Returns when there is something to read: space "notes" has a graph by then.
start_owner() {
  rm -rf db acked
  "$owner" db acked >owner.out 2>&1 &
  child=$!
  local i
  for ((i = 0; i < 1200; ++i)); do
    if [[ -s acked && $(<acked) -gt 200 ]]; then return; fi
    sleep 0.05
  done
  fail "the owner does not write"
}

end_owner() {
  code=0
  kill -TERM "$child" || code=$?
  wait "$child" || code=$?
  child=
  if [[ $code -ne 0 ]]; then fail "the owner ended in $code"; fi
  sed 1d owner.out
  code=0
  "$ctl" --db db verify >out || code=$?
  if [[ $code -ne 0 ]]; then fail "verify afterwards: $code, $(<out)"; fi
}

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
  : >>"failures$reader"
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
      last=$(grep -oE 'payload +of [0-9]+' "out$reader" | grep -oE '[0-9]+$' || true)
      if ((last < acked)); then
        complain "$reader" "write $last, and $acked was" "${command[@]}"
      fi
    elif [[ ${command[0]} == info ]]; then
      last=$(grep -oE '"last_lsn":[0-9]+' "out$reader" | cut -d: -f2 || true)
      if ((last < before)); then complain "$reader" "LSN $last" info; fi
      before=${last:-0}
    fi
    echo "${command[0]}" >>"done$reader"
  done
}

# What writes is refused, and hears who is in the way.
refuse_writers() {
  local verb code
  for verb in compact checkpoint "drop notes --yes" "wal salvage --yes" \
    "dead-letters notes --retry-all"; do
    code=0
    "$ctl" --db db $verb >out 2>err </dev/null || code=$?
    if [[ $code -ne 4 ]] || ! grep -q "process $child" err; then
      fail "$verb beside the owner ended in $code: $(<err)"
    fi
  done
}

# A database of its own for each round: it grows with every write.
rounds=$(((commands + 499) / 500))
each=$((commands / rounds / readers))
for ((round = 0; round < rounds; ++round)); do
  start_owner
  pids=()
  for ((reader = 0; reader < readers; ++reader)); do
    read_beside "$reader" "$each" &
    pids+=($!)
  done
  refuse_writers
  wait "${pids[@]}"
  end_owner
done

cat failures?
if [[ $(cat done? | wc -l) -ne $((rounds * readers * each)) ]]; then
  fail "a reader has ended early"
fi
failures=$((failures + $(cat failures? | grep -c '^FAILED' || true)))
echo "$(cat done? | wc -l) commands beside an owner" \
  "($(sort done? | uniq -c | tr -s ' ' | paste -sd, )): $failures failures"
[[ $failures -eq 0 ]]

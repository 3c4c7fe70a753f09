#!/bin/bash
# engram-ctl wal: on a log at rest, on a damaged one, and beside a live owner.
#
#   wal_test.sh PATH_OF_ENGRAM_CTL PATH_OF_WAL_OWNER

set -euo pipefail

if [[ $# -ne 2 || ! -x $1 || ! -x $2 ]]; then
  echo "usage: $0 PATH_OF_ENGRAM_CTL PATH_OF_WAL_OWNER" >&2
  exit 2
fi
ctl=$(realpath "$1")
owner=$(realpath "$2")
work=$(mktemp -d)
child=
failures=0
checks=0

cleanup() {
  if [[ -n $child ]]; then kill -9 "$child" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

code=0
last=
run() {
  last="engram-ctl $*"
  code=0
  timeout 120 "$ctl" "$@" >out 2>err </dev/null || code=$?
}

fail() {
  failures=$((failures + 1))
  echo "FAILED (line ${BASH_LINENO[1]}): $*"
  echo "  command: $last"
  echo "  exit code: $code"
  sed 's/^/  stdout: /' out | cut -c 1-300 | head -20
  sed 's/^/  stderr: /' err | cut -c 1-300 | head -20
}

expect_code() {
  checks=$((checks + 1))
  if [[ $code -ne $1 ]]; then fail "expected exit code $1"; fi
}

expect() {
  checks=$((checks + 1))
  if ! grep -qE -- "$2" "$1"; then fail "expected in $1: $2"; fi
}

expect_lines() {
  checks=$((checks + 1))
  if [[ $(wc -l <out) -ne $1 ]]; then fail "expected $1 lines"; fi
}

# Starts an owner that writes in this mode; returns when it says so.
start_owner() {
  mkfifo said
  "$owner" "$1" "$2" >said &
  child=$!
  read -r line <said
  rm said
  if [[ $line != ready ]]; then
    echo "the owner said: $line"
    exit 1
  fi
}

end_owner() {
  kill -9 "$child"
  wait "$child" 2>/dev/null || true
  child=
}

echo "-- a log at rest"
start_owner rest db
end_owner
run --db db wal ls
expect_code 0
expect out '^SEGMENT +EPOCH'
expect out '^1 .* open +1-41 '
expect out '^damages +0$'
run --db db wal ls --json
expect_code 0
expect out '^\{"schema_version":1,.*"segments":\[\{"segment":1,"epoch":"[0-9a-f]{16}","state":"open","first_lsn":1,"last_lsn":41,'
run --db db wal verify
expect_code 0
expect out '^records +41$'
expect out '^ok$'
run --db db wal verify --json
expect out '"result":"ok"'
run --db db wal show
expect_code 0
expect out '^segment 1 offset 8192: group 0, epoch [0-9a-f]{16}, durable LSN 0, 1 records, 4096 bytes$'
expect out '^  LSN 1 create-space space 1$'
expect out '^  LSN 41 observe space 1 id id39 dimension 4 payload 7 B$'
expect out '^  LSN 41 idle$'
run --db db wal show --json --from-lsn 10 --to-lsn 12 --space 1
expect_code 0
expect_lines 3
expect out '"lsn":10,"type":"observe","space_id":1,"producer":0,"producer_sequence":0,"producer_previous":0,"id":"id8","dimension":4,"payload_bytes":6,'
run --db db wal show --json --space 2
expect_lines 0
run --db db wal show --segment 7
expect_code 0
expect_lines 0

echo "-- command lines"
run --db nowhere wal ls
expect_code 4
run --db db wal
expect_code 2
run --db db wal verity
expect_code 2
run --db db wal salvage
expect_code 2
expect err 'say --yes'
run --db db wal salvage --yes
expect_code 0
expect out '^nothing was damaged$'

echo "-- damage"
rm -rf db
start_owner rest db
end_owner
segment=db/wal/0000000000000001.log
# The payload of id20 stands in the log once.
at=$(grep -abo 'of id20' "$segment" | head -1 | cut -d: -f1)
printf 'X' | dd of="$segment" bs=1 seek="$at" conv=notrunc status=none
run --db db info
expect_code 3
expect err 'LSN 22 to 22'
expect err 'of space "notes"'
run --db db wal verify
expect_code 3
expect out '^damage .*LSN 22 to 22: .*\(of space 1\)$'
expect out '^damaged$'
run --db db wal verify --json
expect_code 3
expect out '"first_lsn":22,"last_lsn":22,"open_ended":false,.*"writes":\[\{"lsn":22,"type":"observe","space_id":1,"certain":false,"id":"id20"\}\]'
run --db db wal ls
expect_code 3
run --db db wal show
expect_code 3
expect out 'id id19 '
expect out 'id id21 '
expect err 'LSN 22 to 22'
run --db db wal salvage --yes --json
expect_code 3
expect out '"recorded_in":"db/LOST".*"lsn":22,.*"space":"notes","id":"id20"'
expect db/LOST '^lost LSN 22 to 22: '
run --db db verify
expect_code 0
run --db db wal verify
expect_code 0
run --db db wal salvage --yes
expect_code 0
run --db db get notes id21
expect_code 0
run --db db get notes id20
expect_code 1

echo "-- beside a live owner"
# It writes, checkpoints and recycles all the time, in segments of 256 KiB.
start_owner write busy
before=0
commands=${ENGRAM_WAL_COMMANDS:-200}
for ((i = 0; i < commands; ++i)); do
  case $((i % 4)) in
    0) run --db busy wal verify ;;
    1) run --db busy wal ls --json ;;
    2) run --db busy wal show --json ;;
    3) run --db busy wal show --space 1 ;;
  esac
  expect_code 0
  if ! kill -0 "$child" 2>/dev/null; then
    fail "the owner has ended"
    break
  fi
  if ((i % 4 == 1)); then
    now=$(grep -oE '"last_lsn":[0-9]+' out | head -1 | cut -d: -f2)
    checks=$((checks + 1))
    if ((now < before)); then fail "the log goes back"; fi
    before=$now
  fi
done
run --db busy wal ls --json
expect out '"segments":\[\{"segment":[0-9]{2,},'
end_owner
run --db busy verify
expect_code 0

echo "$checks checks, $failures failures"
[[ $failures -eq 0 ]]

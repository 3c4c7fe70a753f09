#!/bin/bash
# engram-ctl as a user and a script see it: exit codes, stdout, stderr.
#
#   ctl_test.sh PATH_OF_ENGRAM_CTL

set -euo pipefail

if [[ $# -ne 1 || ! -x $1 ]]; then
  echo "usage: $0 PATH_OF_ENGRAM_CTL" >&2
  exit 2
fi
ctl=$(realpath "$1")
fixtures=$(realpath "$(dirname "$0")/../format/fixtures")
work=$(mktemp -d)
loader=
failures=0
checks=0

cleanup() {
  if [[ -n $loader ]]; then kill -9 "$loader" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

# run ARGS...: runs engram-ctl; leaves its exit code in $code, its output in
# the files out and err.
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

# expect FILE TEXT: the file contains the text.
expect() {
  checks=$((checks + 1))
  if ! grep -qF -- "$2" "$1"; then fail "expected in $1: $2"; fi
}

expect_not() {
  checks=$((checks + 1))
  if grep -qF -- "$2" "$1"; then fail "expected not in $1: $2"; fi
}

# Every error is one line on stderr that begins with the program's name.
expect_error() {
  expect_code "$1"
  expect err "engram-ctl: "
  expect err "$2"
  checks=$((checks + 1))
  if [[ $(wc -l <err) -ne 1 ]]; then fail "expected one line on stderr"; fi
  checks=$((checks + 1))
  if [[ -s out ]]; then fail "expected nothing on stdout"; fi
}

expect_same() {
  checks=$((checks + 1))
  if ! cmp -s "$1" "$2"; then
    fail "$1 and $2 differ"
    diff "$1" "$2" | cut -c 1-200 | head -10 || true
  fi
}

# Little-endian bytes of a number.
u32() {
  local hex
  hex=$(printf '%08x' "$1")
  printf "\\x${hex:6:2}\\x${hex:4:2}\\x${hex:2:2}\\x${hex:0:2}"
}
u16() {
  local hex
  hex=$(printf '%04x' "$1")
  printf "\\x${hex:2:2}\\x${hex:0:2}"
}

# The float32 of an integer from 0 to 8.
float_bits=(0x00000000 0x3f800000 0x40000000 0x40400000 0x40800000 0x40a00000
            0x40c00000 0x40e00000 0x41000000)
f32() { u32 "${float_bits[$1]}"; }

# fvecs VECTOR...: each argument is a list of integers.
fvecs() {
  local vector component
  for vector in "$@"; do
    set -- $vector
    u32 $#
    for component in $vector; do f32 "$component"; done
  done
}

# npy_header DESCR ROWS COLUMNS, padded as NumPy does.
npy_header() {
  local text="{'descr': '$1', 'fortran_order': False, 'shape': ($2, $3), }"
  while (((10 + ${#text} + 1) % 64 != 0)); do text+=' '; done
  printf '\x93NUMPY\x01\x00'
  u16 $((${#text} + 1))
  printf '%s\n' "$text"
}

without_lsn() { sed 's/,"lsn":[0-9]*}$/}/' "$1" || true; }

echo "-- command line"
run --version
expect_code 0
expect out "engram-ctl "
run --help
expect_code 0
expect out "Exit codes"
for verb in info ls stats producers load dump search get dead-letters drop erase \
  compact checkpoint verify backup restore export import
do
  run "$verb" --help
  expect_code 0
  expect out "Example:"
  checks=$((checks + 1))
  if [[ $(wc -l <out) -gt 25 ]]; then fail "help of more than 25 lines"; fi
done
run --db db serach x
expect_error 2 'unknown verb "serach"; did you mean "search"?'
run info
expect_error 2 "--db"
run --db db
expect_error 2 ""
run --db db load s a.fvecs --dimension 0
expect_error 2 "--dimension"
run --db db load s a.fvecs --metric manhattan
expect_error 2 "manhattan"
run --db db load s a.fvecs --quantization int3
expect_error 2 "int3"
run --db db load s a.fvecs --stored f16
expect_error 2 "f16"
run --db db search s
expect_error 2 "--id"
run --db db drop s
expect_error 2 "--yes"

echo "-- no database"
for verb in info ls stats producers "search s --id 1" "get s 1" "dump s" \
  "dead-letters s" "dead-letters s --retry-all" compact checkpoint verify \
  "drop s --yes" "erase s 1 --yes"; do
  run --db missing $verb
  expect_error 4 "missing"
done
checks=$((checks + 1))
if [[ -e missing ]]; then fail "a verb that reads created the database"; fi
mkdir strange && echo hello >strange/file
run --db strange info
expect_error 4 "strange"

echo "-- producers and dead letters"
mkdir third && tar -xzf "$fixtures/v3.tar.gz" -C third
run --db third/db producers
expect_code 0
expect out "PRODUCER"
expect out "7               15   16"
run --json --db third/db producers
expect_code 0
expect out '{"producer":8,"sequence":1000,"lsn":'
run --json --db third/db stats
expect out '"producers":2,"duplicate_writes":0'
expect out '"dead_letters":5'
run --db third/db dead-letters full
expect_code 0
expect out "id10"
expect out "RESOURCE_EXHAUSTED: space \"full\": no room in the index"
checks=$((checks + 1))
if [[ $(wc -l <out) -ne 6 ]]; then fail "expected a head and five lines"; fi
run --db third/db dead-letters none
expect_error 1 'no space "none"'
run --db third/db dead-letters full --retry 1
expect_error 1 'space "full" has no dead letter 1'
run --db third/db dead-letters full --retry 12 --drop 13
expect_error 2 "--drop"
run --json --db third/db dead-letters full
lsn=$(grep -o '"lsn":[0-9]*' out | head -1 | cut -d: -f2)
run --json --db third/db dead-letters full --drop "$lsn"
expect_code 0
expect out '"dropped":1,"dead_letters":4'
run --db third/db get full id10
expect_code 1
run --db third/db dead-letters full --retry "$((lsn + 1))"
expect_code 0
expect out "retried 1; 3 left"
run --db third/db verify
expect_code 0
run --db third/db dead-letters full --retry-all
expect_code 0
expect out "retried 3; 0 left"
run --db third/db search full --id id14 --k 1
expect out "id14"
run --db third/db verify
expect_code 0

echo "-- load fvecs"
fvecs "1 2 3 4" "5 6 7 8" "1 2 3 5" >base.fvecs
run --db db load vectors base.fvecs --id-prefix v-
expect_code 0
expect out "loaded 3 observations"
expect out "indexed"
run --db db ls
expect_code 0
expect out "vectors"
run ls --json --db db
expect_code 0
expect out '"schema_version":1'
expect out '"name":"vectors"'
expect out '"dimension":4'
expect out '"live_records":3'
expect out '"quantization":"auto"'
expect out '"stored":"f32"'
run --db db get vectors v-1
expect_code 0
expect out "[5,6,7,8]"
run --db db get vectors v-9
expect_error 1 "v-9"

echo "-- info and stats"
run --db db info
expect_code 0
expect out "database_id"
run --json --db db info
expect_code 0
expect out '"last_lsn":'
expect out '"format":'
run --json --db db stats
expect_code 0
expect out '"accepted_records":'
expect out '"worker_stats":[{"records":0,"batches":0,"batches_to_10":0,'
expect out '"pressure":0.0,"pressure_level":"none"'
expect out '"imbalance":0.0'
expect out '"refused":{"space_records":0,'
run --json --db db stats vectors
expect_code 0
expect out '"ef_construction":100'
expect out '"pressure_level":"none"'
expect out '"quantization":"auto","quantization_in_use":"none","stored":"f32"'
expect out '"twins":0,"retired_slots":0,"dead_letters":0,"memory_bytes":'
expect out '"unreachable_nodes":0'
run --db db stats --prometheus
expect_code 0
expect out '# TYPE engram_space_live_records gauge'
expect out 'engram_space_live_records{space="vectors"} 3'
expect out 'engram_refused_writes_total{cause="log"} 0'
expect out 'engram_worker_records_total{worker="0"} 0'
expect out 'engram_ingest_seconds{stage="to_durable",quantile="0.5"} 0'
run --db db stats vectors --prometheus
expect_error 2 "--prometheus"
run --json --db db stats --prometheus
expect_error 2 "--json"
run stats --help
expect out "--prometheus"
run --db db stats vectors
expect_code 0
for field in quantization quantization_in_use stored twins retired_slots \
  memory_bytes unreachable_nodes; do
  expect out "$field "
done

echo "-- search"
run --db db search vectors --id v-0 --k 2
expect_code 0
sed 's/^0 *//; s/^1 *//' out | tr -d ' ' >found
printf 'v-0\nv-2\n' >wanted
expect_same wanted found
run --db db search vectors --vector "[5, 6, 7, 8.5]" --k 1 --json
expect_code 0
expect out '"id":"v-1"'
expect out '"distance":0.25'
echo "[1,2,3,4]" >query
code=0
"$ctl" --db db search vectors --vector - --k 1 >out 2>err <query || code=$?
expect_code 0
expect out "v-0"
run --db db search vectors --vector "[5, 6, 7, 8.5]" --k 1 --exact --stats
expect_code 0
expect out "v-1"
for field in plan distances hops tail_distances micros; do
  expect out "$field "
done
run --db db search vectors --id v-0 --k 2 --stats --json
expect_code 0
expect out '"id":"v-2"'
expect out '"stats":{"plan":"'
expect out '"tail_distances":'
expect out '"micros":'
run --db db search vectors --id v-0 --k 2 --json
checks=$((checks + 1))
if grep -qF '"stats"' out; then fail "stats were not asked for"; fi
run --db db search vectors --vector "[1,2,3]"
expect_error 1 "3"
run --db db search vectors --vector "[1,2,"
expect_error 1 "--vector"
run --db db search vectors --vector '[1,2,"3",4]'
expect_error 1 "component 2"
run --db db search nowhere --id v-0
expect_error 1 "nowhere"

echo "-- load refuses"
fvecs "1 2 3" >three.fvecs
run --db db load vectors three.fvecs
expect_error 1 "three.fvecs: vectors have 3 components"
run --db db load vectors base.fvecs --metric cosine
expect_error 1 "vectors"
run --db db load vectors base.fvecs --dimension 5
expect_error 1 "--dimension is 5"
head -c 25 base.fvecs >short.fvecs
run --db db load vectors short.fvecs
expect_error 1 "truncated: 25 bytes, expected multiple of 20"
run --db fresh load vectors short.fvecs
expect_code 1
checks=$((checks + 1))
if [[ -e fresh ]]; then fail "a damaged file created a database"; fi
u32 4294967295 >negative.fvecs
run --db db load vectors negative.fvecs
expect_error 1 "dimension is -1"
run --db db load vectors nothing.fvecs
expect_error 1 "nothing.fvecs"
run --db db load vectors base.parquet
expect_error 1 "unknown kind of file"

run --db db load vectors base.fvecs --quantization int4
expect_error 1 "quantization is auto, not int4"
run --db db load vectors base.fvecs --stored none
expect_error 1 "stored is f32, not none"
run --db db load codeless base.fvecs --stored none
expect_error 1 "quantization is auto, which is none at dimension 4"
run --db db load codeless base.fvecs --stored none --quantization none
expect_error 1 "stored is none and quantization is none"
run --db db stats codeless
expect_error 1 "codeless"

echo "-- load with codes"
run --db db load codes base.fvecs --quantization int8 --stored none
expect_code 0
run --db db stats codes --json
expect_code 0
expect out '"quantization":"int8"'
expect out '"stored":"none"'
run --db db ls
expect_code 0
expect out "int8"
# The same again, or nothing of it, is no contradiction.
run --db db load codes base.fvecs --quantization int8 --stored none
expect_code 0
run --db db load codes base.fvecs
expect_code 0
run --db db get codes 1
expect_code 0
expect out "[5,6,7,8]"

echo "-- load bvecs and npy"
{ u32 3; printf '\x00\x7f\xff'; } >bytes.bvecs
run --db db load bytes bytes.bvecs
expect_code 0
run --db db get bytes 0
expect_code 0
expect out "[0,127,255]"
{ npy_header '<f4' 3 2; for i in 1 2 3 4 5 6; do f32 $i; done; } >base.npy
run --db db load arrays base.npy --metric cosine --m 8 --limit 2 --json
expect_code 0
expect out '"observations":2'
run --db db get arrays 1
expect_code 0
expect out "[3,4]"
run --db db get arrays 2
expect_error 1 "2"
run --db db stats arrays --json
expect out '"metric":"cosine"'
expect out '"M":8'
{ npy_header '<f2' 1 3; u16 0x3c00; u16 0x0001; u16 0xc000; } >halves.npy
run --db db load halves halves.npy
expect_code 0
run --db db get halves 0
expect_code 0
expect out "[1,5.9604645e-08,-2]"
{ npy_header '<f4' 1 2; u32 0x3f800000; u32 0x7f800000; } >infinite.npy
run --db db load arrays infinite.npy
expect_error 1 "component 1 is inf"
{ npy_header '<f4' 9 2; f32 1; } >lying.npy
run --db db load arrays lying.npy
expect_error 1 "truncated"
{ npy_header '<f8' 1 1; f32 1; f32 1; } >doubles.npy
run --db db load doubles doubles.npy
expect_error 1 "<f8"

echo "-- jsonl: dump, load, dump"
{
  echo '{"id":"a","vector":[0.1,-0.0,1e-45],"payload":"plain","timestamp_us":-5}'
  echo '{"id":"b\nc","vector":[1.5e14,1,123456789],"payload":"\u00e9\u0000"}'
  echo ''
  echo '{"id_base64":"/wD+","vector":[1,2,3],"payload_base64":"gIGC","lsn":77}'
  printf '{"vector":[16777217,0.333333343,-1.17549435e-38],"id":"last"}'
} >notes.jsonl
run --db db load notes notes.jsonl
expect_code 0
expect out "loaded 4 observations"
run --db db dump notes
expect_code 0
cp out first.jsonl
expect first.jsonl '"vector":[0.1,-0.0,1e-45]'
expect first.jsonl '"id":"b\nc"'
expect first.jsonl '"payload":"é\u0000"'
expect first.jsonl '"id_base64":"/wD+"'
expect first.jsonl '"payload_base64":"gIGC"'
expect first.jsonl '"timestamp_us":-5'
run --db copy load notes first.jsonl
expect_code 0
run --db copy dump notes --output second.jsonl
expect_code 0
without_lsn first.jsonl >first.plain
without_lsn second.jsonl >second.plain
expect_same first.plain second.plain
run --db copy dump notes --output second.jsonl
expect_error 1 "second.jsonl"
run --db copy search notes --id last --k 4
expect_code 0
expect out 'b\nc'
expect out '\xff\x00\xfe'
run --db copy dump nowhere --output none.jsonl
expect_error 1 "nowhere"
checks=$((checks + 1))
if [[ -e none.jsonl ]]; then fail "a failed dump left a file"; fi
code=0
"$ctl" --db copy load more - >out 2>err <first.jsonl || code=$?
expect_code 0
run --db copy dump more
without_lsn out >third.plain
expect_same first.plain third.plain

echo "-- jsonl: bad lines"
bad_line() {  # LINE TEXT
  {
    echo '{"id":"x1","vector":[1,2,3]}'
    echo '{"id":"x2","vector":[1,2,3]}'
    printf '%s\n' "$1"
  } >bad.jsonl
  run --db db load notes bad.jsonl
  expect_error 1 "bad.jsonl line 3: "
  expect err "$2"
  run --db db get notes x1
  expect_code 1
}
bad_line '{"id":"x","vector":[1,2]}' "2 components"
bad_line '{"id":"x","vector":[1,2,1e39]}' "component 2"
bad_line '{"id":"x","vector":[1,2,null]}' "component 2"
bad_line '{"id":"x","vector":[1,2,[3]]}' "component 2"
bad_line '{"id":"","vector":[1,2,3]}' "id has 0 bytes"
bad_line '{"vector":[1,2,3]}' '"id" is missing'
bad_line '{"id":"x"}' '"vector" is missing'
bad_line '{"id":7,"vector":[1,2,3]}' '"id" is a number'
bad_line '{"id":"x","id_base64":"eA==","vector":[1,2,3]}' '"id" is repeated'
bad_line '{"id_base64":"?","vector":[1,2,3]}' "no base64"
bad_line '{"id":"x","vector":[1,2,3],"text":"y"}' 'unknown member "text"'
bad_line '{"id":"x","vector":[1,2,3],"timestamp_us":1.5}' '"timestamp_us"'
bad_line '{"id":"x","vector":[1,2,3]' "no JSON"
bad_line '{"id":"x","vector":[1,2,3]} {}' "no JSON"
bad_line '[1,2,3]' "expected an object"
bad_line "$(printf '{"id":"\xff","vector":[1,2,3]}')" "no JSON"
printf '{"id":"x","vector":[1],"payload":"' >long.jsonl
head -c 17000000 /dev/zero | tr '\0' 'x' >>long.jsonl
run --db db load long long.jsonl
expect_error 1 "line 1: line is longer than 16777216 bytes"
head -c 4000000 /dev/zero | tr '\0' '[' >nested.jsonl
run --db db load long nested.jsonl
expect_error 1 "line 1: "
run --db db stats long
expect_code 1
# Batches before the bad line stay.
for i in 1 2 3 4 5; do echo "{\"id\":\"$i\",\"vector\":[$i]}"; done >half.jsonl
echo 'oops' >>half.jsonl
run --db db load half half.jsonl --batch 2
expect_error 1 "half.jsonl line 6: "
expect err "4 observations were written"
run --db db stats half --json
expect out '"live_records":4'
run --db db load half half.jsonl --id-prefix p
expect_code 2

echo "-- drop, checkpoint, compact, verify"
run --db db drop half --yes
expect_code 0
run --db db stats half
expect_error 1 "half"
run --db db drop half --yes
expect_error 1 "half"
run --db db checkpoint
expect_code 0
run --db db compact --json
expect_code 0
expect out '"bytes_before":'
expect out '"bytes_after":'
run --db db verify
expect_code 0
run --db db verify --json
expect_code 0
expect out '"result":"ok"'
expect out '"twins":'
run --db db get vectors v-1
expect_code 0

echo "-- erase, verify --absent"
for n in 1 2 3 4 5 6 7 8; do
  echo "{\"id\":\"private-$n\",\"vector\":[$n,0.5],\"payload\":\"diary of $n\"}"
done >private.jsonl
run --db db load private private.jsonl
expect_code 0
run --db db checkpoint
expect_code 0
run --db db verify --absent private-3
expect_code 7
expect out "holds a record of the id"
expect out "the id is in files, or may be"
run --db db verify --space vectors
expect_code 2
run --db db erase private private-3
expect_error 2 "say --yes"
run --db db erase nowhere private-3 --yes
expect_error 1 "nowhere"
run --db db erase private private-3 private-5 --yes
expect_code 0
expect out "erased 2 ids"
for id in private-3 private-5; do
  run --db db verify --absent "$id"
  expect_code 0
  expect out "the id is in no file"
  run --db db get private "$id"
  expect_error 1 "$id"
done
checks=$((checks + 1))
if grep -rqF -e "diary of 3" -e "diary of 5" db; then fail "bytes are left"; fi
run --db db verify --absent private-4 --json
expect_code 7
expect out '"absent":false'
run --db db erase private private-4 --yes --json
expect_code 0
expect out '"erased":1'
run --db db verify --absent private-4 --json
expect_code 0
expect out '"absent":true'
run --db db verify --absent private-1 --space vectors
expect_code 0
expect out "the id is in no file"
run --db db get private private-1
expect_code 0

# start_loader: loads from a pipe that file descriptor 3 keeps open, and waits
# until the database is locked.
start_loader() {
  rm -f pipe.jsonl
  mkfifo pipe.jsonl
  exec 3<>pipe.jsonl
  # SIGINT is ignored in the background jobs of a script, and would stay so.
  env --default-signal=INT "$ctl" --db db load piped pipe.jsonl --batch 2 \
    >loader.out 2>loader.err 3>&- &
  loader=$!
  local i
  for ((i = 0; i < 200; ++i)); do
    if [[ -n $(find "/proc/$loader/fd" -lname "$work/db/*" 2>/dev/null) ]]; then
      # The lock comes before all other files; be sure that it is held.
      sleep 0.5
      return
    fi
    if ! kill -0 "$loader" 2>/dev/null; then break; fi
    sleep 0.05
  done
  last="load from a pipe"
  cp loader.out out
  cp loader.err err
  fail "the loader did not open the database"
}

# finish_loader: waits for it; its output goes where run() leaves it.
finish_loader() {
  code=0
  wait "$loader" || code=$?
  loader=
  last="load from a pipe"
  cp loader.out out
  cp loader.err err
}

echo "-- backup and restore"
run --db db backup saved
expect_code 0
expect out "backed up to saved, up to LSN "
run --db db backup saved
expect_error 1 "saved: exists already"
run --db db backup db/inside
expect_error 1 "lies in the database"
run --db db backup nowhere/saved
expect_error 1 "nowhere: there is no such folder"
run --db saved verify
expect_code 0
run restore saved restored
expect_code 0
expect out "restored restored from saved: "
for space in vectors notes codes; do
  run --db db dump "$space"
  cp out original.jsonl
  run --db restored dump "$space"
  expect_code 0
  expect_same original.jsonl out
done
run --db restored verify
expect_code 0
run --json restore saved again
expect_code 0
expect out '"restored":"again"'
expect out '"warnings":0'
run restore saved restored
expect_error 1 "restored: exists already"
run restore nosuch other
expect_error 4 "nosuch: there is no backup"
mkdir empty
run restore empty other
expect_error 4 "no Engram database"
# A byte of a table: found in the copy, which is not left behind.
table=$(ls -S again/kv/*.sst | head -1)
printf 'XXXXXXXX' | dd of="$table" bs=1 seek=200 conv=notrunc status=none
run restore again other
expect_error 3 "again: is damaged"
checks=$((checks + 1))
if [[ -e other || -e other.unfinished ]]; then fail "something is left"; fi
rm -r saved restored again empty

echo "-- export and import"
run --db db export notes notes.engram
expect_code 0
expect out "exported 4 observations to notes.engram"
run --db db export notes notes.engram
expect_error 1 "notes.engram"
run --db db export nosuch other.engram
expect_error 1 'no space "nosuch"'
checks=$((checks + 1))
if [[ -e other.engram ]]; then fail "other.engram is left"; fi
run --db fresh import notes.engram notes
expect_code 0
expect out 'imported 4 observations into space "notes"'
run --db fresh dump notes
without_lsn out >imported.plain
run --db db dump notes
without_lsn out >exported.plain
expect_same exported.plain imported.plain
run --db fresh import notes.engram notes
expect_error 1 'there is a space "notes" already'
run --db fresh import nosuch.engram more
expect_error 1 "nosuch.engram"
head -c 200 notes.engram >short.engram
run --db fresh import short.engram more
expect_error 3 "short.engram: frame 1: is cut off"
run --json --db fresh import notes.engram more
expect_code 0
expect out '"observations":4'
run --db fresh verify
expect_code 0

echo "-- a second process"
start_loader
run --db db backup saved
expect_error 4 "process $loader; while it is open, only that process can"
run restore db other
expect_error 4 "db: is open in process $loader"
for verb in compact checkpoint "drop vectors --yes" "wal salvage --yes" \
  "dead-letters vectors --retry-all" "load vectors base.fvecs"; do
  run --db db $verb
  expect_error 4 "process $loader"
done
for verb in info ls producers "search vectors --id v-0" "get vectors v-1" \
  "dump vectors" "dead-letters vectors" verify "wal ls" "wal verify" \
  "wal show"; do
  run --db db $verb
  expect_code 0
done
# Its owner says how it is, once a second.
for i in 1 2 3 4 5 6 7 8 9 10; do
  run --db db stats
  if [[ $code -eq 0 ]]; then break; fi
  sleep 0.5
done
expect_code 0
expect out "published by process $loader, its owner, "
expect out 'engram_space_live_records{space="vectors"} 3'
run --db db stats vectors
expect out 'engram_space_resident{space="vectors"} 0'
checks=$((checks + 1))
if grep -q 'engram_workers' out; then fail "more than the space was shown"; fi
run --json --db db stats
expect out "\"published\":{\"pid\":$loader,\"unix_us\":"
expect out '"engram_wal_failed":0.0'
run --db db stats --prometheus
expect out '# TYPE engram_spaces gauge'
run --db db stats nosuch
expect_error 1 'nothing of a space "nosuch"'
# A page that its owner did not write is left from another.
cp db/OWNER OWNER
echo 1 >db/OWNER
run --db db stats
expect_code 0
expect_not out "published by"
printf '\033[2J' >db/OWNER
run --db db compact
expect_error 4 'process \x1b[2J'
cp OWNER db/OWNER
for i in 1 2 3; do echo "{\"id\":\"$i\",\"vector\":[$i]}" >&3; done
exec 3>&-
finish_loader
expect_code 0
expect out "loaded 3 observations"
run --db db stats piped --json
expect_code 0
expect out '"live_records":3'

echo "-- ^C"
start_loader
for i in 4 5 6; do echo "{\"id\":\"$i\",\"vector\":[$i]}" >&3; done
sleep 0.5
kill -INT "$loader" || true
finish_loader
exec 3>&-
expect_code 130
expect out "interrupted; wrote 3 observations"
run --db db stats piped --json
expect_code 0
expect out '"live_records":6'

if [[ $failures -ne 0 ]]; then
  echo "$failures of $checks checks FAILED"
  exit 1
fi
echo "all $checks checks passed"

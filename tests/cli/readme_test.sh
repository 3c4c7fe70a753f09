#!/usr/bin/env bash
# The program in README.md is the one that is compiled, and it does what it says.
# Usage: readme_test.sh SOURCE_FOLDER PROGRAM
set -euo pipefail

source_folder=$1
program=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

awk '/^```cpp$/ {inside = 1; next} /^```$/ {inside = 0} inside' \
  "$source_folder/README.md" >"$folder/readme.cc"
diff "$folder/readme.cc" "$source_folder/tests/api/readme_program.cc"

cd "$folder"
for run in 1 2; do
  output=$("$program")
  if ! [[ $output =~ ^note-1\ -?0\.000\ the\ door\ was\ open$ ]]; then
    printf 'run %s printed: %s\n' "$run" "$output"
    exit 1
  fi
done

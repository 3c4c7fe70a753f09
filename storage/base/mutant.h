// Faults that are compiled in on purpose, one at a time, to show that the
// crash tests find them: cmake -DENGRAM_MUTANT=skip_wal_sync; see
// tests/crash/mutants. Without one, nothing of this is left in the code.

#ifndef ENGRAM_STORAGE_BASE_MUTANT_H_
#define ENGRAM_STORAGE_BASE_MUTANT_H_

#include "absl/strings/string_view.h"
// Made by CMake: ENGRAM_MUTANT is the name of the fault, or empty.
#include "storage/base/mutant_name.h"

namespace engram {

constexpr bool Mutant(absl::string_view name) { return name == ENGRAM_MUTANT; }

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_MUTANT_H_

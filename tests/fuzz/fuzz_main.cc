#include <cstddef>
#include <cstdint>

#include "tests/fuzz/entries.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  engram::fuzz::ENGRAM_FUZZ_ENTRY(
      absl::string_view(reinterpret_cast<const char*>(data), bytes));
  return 0;
}

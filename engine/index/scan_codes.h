// The codes of some vectors that are scanned together, one after the other in
// memory.

#ifndef ENGRAM_ENGINE_INDEX_SCAN_CODES_H_
#define ENGRAM_ENGINE_INDEX_SCAN_CODES_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/index/code_layout.h"
#include "storage/base/aligned_buffer.h"

namespace engram::index {

// What is known of a vector x beside its codes; see scan_codec.h, which writes
// it. All lengths are rounded up. An array each: bounds of many rows are
// computed at once.
template <size_t kRows>
struct ScanNumbers {
  std::array<float, kRows> step;        // of the codes
  std::array<float, kRows> norm;        // |x|
  std::array<float, kRows> fine_off;    // |x - what its codes say|
  std::array<float, kRows> coarse_off;  // |x - what its high nibbles say|
};

// The high nibbles of all rows stand together, then the low ones: most rows are
// ruled out by the former, and the latter are not read.
//
// Thread safety: a row is written before it is read; other rows may be read
// meanwhile.
class ScanCodes {
 public:
  static constexpr size_t kRows = 64;

  // Rows are not initialised.
  explicit ScanCodes(const CodeLayout& layout)
      : row_bytes_(layout.padded_dimension() / 2),
        bytes_(2 * kRows * row_bytes_) {}

  uint8_t* high(size_t row) { return Begin() + row * row_bytes_; }
  uint8_t* low(size_t row) { return Begin() + (kRows + row) * row_bytes_; }
  const uint8_t* high(size_t row) const { return Begin() + row * row_bytes_; }
  const uint8_t* low(size_t row) const {
    return Begin() + (kRows + row) * row_bytes_;
  }

  ScanNumbers<kRows>& numbers() { return numbers_; }
  const ScanNumbers<kRows>& numbers() const { return numbers_; }

  size_t memory_bytes() const { return sizeof(*this) + bytes_.size(); }

 private:
  uint8_t* Begin() { return reinterpret_cast<uint8_t*>(bytes_.data()); }
  const uint8_t* Begin() const {
    return reinterpret_cast<const uint8_t*>(bytes_.data());
  }

  size_t row_bytes_;
  AlignedBuffer bytes_;
  ScanNumbers<kRows> numbers_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_SCAN_CODES_H_

// How the codes of one slot lie in memory.
//
//   high row   := high nibbles: P/2 bytes   factor: f32   bias: f32
//   low row    := low nibbles:  P/2 bytes   factor: f32   zero: 4 bytes
//   crumb row  := 2-bit codes:  P/4 bytes   factor: f32   bias: f32
//
// P is the dimension rounded up to whole blocks; engine/simd/kernels.h has the
// order of components in a block. The high and the low row together are an
// 8-bit code, of which a walk reads only the upper half; each row kind stands
// in an array of its own, so a walk's cache lines hold nothing but what it
// reads. factor and bias: see vector_codec.h.

#ifndef ENGRAM_ENGINE_INDEX_CODE_LAYOUT_H_
#define ENGRAM_ENGINE_INDEX_CODE_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "schema/quantization.h"

namespace engram::index {

// One slot's rows, each as long as its CodeLayout says. Rows need no
// alignment. `crumbs` is not looked at where CrumbRowBytes() is 0.
struct ConstCodeRows {
  const uint8_t* crumbs;
  const uint8_t* high;
  const uint8_t* low;
};

struct CodeRows {
  // Whoever may write rows may read them.
  operator ConstCodeRows() const { return {crumbs, high, low}; }

  uint8_t* crumbs;
  uint8_t* high;
  uint8_t* low;
};

// The sizes that follow from a dimension and a kind of codes. All row sizes
// are multiples of 8.
class CodeLayout {
 public:
  // `quantization` is kInt8, kInt4 or kInt2.
  CodeLayout(uint32_t dimension, schema::Quantization quantization);

  // P: a multiple of 128, of 256 for kInt2.
  size_t padded_dimension() const { return padded_dimension_; }

  size_t HighRowBytes() const { return padded_dimension_ / 2 + 8; }
  size_t LowRowBytes() const { return padded_dimension_ / 2 + 8; }
  // 0 unless kInt2.
  size_t CrumbRowBytes() const {
    return has_crumbs_ ? padded_dimension_ / 4 + 8 : 0;
  }

 private:
  size_t padded_dimension_;
  bool has_crumbs_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_CODE_LAYOUT_H_

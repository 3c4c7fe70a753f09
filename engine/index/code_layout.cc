#include "engine/index/code_layout.h"

#include "engine/simd/kernels.h"
#include "storage/base/check.h"

namespace engram::index {

CodeLayout::CodeLayout(uint32_t dimension, schema::Quantization quantization)
    : has_crumbs_(quantization == schema::Quantization::kInt2) {
  ENGRAM_CHECK(dimension > 0);
  ENGRAM_CHECK(quantization == schema::Quantization::kInt8 ||
               quantization == schema::Quantization::kInt4 ||
               quantization == schema::Quantization::kInt2);
  const size_t block = has_crumbs_ ? simd::kCrumbBlock : simd::kNibbleBlock;
  padded_dimension_ = (dimension + block - 1) / block * block;
}

}  // namespace engram::index

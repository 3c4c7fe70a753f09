#include "storage/base/aligned_buffer.h"

#include <cstdlib>

#include "storage/base/check.h"

namespace engram {

AlignedBuffer::AlignedBuffer(size_t bytes) : size_(bytes) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  data_.reset(static_cast<char*>(std::aligned_alloc(kAlignment, rounded)));
  ENGRAM_CHECK(data_ != nullptr);
}

void AlignedBuffer::Free::operator()(char* data) const { std::free(data); }

}  // namespace engram

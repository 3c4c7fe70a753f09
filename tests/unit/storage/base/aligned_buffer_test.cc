#include "storage/base/aligned_buffer.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(AlignedBufferTest, IsAlignedAndWritableAtEachSize) {
  for (const size_t bytes : {1, 100, 4095, 4096, 4097, 1 << 20}) {
    AlignedBuffer buffer(bytes);
    EXPECT_EQ(buffer.size(), bytes);
    EXPECT_EQ(
        reinterpret_cast<uintptr_t>(buffer.data()) % AlignedBuffer::kAlignment,
        0u);
    std::memset(buffer.data(), 1, buffer.size());
  }
}

TEST(AlignedBufferTest, IsEmptyWithoutSize) {
  EXPECT_EQ(AlignedBuffer().size(), 0u);
  EXPECT_EQ(AlignedBuffer(0).size(), 0u);
}

TEST(AlignedBufferTest, KeepsItsAddressWhenMoved) {
  AlignedBuffer first(4096);
  const char* const data = first.data();
  AlignedBuffer second = std::move(first);
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.size(), 4096u);
}

}  // namespace
}  // namespace engram

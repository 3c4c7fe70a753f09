#include "storage/base/buffer_pool.h"

#include <utility>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(BufferPoolTest, GivesBackWhatItKept) {
  BufferPool pool(8192, 2);
  AlignedBuffer buffer = pool.Take();
  EXPECT_EQ(buffer.size(), 8192u);
  const char* const address = buffer.data();
  pool.Put(std::move(buffer));
  EXPECT_EQ(pool.kept(), 1u);
  EXPECT_EQ(pool.Take().data(), address);
  EXPECT_EQ(pool.kept(), 0u);
}

TEST(BufferPoolTest, KeepsNoMoreThanItMay) {
  BufferPool pool(4096, 2);
  for (int i = 0; i < 3; ++i) pool.Put(AlignedBuffer(4096));
  EXPECT_EQ(pool.kept(), 2u);
}

TEST(BufferPoolTest, KeepsOneSizeOnly) {
  BufferPool pool(4096, 2);
  pool.Put(AlignedBuffer(8192));
  EXPECT_EQ(pool.kept(), 0u);
}

}  // namespace
}  // namespace engram

#include "storage/base/stable_vector.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

TEST(StableVectorTest, StartsEmptyAndCountsWhatIsPublished) {
  StableVector<int> vector;
  EXPECT_EQ(vector.size(), 0u);
  vector.Next() = 7;
  EXPECT_EQ(vector.size(), 0u) << "not yet published";
  vector.Publish();
  EXPECT_EQ(vector.size(), 1u);
  EXPECT_EQ(vector[0], 7);
}

TEST(StableVectorTest, NextIsTheSameElementUntilItIsPublished) {
  StableVector<int> vector;
  int* const first = &vector.Next();
  EXPECT_EQ(&vector.Next(), first);
  vector.Publish();
  EXPECT_NE(&vector.Next(), first);
  EXPECT_EQ(&vector[0], first);
}

TEST(StableVectorTest, ElementsAreValueInitialised) {
  StableVector<uint64_t> vector;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(vector.Next(), 0u) << i;
    vector.Next() = ~uint64_t{0};
    vector.Publish();
  }
}

// Blocks hold 64, 128, 256 elements and so on; each boundary is crossed.
TEST(StableVectorTest, GrowsAcrossBlocksWithEveryElementInItsPlace) {
  constexpr size_t kCount = 70'000;
  StableVector<size_t> vector;
  std::vector<const size_t*> addresses;
  for (size_t i = 0; i < kCount; ++i) {
    vector.Next() = i * 3;
    vector.Publish();
    addresses.push_back(&vector[i]);
  }
  ASSERT_EQ(vector.size(), kCount);
  for (size_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(vector[i], i * 3);
    ASSERT_EQ(&vector[i], addresses[i]) << "element " << i << " has moved";
  }
}

TEST(StableVectorTest, DestroysWhatItHolds) {
  auto shared = std::make_shared<int>(1);
  {
    StableVector<std::shared_ptr<int>> vector;
    for (int i = 0; i < 300; ++i) {
      vector.Next() = shared;
      vector.Publish();
    }
    EXPECT_EQ(shared.use_count(), 301);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

// An element is complete for whoever has seen a size above its index. The
// fields are not atomic: ThreadSanitizer would see a missing order.
TEST(StableVectorTest, ReadersSeeCompleteElementsWhileItGrows) {
  struct Pair {
    uint64_t number = 0;
    uint64_t square = 0;
  };
  constexpr uint64_t kCount = 40'000;
  StableVector<Pair> vector;
  std::atomic<int> wrong{0};
  const auto read = [&] {
    uint64_t seen = 0;
    while (seen < kCount) {
      const uint64_t size = vector.size();
      if (size < seen) ++wrong;
      for (uint64_t i = seen; i < size; ++i) {
        const Pair& pair = vector[i];
        if (pair.number != i || pair.square != i * i) ++wrong;
      }
      // An older one too, which may lie in any block.
      if (size > 0 && vector[size / 2].number != size / 2) ++wrong;
      seen = size;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  for (uint64_t i = 0; i < kCount; ++i) {
    Pair& pair = vector.Next();
    pair.number = i;
    pair.square = i * i;
    vector.Publish();
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace engram

#include "storage/base/mapped_allocator.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gtest/gtest.h"

namespace engram {
namespace {

template <typename T>
using MappedVector = std::vector<T, MappedAllocator<T>>;

// Whether there is memory at the page of `address`.
bool IsMapped(const void* address) {
  const auto page = reinterpret_cast<uintptr_t>(address) &
                    ~(static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE)) - 1);
  return ::msync(reinterpret_cast<void*>(page), 1, MS_ASYNC) == 0;
}

TEST(MappedAllocatorTest, AVectorThatGrowsKeepsItsElements) {
  MappedVector<uint32_t> words;
  for (uint32_t i = 0; i < 200'000; ++i) words.push_back(i);
  for (uint32_t i = 0; i < words.size(); ++i) ASSERT_EQ(words[i], i);
}

TEST(MappedAllocatorTest, ABigBlockIsGivenBackToTheSystemWhenItIsFreed) {
  MappedVector<char> bytes(MappedAllocator<char>::kMappedBytesMin, 'x');
  const void* const address = bytes.data();
  ASSERT_TRUE(IsMapped(address));
  bytes = MappedVector<char>();
  EXPECT_FALSE(IsMapped(address));
}

TEST(MappedAllocatorTest, ATableOfStringsCanBeMovedAndEmptied) {
  using Allocator = MappedAllocator<std::pair<const int, std::string>>;
  using Table = absl::flat_hash_map<int, std::string, absl::Hash<int>,
                                    std::equal_to<int>, Allocator>;
  Table table;
  for (int i = 0; i < 20'000; ++i) table[i] = std::string(40, 'a' + i % 26);
  Table moved = std::move(table);
  table = Table();
  EXPECT_TRUE(table.empty());
  ASSERT_EQ(moved.size(), 20'000u);
  for (int i = 0; i < 20'000; i += 2) moved.erase(i);
  EXPECT_EQ(moved.at(27), std::string(40, 'b'));
}

}  // namespace
}  // namespace engram

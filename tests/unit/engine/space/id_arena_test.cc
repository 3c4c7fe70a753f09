#include "engine/space/id_arena.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram::space {
namespace {

TEST(IdArenaTest, CopiesStayWhereTheyAre) {
  IdArena arena;
  std::vector<std::string> ids;
  std::vector<absl::string_view> copies;
  for (size_t i = 0; i < 5000; ++i) {
    ids.push_back(std::string(i % 512 + 1, static_cast<char>(i)));
    copies.push_back(arena.Copy(ids.back()));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_EQ(copies[i], ids[i]) << i;
    ASSERT_NE(copies[i].data(), ids[i].data());
  }
}

TEST(IdArenaTest, CountsWholeBlocksOfUnitsOfEightBytes) {
  IdArena arena;
  EXPECT_EQ(arena.bytes(), 0u);
  arena.Copy("a");
  const size_t block = arena.bytes();
  EXPECT_GE(block, 512u);
  for (size_t i = 1; i < block / 8; ++i) arena.Copy("12345678");
  EXPECT_EQ(arena.bytes(), block) << "filled to its last byte";
  arena.Copy("a");
  EXPECT_EQ(arena.bytes(), 2 * block);
}

TEST(IdArenaTest, FreedIdsAreUsedAgain) {
  IdArena arena;
  std::vector<absl::string_view> copies;
  const auto copy_all = [&](char byte) {
    for (size_t size = 1; size <= 512; ++size) {
      copies.push_back(arena.Copy(std::string(size, byte)));
    }
  };
  copy_all('a');
  const size_t bytes = arena.bytes();
  for (int round = 0; round < 20; ++round) {
    for (const absl::string_view copy : copies) arena.Free(copy);
    copies.clear();
    copy_all(static_cast<char>('b' + round));
    for (size_t i = 0; i < copies.size(); ++i) {
      ASSERT_EQ(copies[i], std::string(i + 1, static_cast<char>('b' + round)));
    }
  }
  EXPECT_EQ(arena.bytes(), bytes);
}

}  // namespace
}  // namespace engram::space

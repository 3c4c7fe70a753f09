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

TEST(IdArenaTest, CountsWholeBlocksAndWastesLittle) {
  IdArena arena;
  EXPECT_EQ(arena.bytes(), 0u);
  arena.Copy("a");
  const size_t block = arena.bytes();
  EXPECT_GE(block, 512u);
  for (size_t i = 1; i < block; ++i) arena.Copy("a");
  EXPECT_EQ(arena.bytes(), block) << "filled to its last byte";
  arena.Copy("a");
  EXPECT_EQ(arena.bytes(), 2 * block);
}

TEST(IdArenaTest, AnIdLongerThanABlockGetsOneOfItsOwn) {
  IdArena arena;
  const std::string large(100'000, 'x');
  const absl::string_view copy = arena.Copy(large);
  const absl::string_view next = arena.Copy("next");
  EXPECT_EQ(copy, large);
  EXPECT_EQ(next, "next");
  EXPECT_GE(arena.bytes(), large.size());
}

}  // namespace
}  // namespace engram::space

#include "engine/index/one_way_links.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

std::vector<uint32_t> SortedIds(const OneWayLinks& links,
                                OneWayLinks::Handle list) {
  const absl::Span<const uint32_t> ids = links.ids(list);
  std::vector<uint32_t> sorted(ids.begin(), ids.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

TEST(OneWayLinksTest, AnEmptyListHoldsNothing) {
  OneWayLinks links;
  OneWayLinks::Handle list = OneWayLinks::kEmpty;
  EXPECT_EQ(links.count(list), 0u);
  EXPECT_TRUE(links.ids(list).empty());
  EXPECT_FALSE(links.Remove(&list, 7));
  links.Clear(&list);
  EXPECT_EQ(list, OneWayLinks::kEmpty);
  EXPECT_EQ(links.memory_bytes(), 0u);
}

TEST(OneWayLinksTest, AListWhoseLastIdIsRemovedIsEmpty) {
  OneWayLinks links;
  OneWayLinks::Handle list = OneWayLinks::kEmpty;
  links.Add(&list, 7);
  EXPECT_FALSE(links.Remove(&list, 8));
  EXPECT_TRUE(links.Remove(&list, 7));
  EXPECT_EQ(list, OneWayLinks::kEmpty);
}

TEST(OneWayLinksTest, ReplacePutsOneIdInThePlaceOfAnother) {
  OneWayLinks links;
  OneWayLinks::Handle list = OneWayLinks::kEmpty;
  for (const uint32_t id : {1, 2, 3}) links.Add(&list, id);
  links.Replace(list, 2, 9);
  EXPECT_EQ(SortedIds(links, list), (std::vector<uint32_t>{1, 3, 9}));
}

TEST(OneWayLinksTest, AListGrowsToItsLimitAndShrinksAgain) {
  OneWayLinks links;
  OneWayLinks::Handle list = OneWayLinks::kEmpty;
  std::vector<uint32_t> expected;
  for (uint32_t id = 0; id < OneWayLinks::kCountMax; ++id) {
    links.Add(&list, id);
    expected.push_back(id);
    ASSERT_EQ(links.count(list), expected.size());
  }
  EXPECT_EQ(SortedIds(links, list), expected);
  std::shuffle(expected.begin(), expected.end(), std::mt19937(1));
  while (!expected.empty()) {
    ASSERT_TRUE(links.Remove(&list, expected.back()));
    expected.pop_back();
    if (expected.size() % 500 != 3) continue;
    std::vector<uint32_t> sorted = expected;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(SortedIds(links, list), sorted);
  }
  EXPECT_EQ(list, OneWayLinks::kEmpty);
}

// Lists of all sizes that come and go: what one gives back another takes.
TEST(OneWayLinksTest, ManyListsDoNotTouchEachOther) {
  constexpr size_t kListCount = 300;
  OneWayLinks links;
  std::vector<OneWayLinks::Handle> lists(kListCount, OneWayLinks::kEmpty);
  std::vector<std::vector<uint32_t>> models(kListCount);
  std::mt19937 random(2);
  uint32_t next_id = 0;
  for (int step = 0; step < 40000; ++step) {
    const size_t i = random() % kListCount;
    std::vector<uint32_t>& model = models[i];
    const uint32_t choice = random() % 100;
    if (choice == 0) {
      links.Clear(&lists[i]);
      model.clear();
    } else if (choice < 55) {
      // A few lists at a time grow far.
      const int count = random() % 50 == 0 ? 300 : 3;
      for (int added = 0; added < count; ++added) {
        links.Add(&lists[i], next_id);
        model.push_back(next_id++);
      }
    } else if (choice < 60 && !model.empty()) {
      uint32_t& replaced = model[random() % model.size()];
      links.Replace(lists[i], replaced, next_id);
      replaced = next_id++;
    } else {
      for (int removed = 0; removed < 4 && !model.empty(); ++removed) {
        std::swap(model[random() % model.size()], model.back());
        ASSERT_TRUE(links.Remove(&lists[i], model.back()));
        model.pop_back();
      }
    }
    const size_t looked_at = random() % kListCount;
    std::vector<uint32_t> expected = models[looked_at];
    std::sort(expected.begin(), expected.end());
    ASSERT_EQ(SortedIds(links, lists[looked_at]), expected) << step;
  }
}

TEST(OneWayLinksTest, MemoryThatWasGivenBackIsUsedAgain) {
  OneWayLinks links;
  uint64_t after_first_round = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<OneWayLinks::Handle> lists(500, OneWayLinks::kEmpty);
    for (OneWayLinks::Handle& list : lists) {
      for (uint32_t id = 0; id < 100; ++id) links.Add(&list, id);
    }
    if (round == 0) after_first_round = links.memory_bytes();
    for (OneWayLinks::Handle& list : lists) links.Clear(&list);
  }
  EXPECT_EQ(links.memory_bytes(), after_first_round);
}

}  // namespace
}  // namespace engram::index

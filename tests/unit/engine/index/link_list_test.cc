#include "engine/index/link_list.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kCapacity = 8;

std::vector<uint32_t> IdsOf(const LinkList& links) {
  std::vector<uint32_t> ids;
  links.CopyTo(&ids);
  return ids;
}

std::vector<uint32_t> Visited(const LinkList& links) {
  std::vector<uint32_t> ids;
  links.VisitDown([&ids](uint32_t id) { ids.push_back(id); });
  return ids;
}

class LinkListTest : public testing::Test {
 protected:
  LinkListTest() : links_(ids_, kCapacity) { links_.Clear(); }

  uint32_t ids_[kCapacity];
  LinkList links_;
};

TEST_F(LinkListTest, FillKeepsTheOrder) {
  links_.Fill({5, 1, 9});
  EXPECT_EQ(IdsOf(links_), (std::vector<uint32_t>{5, 1, 9}));
  EXPECT_EQ(Visited(links_), (std::vector<uint32_t>{9, 1, 5}));
}

TEST_F(LinkListTest, WhatStaysKeepsItsPlace) {
  links_.Fill({5, 1, 9});
  links_.Exchange({1}, {7, 8});
  EXPECT_EQ(IdsOf(links_), (std::vector<uint32_t>{5, 7, 9, 8}));
}

TEST_F(LinkListTest, AShorterListHasNoHoles) {
  links_.Fill({1, 2, 3, 4, 5, 6, 7, 8});
  links_.Exchange({1, 3, 8}, {});
  EXPECT_EQ(IdsOf(links_), (std::vector<uint32_t>{6, 2, 7, 4, 5}));
  links_.Remove(5);
  EXPECT_EQ(IdsOf(links_), (std::vector<uint32_t>{6, 2, 7, 4}));
  links_.Exchange({2, 4, 6, 7}, {});
  EXPECT_EQ(links_.degree(), 0u);
}

std::vector<uint32_t> Intersection(const std::vector<uint32_t>& a,
                                   const std::vector<uint32_t>& b) {
  std::vector<uint32_t> ids;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(ids));
  return ids;
}

// A list that holds some of 0 to 19 at random, and what it should hold.
class Shuffled {
 public:
  explicit Shuffled(LinkList* links) : links_(*links), all_(20) {
    std::iota(all_.begin(), all_.end(), 0u);
  }

  // Leaves `spared` places free.
  void Exchange(uint32_t spared) {
    const std::vector<uint32_t> before = held_;
    std::shuffle(all_.begin(), all_.end(), random_);
    const uint32_t degree = random_() % (kCapacity - spared + 1);
    held_.assign(all_.begin(), all_.begin() + degree);
    std::sort(held_.begin(), held_.end());
    links_.Exchange(Difference(before, held_), Difference(held_, before));
  }

  const std::vector<uint32_t>& held() const { return held_; }

 private:
  static std::vector<uint32_t> Difference(const std::vector<uint32_t>& a,
                                          const std::vector<uint32_t>& b) {
    std::vector<uint32_t> ids;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(),
                        std::back_inserter(ids));
    return ids;
  }

  LinkList& links_;
  std::mt19937 random_{1};
  std::vector<uint32_t> all_;
  std::vector<uint32_t> held_;
};

TEST_F(LinkListTest, HoldsWhatCameAndHasNotGone) {
  Shuffled shuffled(&links_);
  for (int i = 0; i < 20'000; ++i) {
    shuffled.Exchange(0);
    std::vector<uint32_t> ids = IdsOf(links_);
    std::sort(ids.begin(), ids.end());
    ASSERT_EQ(ids, shuffled.held());
  }
}

// A walk that misses a link because it was moved misses all that hangs there.
TEST_F(LinkListTest, AVisitDuringChangesSeesEveryLinkThatStays) {
  Shuffled shuffled(&links_);
  std::mt19937 random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::vector<uint32_t> stays = shuffled.held();
    std::vector<uint32_t> seen;
    links_.VisitDown([&](uint32_t id) {
      seen.push_back(id);
      if (random() % 2 == 0) return;
      shuffled.Exchange(0);
      stays = Intersection(stays, shuffled.held());
    });
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(Intersection(stays, seen), stays);
    shuffled.Exchange(0);
  }
}

}  // namespace
}  // namespace engram::index

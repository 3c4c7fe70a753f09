#include "engine/index/beam.h"

#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

TEST(BeamTest, KeepsTheNearestInOrder) {
  Beam beam;
  beam.Reset(3);
  EXPECT_EQ(beam.bound(), kKeyMax);
  for (const float distance : {5.0f, 1.0f, 4.0f}) {
    beam.Insert(KeyOf(distance, static_cast<uint32_t>(distance)));
  }
  EXPECT_EQ(beam.bound(), KeyOf(5.0f, 5));
  beam.Insert(KeyOf(2.0f, 2));
  ASSERT_EQ(beam.size(), 3u);
  EXPECT_EQ(beam.key(0), KeyOf(1.0f, 1));
  EXPECT_EQ(beam.key(1), KeyOf(2.0f, 2));
  EXPECT_EQ(beam.key(2), KeyOf(4.0f, 4));
  EXPECT_EQ(beam.bound(), KeyOf(4.0f, 4));
}

TEST(BeamTest, NothingIsLeftOfWhatItHeldBefore) {
  Beam beam;
  beam.Reset(5);
  for (uint32_t slot = 0; slot < 5; ++slot) beam.Insert(KeyOf(1.0f, slot));
  beam.Reset(2);
  EXPECT_EQ(beam.size(), 0u);
  EXPECT_EQ(beam.TakeNext(), kNoSlot);
}

// Slots have 31 bits, and distances may be negative.
TEST(BeamTest, KeysComeBackAsTheyWere) {
  constexpr uint32_t kLastSlot = (uint32_t{1} << 31) - 1;
  Beam beam;
  beam.Reset(2);
  beam.Insert(KeyOf(-3.5f, kLastSlot));
  beam.Insert(KeyOf(3.5f, kLastSlot - 1));
  EXPECT_EQ(beam.TakeNext(), kLastSlot);
  EXPECT_EQ(beam.key(0), KeyOf(-3.5f, kLastSlot));
  EXPECT_EQ(beam.bound(), KeyOf(3.5f, kLastSlot - 1));
}

// Random inserts and takes, of few different distances, against a set.
TEST(BeamTest, DoesWhatASortedSetDoes) {
  std::mt19937 random(1);
  Beam beam;
  for (const size_t limit : {1, 2, 3, 10, 64, 500}) {
    beam.Reset(limit);
    std::set<NeighborKey> keys;
    std::set<NeighborKey> expanded;
    for (uint32_t slot = 0; slot < 3000; ++slot) {
      const NeighborKey key =
          KeyOf(static_cast<float>(random() % 200) - 100.0f, slot);
      if (key < beam.bound()) {
        beam.Insert(key);
        keys.insert(key);
        if (keys.size() > limit) keys.erase(std::prev(keys.end()));
      }
      ASSERT_EQ(beam.size(), keys.size());
      ASSERT_EQ(beam.bound(), keys.size() < limit ? kKeyMax : *keys.rbegin());
      if (random() % 4 == 0) {
        uint32_t expected = kNoSlot;
        for (const NeighborKey held : keys) {
          if (!expanded.insert(held).second) continue;
          expected = SlotOf(held);
          break;
        }
        ASSERT_EQ(beam.TakeNext(), expected);
      }
    }
    size_t i = 0;
    for (const NeighborKey key : keys) ASSERT_EQ(beam.key(i++), key);
  }
}

}  // namespace
}  // namespace engram::index

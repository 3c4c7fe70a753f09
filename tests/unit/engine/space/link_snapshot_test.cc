#include "engine/space/link_snapshot.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace engram::space {
namespace {

using schema::NodeLinks;

void ExpectSame(const NodeLinks& a, const NodeLinks& b) {
  EXPECT_EQ(a.slot, b.slot);
  EXPECT_EQ(a.removed, b.removed);
  EXPECT_EQ(a.twin_of, b.twin_of);
  EXPECT_EQ(a.layers, b.layers);
}

TEST(LinkSnapshotTest, GivesBackEveryKindOfRowAsItWasAdded) {
  const std::vector<NodeLinks> rows = {
      {0, false, {{1, 2, 3}, {2}}, schema::kNoTwin},  // a node on two layers
      {1, true, {{0}}, schema::kNoTwin},  // removed, still linked to
      {2, true, {}, schema::kNoTwin},     // removed, gone
      {3, false, {}, 0},                  // a twin
      {4, false, {{}}, schema::kNoTwin},  // the only node
  };
  LinkSnapshot links;
  for (const NodeLinks& row : rows) links.Add(row);
  EXPECT_EQ(links.row_count(), 5u);
  const std::vector<NodeLinks> taken = links.Take(5);
  ASSERT_EQ(taken.size(), 5u);
  for (size_t i = 0; i < 5; ++i) ExpectSame(taken[i], rows[i]);
  EXPECT_TRUE(links.Take(1).empty());
}

TEST(LinkSnapshotTest, RowsAreTakenInPortionsWithoutLossOrRepetition) {
  std::mt19937 random(7);
  std::vector<NodeLinks> rows(10'000);
  LinkSnapshot links;
  for (uint32_t row = 0; row < rows.size(); ++row) {
    rows[row].slot = row;
    rows[row].layers.resize(random() % 4);
    for (std::vector<uint32_t>& ids : rows[row].layers) {
      ids.resize(random() % 40);
      for (uint32_t& id : ids) id = static_cast<uint32_t>(random());
    }
    links.Add(rows[row]);
  }
  size_t next = 0;
  while (true) {
    const std::vector<NodeLinks> part = links.Take(999);
    if (part.empty()) break;
    for (const NodeLinks& row : part) ExpectSame(row, rows[next++]);
  }
  EXPECT_EQ(next, rows.size());
}

}  // namespace
}  // namespace engram::space

#include "engine/space/link_snapshot.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/space/slot_table.h"
#include "gtest/gtest.h"
#include "schema/link_node.h"
#include "schema/link_part_builder.h"
#include "schema/part_codec.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using schema::NodeLinks;
using RowsOfSlots = std::vector<uint32_t, MappedAllocator<uint32_t>>;

constexpr uint32_t kNodes = 300;
constexpr uint32_t kTwin = kNodes;  // of the node in slot 7

// By M: short lists and long ones.
class LinkSnapshotTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  LinkSnapshotTest()
      : graph_({.dimension = 8, .M = GetParam()}, {}, simd::BestKernels()),
        rows_(kNodes + 1) {
    index::Scratch scratch;
    graph_.GrowTo(kNodes + 1);
    for (uint32_t slot = 0; slot <= kNodes; ++slot) {
      graph_.Fill(slot, testing::TestVector(8, slot == kTwin ? 7 : slot),
                  scratch);
      graph_.Link(graph_.Plan(slot, scratch));
    }
    std::iota(rows_.begin(), rows_.end(), 0);
    std::mt19937 random(5);
    std::shuffle(rows_.begin(), rows_.end(), random);
  }

  // What Take() gives, in portions.
  std::vector<NodeLinks> TakeAll(size_t portion, LinkSnapshot* links) {
    std::vector<NodeLinks> all;
    uint32_t row = 0;
    schema::LinkNode node;
    bool more = links->Take(&row, &node);
    while (more) {
      schema::LinkPartBuilder part;
      while (more && part.count() < portion) {
        part.Add(row, node.bytes());
        more = links->Take(&row, &node);
      }
      schema::PartReference reference;
      const std::string value = part.Finish(1, 2, 3, &reference);
      const auto nodes =
          schema::DecodeLinkPart(1, 10 * kNodes, GetParam(), reference, value);
      EXPECT_TRUE(nodes.ok()) << nodes.status();
      if (!nodes.ok()) break;
      all.insert(all.end(), nodes->begin(), nodes->end());
    }
    return all;
  }

  // Links are saved in the order of rows.
  std::vector<uint32_t> ExpectedLinks(uint32_t slot, uint32_t layer) const {
    std::vector<uint32_t> links;
    graph_.CopyLinks(slot, layer, &links);
    for (uint32_t& link : links) link = rows_[link];
    std::sort(links.begin(), links.end());
    return links;
  }

  uint32_t SlotOf(uint32_t row) const {
    return static_cast<uint32_t>(std::find(rows_.begin(), rows_.end(), row) -
                                 rows_.begin());
  }

  index::Graph graph_;
  RowsOfSlots rows_;
};

TEST_P(LinkSnapshotTest, SlotsBecomeRowsInTheOrderOfRows) {
  ASSERT_EQ(graph_.head_of(kTwin), 7u);
  LinkSnapshot links;
  links.Reserve(10, GetParam());
  for (uint32_t slot = 0; slot < kNodes; ++slot) {
    links.AddNode(rows_[slot], slot % 5 == 0, graph_, slot);
  }
  links.AddTwin(rows_[kTwin], 7);
  EXPECT_EQ(links.count(), kNodes + 1);
  links.Sort(rows_);
  const std::vector<NodeLinks> all = TakeAll(37, &links);
  ASSERT_EQ(all.size(), kNodes + 1);
  uint32_t upper = 0;
  size_t longest = 0;
  for (uint32_t row = 0; row <= kNodes; ++row) {
    const NodeLinks& node = all[row];
    const uint32_t slot = SlotOf(row);
    EXPECT_EQ(node.slot, row);
    if (slot == kTwin) {
      EXPECT_EQ(node.twin_of, rows_[7]);
      EXPECT_TRUE(node.layers.empty());
      continue;
    }
    EXPECT_EQ(node.twin_of, schema::kNoTwin);
    EXPECT_EQ(node.removed, slot % 5 == 0);
    ASSERT_EQ(node.layers.size(), graph_.top_layer(slot) + size_t{1});
    for (uint32_t layer = 0; layer < node.layers.size(); ++layer) {
      EXPECT_EQ(node.layers[layer], ExpectedLinks(slot, layer));
      longest = std::max(longest, node.layers[layer].size());
      if (layer > 0) ++upper;
    }
  }
  EXPECT_GT(upper, 40 / GetParam()) << "there were upper layers";
  EXPECT_EQ(longest > 32, GetParam() > 16);
}

TEST_P(LinkSnapshotTest, RowsWithoutLayersSayWhetherTheyAreRemoved) {
  LinkSnapshot links;
  links.AddPlain(900, true);
  links.AddPlain(20, false);
  links.Sort({});
  const std::vector<NodeLinks> all = TakeAll(10, &links);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].slot, 20u);
  EXPECT_FALSE(all[0].removed);
  EXPECT_TRUE(all[0].layers.empty());
  EXPECT_EQ(all[1].slot, 900u);
  EXPECT_TRUE(all[1].removed);
  EXPECT_TRUE(TakeAll(10, &links).empty());
}

TEST_P(LinkSnapshotTest, WhatChangesLaterIsNotInIt) {
  LinkSnapshot links;
  links.AddNode(rows_[3], false, graph_, 3);
  const std::vector<uint32_t> before = ExpectedLinks(3, 0);
  index::Scratch scratch;
  std::vector<uint32_t> neighbors;
  graph_.CopyLinks(3, 0, &neighbors);
  graph_.Unlink(neighbors[0], scratch);
  ASSERT_NE(ExpectedLinks(3, 0), before);
  links.Sort(rows_);
  EXPECT_EQ(TakeAll(10, &links)[0].layers[0], before);
}

INSTANTIATE_TEST_SUITE_P(M, LinkSnapshotTest, ::testing::Values(4, 24),
                         ::testing::PrintToStringParamName());

}  // namespace
}  // namespace engram::space

// Whatever the edits, in-neighbors are known: checked by looking at all lists.

#include "engine/index/link_editor.h"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/parallel_ranges.h"

namespace engram::index {
namespace {

using ::testing::UnorderedElementsAreArray;

constexpr uint32_t kM = 4;

class LinkEditorTest : public testing::Test {
 protected:
  LinkEditorTest() : nodes_({.dimension = 1, .M = kM}), editor_(&nodes_) {}

  void MakeNodes(uint32_t count) {
    nodes_.GrowTo(count);
    for (uint32_t slot = 0; slot < count; ++slot) {
      nodes_.MakeNode(slot, slot % 2);
    }
  }

  std::vector<uint32_t> Links(uint32_t slot, uint32_t layer) const {
    std::vector<uint32_t> ids;
    nodes_.links(slot, layer).CopyTo(&ids);
    return ids;
  }

  std::vector<uint32_t> InNeighbors(uint32_t slot, uint32_t layer) const {
    std::vector<uint32_t> ids;
    editor_.CopyInNeighbors(slot, layer, &ids);
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::vector<uint32_t> CountedInNeighbors(uint32_t slot,
                                           uint32_t layer) const {
    std::vector<uint32_t> ids;
    for (uint32_t other = 0; other < nodes_.slot_count(); ++other) {
      if (nodes_.StandsOn(other, layer) &&
          nodes_.links(other, layer).Contains(slot)) {
        ids.push_back(other);
      }
    }
    return ids;
  }

  void ExpectInNeighborsAreKnown() const {
    for (uint32_t slot = 0; slot < nodes_.slot_count(); ++slot) {
      if (!nodes_.is_node(slot)) continue;
      for (uint32_t layer = 0; layer <= nodes_.top_layer(slot); ++layer) {
        const std::vector<uint32_t> counted = CountedInNeighbors(slot, layer);
        ASSERT_EQ(InNeighbors(slot, layer), counted)
            << "slot " << slot << " layer " << layer;
        if (layer == 0) {
          ASSERT_EQ(nodes_.in_degree(slot), counted.size()) << slot;
        }
      }
    }
  }

  // As many others as fit, or fewer, that stand on the layer.
  std::vector<uint32_t> RandomIds(uint32_t slot, uint32_t layer) {
    std::vector<uint32_t> ids;
    const size_t count = random_() % (nodes_.LinkCapacity(layer) + 1);
    while (ids.size() < count) {
      const uint32_t id = random_() % nodes_.slot_count();
      if (id != slot && nodes_.StandsOn(id, layer) &&
          std::find(ids.begin(), ids.end(), id) == ids.end()) {
        ids.push_back(id);
      }
    }
    return ids;
  }

  NodeStore nodes_;
  LinkEditor editor_;
  std::mt19937 random_{3};
};

TEST_F(LinkEditorTest, InNeighborsAreKnownAfterAnyEdits) {
  MakeNodes(40);
  for (int step = 0; step < 4000; ++step) {
    const uint32_t slot = random_() % 40;
    const uint32_t layer = random_() % (nodes_.top_layer(slot) + 1);
    const LinkList links = nodes_.links(slot, layer);
    const std::vector<uint32_t> ids = RandomIds(slot, layer);
    const bool has_new = !ids.empty() && !links.Contains(ids[0]);
    switch (random_() % 3) {
      case 0:
        editor_.Assign(slot, layer, ids);
        EXPECT_THAT(Links(slot, layer), UnorderedElementsAreArray(ids));
        break;
      case 1:
        if (!has_new || links.degree() == links.capacity()) break;
        editor_.Add(slot, layer, ids[0]);
        EXPECT_EQ(Links(slot, layer).back(), ids[0]);
        break;
      case 2:
        if (!has_new || links.degree() == 0) break;
        const uint32_t place = random_() % links.degree();
        editor_.Replace(slot, layer, place, ids[0]);
        EXPECT_EQ(links.id(place), ids[0]);
        break;
    }
    ExpectInNeighborsAreKnown();
    if (HasFatalFailure()) FAIL() << "step " << step;
  }
}

TEST_F(LinkEditorTest, AnHeirIsLinkedToInsteadAndLinksInstead) {
  MakeNodes(40);
  for (uint32_t slot = 0; slot < 40; ++slot) {
    for (uint32_t layer = 0; layer <= nodes_.top_layer(slot); ++layer) {
      editor_.Assign(slot, layer, RandomIds(slot, layer));
    }
  }
  nodes_.GrowTo(60);
  for (uint32_t heir = 40; heir < 60; ++heir) {
    const uint32_t slot = heir - 40;
    const uint32_t top = nodes_.top_layer(slot);
    std::vector<std::vector<uint32_t>> links;
    std::vector<std::vector<uint32_t>> in_neighbors;
    for (uint32_t layer = 0; layer <= top; ++layer) {
      links.push_back(Links(slot, layer));
      in_neighbors.push_back(InNeighbors(slot, layer));
    }
    nodes_.MakeTwin(heir, slot);
    nodes_.InheritNode(slot, heir);
    for (uint32_t layer = 0; layer <= top; ++layer) {
      editor_.Succeed(slot, heir, layer, in_neighbors[layer]);
    }
    nodes_.MarkUnlinked(slot);
    for (uint32_t layer = 0; layer <= top; ++layer) {
      EXPECT_EQ(Links(heir, layer), links[layer]);
      EXPECT_EQ(InNeighbors(heir, layer), in_neighbors[layer]);
      EXPECT_TRUE(CountedInNeighbors(slot, layer).empty());
    }
    ExpectInNeighborsAreKnown();
  }
}

TEST_F(LinkEditorTest, TheInNeighborsOfRestoredListsAreFoundOnThreads) {
  MakeNodes(40);
  for (uint32_t slot = 0; slot < 40; ++slot) {
    for (uint32_t layer = 0; layer <= nodes_.top_layer(slot); ++layer) {
      nodes_.links(slot, layer).Fill(RandomIds(slot, layer));
    }
  }
  std::vector<OneWayLinkList> found(3);
  ForParallelRanges(
      found.size(), 40, [&](size_t range, uint32_t begin, uint32_t end) {
        for (uint32_t slot = begin; slot < end; ++slot) {
          for (uint32_t layer = 0; layer <= nodes_.top_layer(slot); ++layer) {
            editor_.FindOneWay(slot, layer, &found[range]);
          }
        }
      });
  for (const OneWayLinkList& links : found) {
    for (const OneWayLink& link : links) editor_.RestoreOneWay(link);
  }
  ExpectInNeighborsAreKnown();
}

TEST_F(LinkEditorTest, ForgetEndsWhatOthersKnowOfTheLinks) {
  MakeNodes(10);
  editor_.Assign(1, 0, {2, 3, 4});
  editor_.Forget(1, 0);
  nodes_.MarkUnlinked(1);
  EXPECT_TRUE(InNeighbors(2, 0).empty());
  EXPECT_EQ(nodes_.in_degree(2), 0u);
  // For those who stand there.
  EXPECT_EQ(Links(1, 0), (std::vector<uint32_t>{2, 3, 4}));
}

class LinkEditorHubTest : public LinkEditorTest {
 protected:
  static constexpr uint32_t kHub = 0;
  static constexpr auto kLimit = static_cast<uint32_t>(kOneWayLinksMax);
};

TEST_F(LinkEditorHubTest, ANodeIsAHubOnceItHasTheMostOneWayInLinks) {
  MakeNodes(kLimit + 10);
  for (uint32_t slot = 1; slot <= kLimit; ++slot) {
    EXPECT_FALSE(editor_.IsHub(kHub, 0));
    editor_.Add(slot, 0, kHub);
  }
  EXPECT_TRUE(editor_.IsHub(kHub, 0));
  // One of them is linked back, and is one-way no more.
  editor_.Add(kHub, 0, 7);
  EXPECT_FALSE(editor_.IsHub(kHub, 0));
}

// The link would be one-way in-link number kLimit + 1.
TEST_F(LinkEditorHubTest, WhomAHubDropsDropsTheHub) {
  MakeNodes(kLimit + 10);
  const uint32_t friend_of_hub = kLimit + 1;
  editor_.Add(kHub, 0, friend_of_hub);
  editor_.Add(friend_of_hub, 0, kHub);
  editor_.Add(friend_of_hub, 0, 5);
  for (uint32_t slot = 1; slot <= kLimit; ++slot) editor_.Add(slot, 0, kHub);
  editor_.Assign(kHub, 0, {9});
  // 9 links back now, so there is room for one again.
  EXPECT_EQ(Links(friend_of_hub, 0), (std::vector<uint32_t>{kHub, 5}));
  ExpectInNeighborsAreKnown();
  editor_.Assign(kHub, 0, {9, friend_of_hub});
  editor_.Add(kLimit + 2, 0, kHub);
  ASSERT_TRUE(editor_.IsHub(kHub, 0));
  editor_.Assign(kHub, 0, {9});
  EXPECT_EQ(Links(friend_of_hub, 0), (std::vector<uint32_t>{5}));
  ExpectInNeighborsAreKnown();
}

TEST_F(LinkEditorHubTest, WhomTheHubHangsOnInTheTreeKeepsItsLink) {
  MakeNodes(kLimit + 10);
  const uint32_t parent = kLimit + 1;
  editor_.Add(kHub, 0, parent);
  editor_.Add(parent, 0, kHub);
  nodes_.set_parent(kHub, parent);
  for (uint32_t slot = 1; slot <= kLimit; ++slot) editor_.Add(slot, 0, kHub);
  ASSERT_TRUE(editor_.IsHub(kHub, 0));
  editor_.Assign(kHub, 0, {});
  EXPECT_EQ(Links(parent, 0), (std::vector<uint32_t>{kHub}));
  ExpectInNeighborsAreKnown();
}

TEST_F(LinkEditorHubTest, RestoringLeavesOutLinksBeyondTheLimit) {
  MakeNodes(2 * kLimit);
  for (uint32_t slot = 1; slot < 2 * kLimit; ++slot) {
    nodes_.links(slot, 0).Fill({kHub, slot == 1 ? 2 : slot - 1});
  }
  OneWayLinkList found;
  for (uint32_t slot = 0; slot < 2 * kLimit; ++slot) {
    editor_.FindOneWay(slot, 0, &found);
  }
  for (const OneWayLink& link : found) editor_.RestoreOneWay(link);
  EXPECT_EQ(InNeighbors(kHub, 0).size(), kLimit);
  ExpectInNeighborsAreKnown();
}

}  // namespace
}  // namespace engram::index

// Whatever stands in a space's family, loading it says DATA_LOSS and where, or
// loads what was saved; it never crashes.

#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "schema/envelope.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/damage.h"

namespace engram::space {
namespace {

using ::testing::HasSubstr;

using Contents = std::map<std::string, std::string>;

// The number says from how many versions on the space has a graph.
class LoadDamageTest : public SpaceHarness,
                       public ::testing::WithParamInterface<uint32_t> {
 protected:
  // Checkpoints with removed and replaced nodes; the last one saves little.
  void SetUp() override {
    OpenStore();
    Make(GetParam());
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 30; ++i) {
        Observe(absl::StrCat("id", round, "-", i), 100 * round + i, "payload");
      }
      Remove(absl::StrCat("id", round, "-3"));
      ServeAll();
      Observe("id0-5", 900 + round);
      ServeAll();
      Checkpoint();
    }
    Observe("id2-7", 990);
    ServeAll();
    Checkpoint();
    head_ = ReadHead();
    const absl::Status status = store_->Scan(
        kFamily, "", [&](absl::string_view key, absl::string_view value) {
          intact_[std::string(key)] = std::string(value);
          return absl::OkStatus();
        });
    ASSERT_TRUE(status.ok()) << status;
    ASSERT_TRUE(Reload(GetParam()).ok());
  }

  // Replaces one value, or removes it.
  void Put(const std::string& key, const std::optional<std::string>& value) {
    auto ingest = *store_->NewIngest(kFamily);
    ASSERT_TRUE(
        (value.has_value() ? ingest->Put(key, *value) : ingest->Delete(key))
            .ok());
    ASSERT_TRUE(ingest->Commit().ok());
  }

  absl::Status LoadWith(const schema::Head& head) {
    SpaceLimits limits;
    limits.flat_records_max = GetParam();
    SpaceState state(TestSpace(), 5, limits, &epochs_);
    state.set_family(kFamily);
    return state.Load(*store_, head);
  }

  // How an error names the key.
  static std::string NameOf(const std::string& key) {
    return absl::StrCat("column family ", kFamily, ", key ", key.substr(0, 2));
  }

  // Keys of the parts that Load() reads.
  std::vector<std::string> PartKeys() const {
    std::vector<std::string> keys;
    for (const auto& [key, value] : intact_) {
      if (key[0] == 'v' || key[0] == 'l') keys.push_back(key);
    }
    return keys;
  }

  // The links of all rows, with the deltas put into the base.
  std::vector<schema::NodeLinks> AllNodes() {
    std::vector<schema::NodeLinks> all(head_.slot_count);
    for (const auto* parts : {&head_.link_parts, &head_.link_deltas}) {
      for (const schema::PartReference& reference : *parts) {
        const std::string key =
            schema::LinkPartKey(reference.generation, reference.index);
        const auto nodes =
            schema::DecodeLinkPart(TestSpace().id, head_.slot_count,
                                   TestSpace().M, reference, intact_[key]);
        EXPECT_TRUE(nodes.ok()) << nodes.status();
        for (const schema::NodeLinks& node : *nodes) all[node.slot] = node;
      }
    }
    return all;
  }

  // Loads the space with these as its base, and no deltas.
  absl::Status LoadNodes(std::vector<schema::NodeLinks> nodes) {
    schema::Head head = head_;
    head.link_deltas.clear();
    schema::PartReference& reference = head.link_parts[0];
    const std::string key =
        schema::LinkPartKey(reference.generation, reference.index);
    const std::string value = schema::EncodeLinkPart(
        TestSpace().id, reference.generation, absl::MakeSpan(nodes));
    reference.count = head.slot_count;
    reference.crc = schema::EnvelopeCrc(value);
    Put(key, value);
    const absl::Status status = LoadWith(head);
    Put(key, intact_[key]);
    return status;
  }

  void ExpectLoss(const std::string& key,
                  const std::optional<std::string>& value) {
    Put(key, value);
    const absl::Status status = LoadWith(head_);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(NameOf(key)));
    Put(key, intact_[key]);
  }

  schema::Head head_;
  Contents intact_;
};

TEST_P(LoadDamageTest, TheIntactSpaceLoads) {
  EXPECT_EQ(head_.vector_parts.size(), 4u);
  EXPECT_EQ(head_.link_parts.size(), 1u);
  EXPECT_GE(head_.link_deltas.size(), 1u);
  EXPECT_EQ(PartKeys().size(), 5 + head_.link_deltas.size());
  EXPECT_TRUE(LoadWith(head_).ok()) << LoadWith(head_);
  ExpectMatchesModel();
}

TEST_P(LoadDamageTest, AMissingPartIsDataLoss) {
  for (const std::string& key : PartKeys()) ExpectLoss(key, std::nullopt);
}

TEST_P(LoadDamageTest, ATruncatedPartIsDataLoss) {
  for (const std::string& key : PartKeys()) {
    const std::string& value = intact_[key];
    for (const size_t size : {size_t{0}, size_t{1}, size_t{23}, size_t{24},
                              value.size() / 2, value.size() - 1}) {
      ExpectLoss(key, value.substr(0, size));
    }
    ExpectLoss(key, value + '\0');
  }
}

TEST_P(LoadDamageTest, AFlippedBitIsDataLoss) {
  for (const std::string& key : PartKeys()) {
    const std::string& value = intact_[key];
    const size_t bits = value.size() * 8;
    for (size_t bit = 0; bit < bits; bit += bits / 40 + 1) {
      ExpectLoss(key, testing::FlipBit(value, bit));
    }
  }
}

TEST_P(LoadDamageTest, AnotherValuesBytesAreDataLoss) {
  for (const std::string& key : PartKeys()) {
    for (const auto& [other_key, other] : intact_) {
      if (other_key == key || other_key[0] == 'r') continue;
      ExpectLoss(key, other);
    }
    ExpectLoss(key, intact_.at("r/id0-1"));
  }
}

TEST_P(LoadDamageTest, ADamagedRecordIsDataLossForItsIdAloneAndNamed) {
  const std::string key = "r/id1-1";
  const std::string value = intact_.at(key);
  const std::vector<std::optional<std::string>> damaged = {
      std::nullopt,
      value.substr(0, 30),
      testing::FlipBit(value, 8 * 30),
      intact_.at("r/id1-2"),
      "x",
      ""};
  for (const auto& bytes : damaged) {
    Put(key, bytes);
    ASSERT_TRUE(Reload(GetParam()).ok()) << "records are read when asked for";
    const absl::Status status = space_->Get("id1-1", store_.get()).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("space \"notes\""));
    EXPECT_THAT(std::string(status.message()), HasSubstr("id \"id1-1\""));
    EXPECT_THAT(std::string(status.message()), HasSubstr(kFamily));
    EXPECT_TRUE(space_->Get("id1-2", store_.get()).ok());
  }
}

// Heads with a right checksum that lie. A decoder may refuse them already.
TEST_P(LoadDamageTest, AHeadThatLiesIsDataLoss) {
  std::vector<schema::Head> lies;
  const auto lie = [&]() -> schema::Head& { return lies.emplace_back(head_); };
  lie().live_count += 1;
  lie().live_count -= 1;
  lie().live_count = 0;
  lie().live_count = UINT32_MAX;
  lie().slot_count += 1;
  lie().slot_count -= 1;
  lie().slot_count = UINT32_MAX;
  lie().slot_count = 0;
  lie().checkpoint_lsn = 1;
  lie().checkpoint_lsn = 0;
  lie().generation -= 1;
  lie().space.dimension += 1;
  lie().space.M = 2;
  lie().space.name = "another";
  lie().space.seed += 1;
  lie().vector_parts.clear();
  lie().vector_parts.pop_back();
  lie().vector_parts[1].generation = 9;
  lie().vector_parts[1].count -= 1;
  lie().vector_parts[1].count = UINT32_MAX;
  lie().vector_parts[1].first_slot += 1;
  lie().vector_parts[1].crc += 1;
  lie().vector_parts[1].index += 1;
  std::swap(lie().vector_parts[0], lies.back().vector_parts[1]);
  lie().vector_parts[1] = head_.vector_parts[0];
  lie().link_parts.clear();
  lie().link_parts[0].count += 1;
  lie().link_parts[0].crc += 1;
  lie().link_parts[0].index += 1;
  lie().link_parts.push_back(head_.link_parts[0]);
  if (head_.has_graph) {
    lie().entry_slot = head_.slot_count;
    lie().entry_slot = UINT32_MAX;
    lie().entry_layer += 1;
    lie().entry_layer = UINT32_MAX;
  } else {
    lie().has_graph = true;
  }
  for (size_t i = 0; i < lies.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("lie ", i));
    const auto head =
        schema::DecodeHead(TestSpace().id, schema::EncodeHead(lies[i]));
    if (!head.ok()) {
      EXPECT_TRUE(absl::IsDataLoss(head.status())) << head.status();
      continue;
    }
    const absl::Status status = LoadWith(*head);
    // A generation is only compared with those of the parts' values.
    if (lies[i].generation != head_.generation && status.ok()) continue;
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("column family ", kFamily)));
  }
}

// Parts whose checksums are right, and repeated by the head, but whose
// contents are not those of any space.
TEST_P(LoadDamageTest, PartsThatContradictEachOtherAreDataLoss) {
  const auto expect_loss = [&](const std::vector<schema::NodeLinks>& nodes) {
    const absl::Status status = LoadNodes(nodes);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  };
  const std::vector<schema::NodeLinks> decoded = AllNodes();
  std::vector<schema::NodeLinks> nodes = decoded;
  for (schema::NodeLinks& node : nodes) node.removed = false;
  expect_loss(nodes);  // two live nodes with one id
  nodes = decoded;
  for (schema::NodeLinks& node : nodes) node.removed = true;
  expect_loss(nodes);  // fewer are live than the head says
  nodes = decoded;
  for (schema::NodeLinks& node : nodes) node.layers.clear();
  if (head_.has_graph) expect_loss(nodes);
  nodes = decoded;
  nodes[3].layers.assign(1, {3});
  expect_loss(nodes);  // a link to itself
  nodes[3].layers.assign(1, {head_.slot_count});
  expect_loss(nodes);  // a link to nowhere
  nodes = decoded;
  if (!head_.has_graph) {
    nodes[6].twin_of = 7;
    expect_loss(nodes);  // a twin without a graph
    nodes[6] = {6, false, {{7}}, schema::kNoTwin};
    expect_loss(nodes);  // links without a graph
  }
}

// Rows that the graph does not see: those that get no slot, and twins.
TEST_P(LoadDamageTest, LinksToRowsThatAreNoNodesAreDataLoss) {
  if (!head_.has_graph) GTEST_SKIP();
  const std::vector<schema::NodeLinks> decoded = AllNodes();
  ASSERT_TRUE(LoadNodes(decoded).ok());
  // A row that nothing links to may be a twin of a node as well.
  uint32_t removed = 0;
  while (!decoded[removed].removed) ++removed;
  uint32_t node = removed + 1;
  while (decoded[node].removed || node == head_.entry_slot) ++node;
  uint32_t other = node + 1;
  while (decoded[other].removed || other == head_.entry_slot) ++other;
  const schema::NodeLinks twin = {node, false, {}, head_.entry_slot};

  std::vector<schema::NodeLinks> nodes = decoded;
  nodes[node].layers[0] = {removed};
  EXPECT_TRUE(absl::IsDataLoss(LoadNodes(nodes))) << "links to a removed row";
  nodes = decoded;
  nodes[node] = twin;
  nodes[node].twin_of = removed;
  EXPECT_TRUE(absl::IsDataLoss(LoadNodes(nodes))) << "a twin of a removed row";
  nodes = decoded;
  nodes[node] = twin;
  nodes[other] = {other, false, {}, node};
  EXPECT_TRUE(absl::IsDataLoss(LoadNodes(nodes))) << "a twin of a twin";
  nodes = decoded;
  nodes[node] = twin;
  nodes[other].layers[0] = {node};
  EXPECT_TRUE(absl::IsDataLoss(LoadNodes(nodes))) << "a link to a twin";
  nodes = decoded;
  nodes[head_.entry_slot] = {head_.entry_slot, false, {}, node};
  EXPECT_TRUE(absl::IsDataLoss(LoadNodes(nodes)))
      << "the entry point is a twin";
}

INSTANTIATE_TEST_SUITE_P(, LoadDamageTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

}  // namespace
}  // namespace engram::space

// What verify says of the graph of one space's checkpoint, as files hold it:
// rows that are removed, twins, a centre, and what contradicts itself.

#include "tools/ctl/verify_space.h"

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/envelope.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "storage/kv/store.h"
#include "tests/support/temporary_directory.h"

namespace engram::ctl {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kFamily[] = "p000001";
constexpr uint64_t kGeneration = 2;

// A checkpoint before it is written. Rows 0, 2 and 5 are nodes, 1 and 4 are
// removed, 3 is a twin of 0; row r has the id "id<r>" and the LSN 10 + r.
struct Checkpoint {
  schema::Head head;
  std::vector<schema::NodeLinks> nodes;
  std::vector<uint32_t> recorded = {0, 2, 3, 5};  // rows with a saved record
  std::vector<schema::DeadLetterView> letters;    // by LSN
  std::vector<float> vector = {1, 2};             // of each row
};

Checkpoint Sample() {
  Checkpoint sample;
  sample.head.generation = kGeneration;
  sample.head.checkpoint_lsn = 20;
  sample.head.space = {4, "notes", 2, schema::Metric::kL2, 4, 100, 42};
  sample.head.slot_count = 6;
  sample.head.live_count = 4;
  sample.head.has_graph = true;
  sample.head.entry_slot = 2;
  sample.head.entry_layer = 1;
  sample.head.centre = {0.5f, 0.5f};
  sample.nodes = {{0, false, {{2, 5}}}, {1, true, {}}, {2, false, {{0}, {}}},
                  {3, false, {}, 0},    {4, true, {}}, {5, false, {{0}}}};
  return sample;
}

// As version 1 wrote it: removed rows are nodes.
Checkpoint FirstVersionSample() {
  Checkpoint sample = Sample();
  sample.head.centre.clear();
  sample.head.entry_slot = 1;
  sample.head.entry_layer = 0;
  sample.nodes = {{0, false, {{1}}}, {1, true, {{0, 2}}}, {2, false, {{3}}},
                  {3, false, {{4}}}, {4, true, {{3, 5}}}, {5, false, {{4}}}};
  return sample;
}

void Put(kv::Ingest& ingest, const std::string& key, const std::string& value) {
  const absl::Status status = ingest.Put(key, value);
  ASSERT_TRUE(status.ok()) << status;
}

void Write(kv::Store& store, Checkpoint checkpoint) {
  ASSERT_TRUE(store.CreateFamily(kFamily).ok());
  auto ingest = store.NewIngest(kFamily);
  ASSERT_TRUE(ingest.ok()) << ingest.status();
  schema::Head& head = checkpoint.head;
  const uint64_t id = head.space.id;
  const uint32_t count = static_cast<uint32_t>(checkpoint.nodes.size());

  head.dead_letters = static_cast<uint32_t>(checkpoint.letters.size());
  for (const schema::DeadLetterView& letter : checkpoint.letters) {
    Put(**ingest, schema::DeadLetterKey(letter.lsn),
        schema::EncodeDeadLetter(id, letter));
  }

  const std::string links =
      schema::EncodeLinkPart(id, kGeneration, absl::MakeSpan(checkpoint.nodes));
  head.link_parts = {{kGeneration, 0, 0, count, schema::EnvelopeCrc(links)}};
  Put(**ingest, schema::LinkPartKey(kGeneration, 0), links);

  std::vector<std::string> ids;
  for (uint32_t row = 0; row < count; ++row) {
    ids.push_back("id" + std::to_string(row));
  }
  std::vector<schema::VectorRow> rows;
  for (uint32_t row = 0; row < count; ++row) {
    rows.push_back({10 + row, ids[row], checkpoint.vector});
  }
  const std::string vectors =
      schema::EncodeVectorPart(id, kGeneration, 0, rows);
  head.vector_parts = {
      {kGeneration, 0, 0, count, schema::EnvelopeCrc(vectors)}};
  Put(**ingest, schema::kHeadKey.data(), schema::EncodeHead(head));
  for (const uint32_t row : checkpoint.recorded) {
    Put(**ingest, schema::RecordKey(ids[row]),
        schema::EncodeRecordValue(id, 10 + row, row, 7, "payload"));
  }
  Put(**ingest, schema::VectorPartKey(0, kGeneration), vectors);
  ASSERT_TRUE((*ingest)->Commit().ok());
}

VerifyReport ReportOf(const Checkpoint& checkpoint) {
  VerifyReport report;
  testing::TemporaryDirectory directory;
  auto store = kv::Store::Open(directory.PathOf("kv"), {});
  EXPECT_TRUE(store.ok()) << store.status();
  Write(**store, checkpoint);
  const auto value = (*store)->Get(kFamily, schema::kHeadKey);
  EXPECT_TRUE(value.ok()) << value.status();
  const auto head = schema::DecodeHead(checkpoint.head.space.id, *value);
  EXPECT_TRUE(head.ok()) << head.status();
  if (!head.ok()) return report;
  VerifySpace(**store, kFamily, *head, KnownSpace(), true, &report);
  return report;
}

std::vector<std::string> FindingsWith(
    const std::function<void(Checkpoint*)>& change) {
  Checkpoint checkpoint = Sample();
  change(&checkpoint);
  std::vector<std::string> found;
  for (const VerifyFinding& finding : ReportOf(checkpoint).findings) {
    found.push_back(finding.place + ": " + finding.message);
  }
  return found;
}

TEST(VerifySpaceTest, RemovedRowsAndTwinsAreAsTheyShouldBe) {
  const VerifyReport report = ReportOf(Sample());
  for (const VerifyFinding& finding : report.findings) {
    ADD_FAILURE() << finding.place << ": " << finding.message;
  }
  EXPECT_EQ(report.nodes, 6u);
  EXPECT_EQ(report.live_nodes, 4u);
  EXPECT_EQ(report.twins, 1u);
  EXPECT_EQ(report.unreachable_nodes, 0u);
}

TEST(VerifySpaceTest, RemovedNodesOfTheFirstVersionLeadToLiveOnes) {
  const VerifyReport report = ReportOf(FirstVersionSample());
  for (const VerifyFinding& finding : report.findings) {
    ADD_FAILURE() << finding.place << ": " << finding.message;
  }
  EXPECT_EQ(report.live_nodes, 4u);
  EXPECT_EQ(report.twins, 0u);
}

TEST(VerifySpaceTest, ATwinHangsOnALiveNode) {
  const auto twin_of = [](uint32_t row) {
    return [row](Checkpoint* c) { c->nodes[3].twin_of = row; };
  };
  EXPECT_THAT(FindingsWith(twin_of(5)), IsEmpty());
  EXPECT_THAT(
      FindingsWith(twin_of(4)),
      ElementsAre(HasSubstr("node 3: is a twin of node 4, which is removed")));
  EXPECT_THAT(FindingsWith([](Checkpoint* c) {
                c->nodes[5] = {5, false, {}, 3};
                c->nodes[0].layers = {{2}};
              }),
              ElementsAre(HasSubstr(
                  "node 5: is a twin of node 3, which is a twin itself")));
}

TEST(VerifySpaceTest, OnlyRemovedRowsAndTwinsHaveNoLayers) {
  EXPECT_THAT(FindingsWith([](Checkpoint* c) {
                c->nodes[5].layers.clear();
                c->nodes[0].layers = {{2}};
              }),
              ElementsAre(HasSubstr("node 5: is not part of the graph")));
}

TEST(VerifySpaceTest, NoLinkLeadsToARemovedRowOrATwin) {
  for (const uint32_t row : {1u, 3u}) {
    EXPECT_THAT(
        FindingsWith([row](Checkpoint* c) { c->nodes[5].layers = {{row}}; }),
        ElementsAre(HasSubstr("does not stand on layer 0")));
  }
}

TEST(VerifySpaceTest, NodesAreReachedAndTwinsThroughTheirHeads) {
  Checkpoint checkpoint = Sample();
  checkpoint.nodes[0].layers = {{2}};
  checkpoint.nodes[3].twin_of = 5;
  const VerifyReport report = ReportOf(checkpoint);
  EXPECT_EQ(report.unreachable_nodes, 1u);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].message, HasSubstr("1 of the space's 4"));
}

TEST(VerifySpaceTest, TheEntryPointIsANode) {
  for (const uint32_t row : {1u, 3u}) {
    EXPECT_THAT(FindingsWith([row](Checkpoint* c) {
                  c->head.entry_slot = row;
                  c->head.entry_layer = 0;
                }),
                ElementsAre(HasSubstr("but stands on 0 layers")));
  }
}

TEST(VerifySpaceTest, WithoutAGraphNothingHasLinks) {
  const auto flat = [](Checkpoint* c) {
    c->head.has_graph = false;
    c->head.centre.clear();
    for (schema::NodeLinks& node : c->nodes) {
      node.layers.clear();
      node.twin_of = schema::kNoTwin;
    }
  };
  EXPECT_THAT(FindingsWith(flat), IsEmpty());
  EXPECT_THAT(FindingsWith([&](Checkpoint* c) {
                flat(c);
                c->nodes[3].twin_of = 0;
              }),
              ElementsAre(HasSubstr("node 3: has links")));
  EXPECT_THAT(FindingsWith([&](Checkpoint* c) {
                flat(c);
                c->nodes[2].layers = {{0}};
              }),
              ElementsAre(HasSubstr("node 2: has links")));
}

TEST(VerifySpaceTest, RecordsNameTheRowOfTheirVersion) {
  EXPECT_THAT(FindingsWith([](Checkpoint* c) {
                c->recorded = {0, 2, 5};
              }),
              ElementsAre(HasSubstr("its record r/id3 is missing")));
  EXPECT_THAT(
      FindingsWith([](Checkpoint* c) {
        c->recorded = {0, 2, 3, 4, 5};
      }),
      ElementsAre(HasSubstr("has LSN 14 and node 4; no live node has this")));
}

const std::vector<float> kVector = {1, 2};
const std::vector<float> kInfinite = {1, INFINITY};

schema::DeadLetterView Letter(Lsn lsn, absl::string_view id,
                              const std::vector<float>& vector = kVector) {
  return {lsn,      0, id, vector, "", absl::StatusCode::kResourceExhausted,
          "no room"};
}

TEST(VerifySpaceTest, DeadLettersAreAsOpenWantsThem) {
  const auto with = [](const std::vector<schema::DeadLetterView>& letters) {
    return [letters](Checkpoint* c) { c->letters = letters; };
  };
  // Row 4 has this id, too, and is removed.
  EXPECT_THAT(FindingsWith(with({Letter(15, "a"), Letter(16, "id4")})),
              IsEmpty());
  EXPECT_THAT(FindingsWith(with({Letter(21, "a")})),
              ElementsAre(HasSubstr("d/21: the head's LSN is 20")));
  EXPECT_THAT(FindingsWith(with({Letter(15, "a", kInfinite)})),
              ElementsAre(HasSubstr(
                  "d/15: space \"notes\": component 1 of the vector is inf")));
  EXPECT_THAT(
      FindingsWith(with({Letter(15, "a"), Letter(16, "a")})),
      ElementsAre(HasSubstr("d/16: its id is that of dead letter 15 as well")));
  EXPECT_THAT(FindingsWith(with({Letter(16, "id2")})),
              ElementsAre(HasSubstr(
                  "node 2: its id is that of dead letter 16 as well")));
}

TEST(VerifySpaceTest, VectorsAreSuchAsASpaceTakes) {
  const auto findings = FindingsWith([](Checkpoint* c) {
    c->vector = {2e15f, 0};
  });
  EXPECT_EQ(findings.size(), 6u);
  EXPECT_THAT(findings, Each(HasSubstr("squared norm of the vector is 4e+30")));
}

}  // namespace
}  // namespace engram::ctl

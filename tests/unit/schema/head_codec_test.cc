#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

constexpr uint64_t kSpace = 4;

Head Sample() {
  Head head;
  head.generation = 6;
  head.checkpoint_lsn = 1000;
  head.space = {kSpace, "notes", 128, Metric::kInnerProduct, 16, 100, 42};
  head.slot_count = 300;
  head.live_count = 290;
  head.has_graph = true;
  head.entry_slot = 299;
  head.entry_layer = 2;
  head.vector_parts = {{2, 0, 0, 256, 11}, {6, 1, 256, 44, 12}};
  head.link_parts = {{6, 0, 0, 300, 13}};
  head.centre.assign(128, 0.25f);
  head.centre[127] = -1e14f;
  return head;
}

absl::Status DecodeWith(const std::function<void(Head*)>& change) {
  Head head = Sample();
  change(&head);
  return DecodeHead(kSpace, EncodeHead(head)).status();
}

TEST(HeadCodecTest, RoundTrips) {
  const auto head = DecodeHead(kSpace, EncodeHead(Sample()));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->generation, 6u);
  EXPECT_EQ(head->checkpoint_lsn, 1000u);
  EXPECT_EQ(head->space, Sample().space);
  EXPECT_EQ(head->slot_count, 300u);
  EXPECT_EQ(head->live_count, 290u);
  EXPECT_TRUE(head->has_graph);
  EXPECT_EQ(head->entry_slot, 299u);
  EXPECT_EQ(head->entry_layer, 2u);
  ASSERT_EQ(head->vector_parts.size(), 2u);
  EXPECT_EQ(head->vector_parts[1].generation, 6u);
  EXPECT_EQ(head->vector_parts[1].index, 1u);
  EXPECT_EQ(head->vector_parts[1].first_slot, 256u);
  EXPECT_EQ(head->vector_parts[1].count, 44u);
  EXPECT_EQ(head->vector_parts[1].crc, 12u);
  ASSERT_EQ(head->link_parts.size(), 1u);
  EXPECT_EQ(head->centre, Sample().centre);
}

TEST(HeadCodecTest, RoundTripsAnEmptySpace) {
  EXPECT_TRUE(DecodeWith([](Head* head) {
                head->slot_count = head->live_count = 0;
                head->has_graph = false;
                head->centre.clear();
                head->vector_parts.clear();
                head->link_parts.clear();
              }).ok());
}

TEST(HeadCodecTest, RoundTripsAGraphWithoutACentre) {
  Head head = Sample();
  head.centre.clear();
  const auto read = DecodeHead(kSpace, EncodeHead(head));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->has_graph);
  EXPECT_TRUE(read->centre.empty());
}

TEST(HeadCodecTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(EncodeHead(Sample()),
                                    [](const std::string& value) {
                                      return DecodeHead(kSpace, value).status();
                                    });
}

TEST(HeadCodecTest, RefusesAnotherSpace) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeHead(5, EncodeHead(Sample())).status()));
}

TEST(HeadCodecTest, RefusesLyingCountsUnderARightChecksum) {
  using Change = std::function<void(Head*)>;
  for (const Change& change : std::initializer_list<Change>{
           [](Head* h) { h->live_count = 301; },
           [](Head* h) { h->slot_count = 301; },
           [](Head* h) { h->slot_count = 299; },
           [](Head* h) { h->entry_slot = 300; },
           [](Head* h) { h->entry_layer = kLayerMax + 1; },
           [](Head* h) { h->vector_parts[1].first_slot = 255; },
           [](Head* h) { h->vector_parts[1].first_slot = 257; },
           [](Head* h) { h->vector_parts[1].generation = 7; },
           [](Head* h) { h->vector_parts.pop_back(); },
           [](Head* h) { h->vector_parts[0].count = 0; },
           // The sum of the counts overflows 32 bits to slot_count.
           [](Head* h) {
             h->vector_parts = {{1, 0, 0, 0xffffffff, 1},
                                {1, 1, 0xffffffff, 301, 1}};
           },
           [](Head* h) { h->link_parts.clear(); },
           [](Head* h) { h->link_parts[0].count = 301; },
           [](Head* h) { h->has_graph = false; },  // but a centre
           [](Head* h) { h->centre.pop_back(); },
           [](Head* h) { h->centre.push_back(0); },
           [](Head* h) { h->centre[3] = 1.1e15f; },
           [](Head* h) {
             h->centre[64] = std::numeric_limits<float>::quiet_NaN();
           },
           [](Head* h) {
             h->centre[0] = -std::numeric_limits<float>::infinity();
           },
           [](Head* h) { h->space.dimension = 0; },
           [](Head* h) { h->space.M = kMMax + 1; }}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeWith(change))) << DecodeWith(change);
  }
}

std::string FlatHead(uint32_t version, uint64_t generation,
                     uint64_t envelope_generation) {
  flatbuffers::FlatBufferBuilder builder;
  const auto space = fb::CreateSpaceDescription(
      builder, kSpace, builder.CreateString("x"), 4, 0, 16, 100, 1);
  builder.Finish(fb::CreateHead(builder, version, generation, 1, space));
  return WrapValue({ValueKind::kHead, kSpace, envelope_generation},
                   builder.GetBufferPointer(), builder.GetSize());
}

TEST(HeadCodecTest, ReadsAHeadWithoutVectors) {
  EXPECT_TRUE(DecodeHead(kSpace, FlatHead(1, 3, 3)).ok());
  EXPECT_TRUE(DecodeHead(kSpace, FlatHead(2, 3, 3)).ok());
}

// A head of one row with a graph; null: without the field.
std::string FlatGraphHead(uint32_t version, const std::vector<float>* centre) {
  flatbuffers::FlatBufferBuilder builder;
  const auto space = fb::CreateSpaceDescription(
      builder, kSpace, builder.CreateString("x"), 4, 0, 16, 100, 1);
  const std::vector<fb::PartReference> one = {{3, 0, 0, 1, 1}};
  const auto vectors = builder.CreateVectorOfStructs(one);
  const auto links = builder.CreateVectorOfStructs(one);
  const flatbuffers::Offset<flatbuffers::Vector<float>> flat_centre =
      centre == nullptr ? 0 : builder.CreateVector(*centre);
  builder.Finish(fb::CreateHead(builder, version, 3, 1, space, 1, 1, true, 0, 0,
                                vectors, links, flat_centre));
  return WrapValue({ValueKind::kHead, kSpace, 3}, builder.GetBufferPointer(),
                   builder.GetSize());
}

TEST(HeadCodecTest, HasACentreFromTheSecondVersionOn) {
  const std::vector<float> centre = {1, 2, 3, 4};
  const auto old = DecodeHead(kSpace, FlatGraphHead(1, nullptr));
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_TRUE(old->has_graph);
  EXPECT_TRUE(old->centre.empty());
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeHead(kSpace, FlatGraphHead(1, &centre)).status()));

  EXPECT_TRUE(DecodeHead(kSpace, FlatGraphHead(2, nullptr)).ok());
  const auto head = DecodeHead(kSpace, FlatGraphHead(2, &centre));
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->centre, centre);
}

TEST(HeadCodecTest, WritesTheFourthVersion) {
  Head head = Sample();
  ASSERT_EQ(kCheckpointFormatVersion, 4u);
  const std::string value = EncodeHead(head);
  const auto* flat =
      flatbuffers::GetRoot<fb::Head>(value.data() + kEnvelopeBytes);
  EXPECT_EQ(flat->format_version(), 4u);
}

// What a checkpoint of Sample() with two later ones says of links.
void AddDeltas(Head* head) {
  head->generation = 9;
  head->link_parts = {{6, 0, 0, 280, 13}};
  head->link_deltas = {{7, 0, 30, 90, 14}, {9, 0, 5, 4, 15}, {9, 1, 9, 70, 16}};
}

TEST(HeadCodecTest, RoundTripsLinkDeltas) {
  Head head = Sample();
  AddDeltas(&head);
  const auto read = DecodeHead(kSpace, EncodeHead(head));
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->link_deltas.size(), 3u);
  EXPECT_EQ(read->link_deltas[0].generation, 7u);
  EXPECT_EQ(read->link_deltas[2].index, 1u);
  EXPECT_EQ(read->link_deltas[2].first_slot, 9u);
  EXPECT_EQ(read->link_deltas[2].count, 70u);
  EXPECT_EQ(read->link_deltas[2].crc, 16u);
  // New rows may stand in deltas alone.
  head.link_parts.clear();
  EXPECT_TRUE(DecodeHead(kSpace, EncodeHead(head)).ok());
}

TEST(HeadCodecTest, RefusesLinkDeltasOutOfOrderOrRange) {
  using Change = std::function<void(std::vector<PartReference>*)>;
  for (const Change& change : std::initializer_list<Change>{
           [](auto* deltas) { (*deltas)[0].generation = 6; },  // the base's
           [](auto* deltas) { (*deltas)[0].generation = 10; },
           [](auto* deltas) { (*deltas)[0].index = 1; },
           [](auto* deltas) { (*deltas)[2].generation = 10; },
           [](auto* deltas) { (*deltas)[2].index = 0; },
           [](auto* deltas) { (*deltas)[2].index = 2; },
           [](auto* deltas) { (*deltas)[1].count = 0; },
           [](auto* deltas) { (*deltas)[1].first_slot = 297; },
           [](auto* deltas) { std::swap((*deltas)[0], (*deltas)[1]); }}) {
    const absl::Status status = DecodeWith([&change](Head* head) {
      AddDeltas(head);
      change(&head->link_deltas);
    });
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  }
  // A base of more rows than there are.
  EXPECT_TRUE(absl::IsDataLoss(DecodeWith([](Head* head) {
    AddDeltas(head);
    head->link_parts[0].count = 301;
  })));
}

TEST(HeadCodecTest, RefusesAnEnvelopeOfAnotherGeneration) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeHead(kSpace, FlatHead(1, 3, 4)).status()));
}

TEST(HeadCodecTest, RefusesOtherVersions) {
  EXPECT_TRUE(absl::IsUnimplemented(
      DecodeHead(kSpace, FlatHead(kCheckpointFormatVersion + 1, 3, 3))
          .status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeHead(kSpace, FlatHead(0, 3, 3)).status()));
}

// FlatBuffers' verifier looks at the alignment of a vector's length only.
TEST(HeadCodecTest, RefusesPartsThatAreNotAligned) {
  int accepted = 0;
  for (const bool shifted : {false, true}) {
    flatbuffers::FlatBufferBuilder builder;
    const auto space = fb::CreateSpaceDescription(
        builder, kSpace, builder.CreateString("x"), 4, 0, 16, 100, 1);
    const std::vector<fb::PartReference> one = {{3, 0, 0, 1, 1}};
    const auto vectors = builder.CreateVectorOfStructs(one);
    if (shifted) builder.PushElement(uint32_t{0});
    // One reference, aligned like six numbers of 32 bits.
    builder.StartVector(6, sizeof(uint32_t));
    for (const uint32_t word : {1u, 1u, 0u, 0u, 0u, 3u}) {
      builder.PushElement(word);
    }
    const flatbuffers::Offset<flatbuffers::Vector<const fb::PartReference*>>
        links(builder.EndVector(1));
    builder.Finish(fb::CreateHead(builder, 1, 3, 1, space, 1, 1, false, 0, 0,
                                  vectors, links));
    const absl::Status status =
        DecodeHead(kSpace,
                   WrapValue({ValueKind::kHead, kSpace, 3},
                             builder.GetBufferPointer(), builder.GetSize()))
            .status();
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
    accepted += status.ok() ? 1 : 0;
  }
  EXPECT_EQ(accepted, 1);
}

TEST(HeadCodecTest, RefusesAHeadWithoutDescription) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateHead(builder, 1, 3, 1));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeHead(kSpace,
                 WrapValue({ValueKind::kHead, kSpace, 3},
                           builder.GetBufferPointer(), builder.GetSize()))
          .status()));
}

}  // namespace
}  // namespace engram::schema

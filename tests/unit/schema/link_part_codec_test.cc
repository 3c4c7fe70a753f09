#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

constexpr uint64_t kSpace = 4;
constexpr uint64_t kGeneration = 3;
constexpr uint32_t kM = 4;
constexpr uint32_t kSlots = 1000;

PartReference ReferenceTo(const std::string& value, uint32_t first_slot,
                          uint32_t count) {
  return {kGeneration, 0, first_slot, count, EnvelopeCrc(value)};
}

absl::StatusOr<std::vector<NodeLinks>> Decode(const std::string& value,
                                              uint32_t first_slot,
                                              uint32_t count) {
  return DecodeLinkPart(kSpace, kSlots, kM,
                        ReferenceTo(value, first_slot, count), value);
}

std::vector<NodeLinks> Sample() {
  return {{100, false, {{999, 1, 300}, {5}, {}}},
          {101, true, {}},
          {102, false, {{}}},
          {103, true, {{0, 104, 128, 129, 500, 16, 998, 7}}},
          {104, false, {}, 999},
          {105, false, {}, 0}};
}

std::string EncodeSample() {
  std::vector<NodeLinks> nodes = Sample();
  return EncodeLinkPart(kSpace, kGeneration, absl::MakeSpan(nodes));
}

TEST(LinkPartCodecTest, RoundTripsAndSortsNeighbors) {
  const std::string value = EncodeSample();
  const auto nodes = Decode(value, 100, 6);
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  ASSERT_EQ(nodes->size(), 6u);
  using Layers = std::vector<std::vector<uint32_t>>;
  EXPECT_EQ((*nodes)[0].slot, 100u);
  EXPECT_FALSE((*nodes)[0].removed);
  EXPECT_EQ((*nodes)[0].layers, (Layers{{1, 300, 999}, {5}, {}}));
  EXPECT_EQ((*nodes)[1].slot, 101u);
  EXPECT_TRUE((*nodes)[1].removed);
  EXPECT_EQ((*nodes)[1].layers, Layers{});
  EXPECT_EQ((*nodes)[2].layers, Layers{{}});
  EXPECT_TRUE((*nodes)[3].removed);
  EXPECT_EQ((*nodes)[3].layers, (Layers{{0, 7, 16, 104, 128, 129, 500, 998}}));
}

TEST(LinkPartCodecTest, RoundTripsTwins) {
  const auto nodes = Decode(EncodeSample(), 100, 6);
  ASSERT_TRUE(nodes.ok()) << nodes.status();
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ((*nodes)[i].twin_of, kNoTwin) << i;
  EXPECT_EQ((*nodes)[4].twin_of, 999u);
  EXPECT_EQ((*nodes)[5].twin_of, 0u);
  for (size_t i = 4; i < 6; ++i) {
    EXPECT_FALSE((*nodes)[i].removed) << i;
    EXPECT_TRUE((*nodes)[i].layers.empty()) << i;
  }
}

TEST(LinkPartCodecTest, RoundTripsTheHighestLayer) {
  std::vector<NodeLinks> nodes = {{0, false, {}}};
  nodes[0].layers.resize(kLayerMax + 1, {1});
  const std::string value =
      EncodeLinkPart(kSpace, kGeneration, absl::MakeSpan(nodes));
  const auto read = Decode(value, 0, 1);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0].layers.size(), kLayerMax + 1);
}

TEST(LinkPartCodecTest, RefusesEveryDamage) {
  const std::string value = EncodeSample();
  const PartReference reference = ReferenceTo(value, 100, 6);
  testing::ExpectEveryDamageRefused(value, [&](const std::string& damaged) {
    return DecodeLinkPart(kSpace, kSlots, kM, reference, damaged).status();
  });
}

TEST(LinkPartCodecTest, RefusesWhatTheHeadDoesNotList) {
  const std::string value = EncodeSample();
  EXPECT_TRUE(absl::IsDataLoss(Decode(value, 101, 6).status()));
  EXPECT_TRUE(absl::IsDataLoss(Decode(value, 100, 5).status()));
  EXPECT_TRUE(absl::IsDataLoss(Decode(value, 100, 7).status()));
  PartReference reference = ReferenceTo(value, 100, 6);
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeLinkPart(kSpace + 1, kSlots, kM, reference, value).status()));
  reference.crc ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeLinkPart(kSpace, kSlots, kM, reference, value).status()));
}

// --- Hostile bytes under a right checksum ------------------------------------

absl::Status DecodeBytes(const std::vector<uint8_t>& nodes, uint32_t count = 1,
                         uint32_t first_slot = 10) {
  flatbuffers::FlatBufferBuilder builder;
  const auto flat = builder.CreateVector(nodes);
  builder.Finish(fb::CreateLinkPart(builder, first_slot, count, flat));
  const std::string value =
      WrapValue({ValueKind::kLinkPart, kSpace, kGeneration},
                builder.GetBufferPointer(), builder.GetSize());
  return Decode(value, first_slot, count).status();
}

TEST(LinkPartCodecTest, AcceptsBytesAtEachLimit) {
  EXPECT_TRUE(DecodeBytes({0, 0, 0}).ok());
  // Neighbor 999, the last slot: varint e7 07.
  EXPECT_TRUE(DecodeBytes({0, 0, 1, 0xe7, 0x07}).ok());
  // 2 M links on layer 0, M on layer 1.
  EXPECT_TRUE(
      DecodeBytes({0, 1, 8, 1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 1, 1, 1}).ok());
  EXPECT_TRUE(DecodeBytes({0, 0x40}).ok());
  // A removed row without layers, and one that is still a node (version 1).
  EXPECT_TRUE(DecodeBytes({0, 0x60}).ok());
  EXPECT_TRUE(DecodeBytes({0, 0x20, 1, 9}).ok());
  // Twins of the last row and of the neighboring rows.
  EXPECT_TRUE(DecodeBytes({0, 0xc0, 0xe7, 0x07}).ok());
  EXPECT_TRUE(DecodeBytes({0, 0xc0, 9}).ok());
  EXPECT_TRUE(DecodeBytes({0, 0xc0, 11}).ok());
}

TEST(LinkPartCodecTest, RefusesBytesBeyondEachLimit) {
  for (const std::vector<uint8_t>& nodes : std::vector<std::vector<uint8_t>>{
           {},                                       // no node
           {0},                                      // no flags
           {0, 0},                                   // no degree
           {0, 0, 1},                                // no neighbor
           {0, 0, 0, 0},                             // a byte too many
           {1, 0, 0},                                // the first delta is not 0
           {0, 0, 1, 0xe8, 0x07},                    // neighbor 1,000 of 1,000
           {0, 0, 1, 10},                            // its own neighbor
           {0, 0, 2, 1, 0},                          // the same neighbor twice
           {0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1},     // 2 M + 1 links
           {0, 1, 0, 5, 1, 1, 1, 1, 1},              // M + 1 links on layer 1
           {0, 1, 0},                                // layer 1 is missing
           {0, 0, 0x80},                             // varint without end
           {0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0},  // six bytes
           {0, 0, 0xff, 0xff, 0xff, 0xff, 0x1f},     // more than 32 bits
           {0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f},  // neighbor 2^32 - 1
           {0, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 0x0f},  // 2^32: no wrapping
           {0, 0x1f, 0}}) {  // 32 layers, one of them there
    EXPECT_TRUE(absl::IsDataLoss(DecodeBytes(nodes)));
  }
}

TEST(LinkPartCodecTest, RefusesImpossibleTwinsByRow) {
  struct Case {
    std::vector<uint8_t> nodes;
    const char* message;
  };
  for (const Case& c : std::initializer_list<Case>{
           {{0, 0xc0}, "truncated"},
           {{0, 0xc0, 0x80}, "truncated"},
           {{0, 0xc0, 0xe8, 0x07}, "twin of 1000 of 1000 rows"},
           {{0, 0xc0, 0xff, 0xff, 0xff, 0xff, 0x0f}, "twin of 4294967295"},
           {{0, 0xc0, 10}, "twin of 10 of 1000 rows"},
           {{0, 0xe0, 11}, "removed or has layers"},
           {{0, 0x80, 11}, "removed or has layers"},
           {{0, 0xa0, 11}, "removed or has layers"},
           {{0, 0xc1, 11}, "a top layer and no layers"},
           {{0, 0x41}, "a top layer and no layers"},
           {{0, 0xc0, 11, 0}, "bytes after its last node"}}) {
    const absl::Status status = DecodeBytes(c.nodes);
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(c.message));
  }
  EXPECT_THAT(std::string(DecodeBytes({0, 0xc0, 10}).message()),
              ::testing::HasSubstr("node 10: "));
}

TEST(LinkPartCodecTest, RefusesSlotsOutOfOrderOrRange) {
  EXPECT_TRUE(DecodeBytes({0, 0x40, 1, 0x40}, 2).ok());
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes({0, 0x40, 0, 0x40}, 2)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes({0, 0x40, 1, 0x40}, 2, 999)));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeBytes({0, 0x40, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x40}, 2)));
}

TEST(LinkPartCodecTest, RefusesCountsThatLie) {
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes({0, 0x40}, 2)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes({0, 0x40}, 0xffffffff)));
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes({0, 0x40}, 0)));
  std::vector<uint8_t> nodes;
  for (uint32_t i = 0; i <= kLinkPartNodes; ++i) {
    nodes.insert(nodes.end(), {static_cast<uint8_t>(i == 0 ? 0 : 1), 0x40});
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeBytes(nodes, kLinkPartNodes + 1, 0)));
}

}  // namespace
}  // namespace engram::schema

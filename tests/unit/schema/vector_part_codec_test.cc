#include <cmath>
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
constexpr uint64_t kGeneration = 3;
constexpr uint32_t kDimension = 2;

PartReference ReferenceTo(const std::string& value, uint32_t first_slot,
                          uint32_t count) {
  return {kGeneration, 0, first_slot, count, EnvelopeCrc(value)};
}

std::string Sample() {
  static const float rows[3][kDimension] = {{1, 2}, {3, -4}, {0, 1e30f}};
  const std::vector<VectorRow> part = {
      {11, "first", rows[0]}, {12, "b", rows[1]}, {13, "third", rows[2]}};
  return EncodeVectorPart(kSpace, kGeneration, 100, part);
}

TEST(VectorPartCodecTest, RoundTrips) {
  const std::string value = Sample();
  const auto part =
      DecodeVectorPart(kSpace, kDimension, ReferenceTo(value, 100, 3), value);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_EQ(part->first_slot, 100u);
  EXPECT_EQ(part->dimension, kDimension);
  EXPECT_EQ(part->lsns, (std::vector<Lsn>{11, 12, 13}));
  EXPECT_EQ(part->ids, (std::vector<absl::string_view>{"first", "b", "third"}));
  EXPECT_EQ(part->rows, (std::vector<float>{1, 2, 3, -4, 0, 1e30f}));
}

TEST(VectorPartCodecTest, RefusesEveryDamage) {
  const std::string value = Sample();
  const PartReference reference = ReferenceTo(value, 100, 3);
  testing::ExpectEveryDamageRefused(value, [&](const std::string& damaged) {
    return DecodeVectorPart(kSpace, kDimension, reference, damaged).status();
  });
}

TEST(VectorPartCodecTest, RefusesWhatTheHeadDoesNotList) {
  const std::string value = Sample();
  const PartReference right = ReferenceTo(value, 100, 3);
  using Change = std::function<void(PartReference*)>;
  for (const Change& change :
       std::initializer_list<Change>{[](PartReference* r) { ++r->generation; },
                                     [](PartReference* r) { ++r->first_slot; },
                                     [](PartReference* r) { ++r->count; },
                                     [](PartReference* r) { --r->count; },
                                     [](PartReference* r) { ++r->crc; }}) {
    PartReference wrong = right;
    change(&wrong);
    EXPECT_TRUE(absl::IsDataLoss(
        DecodeVectorPart(kSpace, kDimension, wrong, value).status()));
  }
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeVectorPart(kSpace + 1, kDimension, right, value).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeVectorPart(kSpace, kDimension + 1, right, value).status()));
}

// A part whose arrays say what the test wants, under a right checksum.
struct FlatPart {
  uint32_t count = 2;
  std::vector<Lsn> lsns = {1, 2};
  std::vector<uint32_t> id_ends = {1, 3};
  std::string ids = "abc";
  std::vector<float> rows = {1, 2, 3, 4};

  absl::Status Decode() const {
    flatbuffers::FlatBufferBuilder builder;
    const auto flat_lsns = builder.CreateVector(lsns);
    const auto flat_ends = builder.CreateVector(id_ends);
    const auto flat_ids = builder.CreateVector(
        reinterpret_cast<const uint8_t*>(ids.data()), ids.size());
    const auto flat_rows = builder.CreateVector(rows);
    builder.Finish(fb::CreateVectorPart(builder, 0, count, kDimension,
                                        flat_lsns, flat_ends, flat_ids,
                                        flat_rows));
    const std::string value =
        WrapValue({ValueKind::kVectorPart, kSpace, kGeneration},
                  builder.GetBufferPointer(), builder.GetSize());
    return DecodeVectorPart(kSpace, kDimension, ReferenceTo(value, 0, count),
                            value)
        .status();
  }
};

TEST(VectorPartCodecTest, RefusesLyingArraysUnderARightChecksum) {
  ASSERT_TRUE(FlatPart().Decode().ok()) << FlatPart().Decode();
  using Change = std::function<void(FlatPart*)>;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Change& change : std::initializer_list<Change>{
           [](FlatPart* p) { p->count = 3; }, [](FlatPart* p) { p->count = 1; },
           [](FlatPart* p) { p->count = 0x80000001; },
           [](FlatPart* p) { p->lsns = {1}; },
           [](FlatPart* p) {
             p->lsns = {1, 2, 3};
           },
           [](FlatPart* p) { p->rows.pop_back(); },
           [](FlatPart* p) { p->rows.push_back(1); },
           [](FlatPart* p) { p->rows[3] = std::nanf(""); },
           [](FlatPart* p) { p->rows[0] = kInfinity; },
           [](FlatPart* p) { p->rows[0] = -kInfinity; },
           [](FlatPart* p) { p->id_ends = {1}; },
           [](FlatPart* p) {
             p->id_ends = {0, 3};
           },
           [](FlatPart* p) {
             p->id_ends = {1, 1};
           },
           [](FlatPart* p) {
             p->id_ends = {2, 1};
           },
           [](FlatPart* p) {
             p->id_ends = {1, 4};
           },
           [](FlatPart* p) {
             p->id_ends = {1, 2};
           },
           [](FlatPart* p) {
             p->id_ends = {1, 0xffffffff};
           }}) {
    FlatPart part;
    change(&part);
    EXPECT_TRUE(absl::IsDataLoss(part.Decode()));
  }
}

TEST(VectorPartCodecTest, BoundsTheIdsLength) {
  FlatPart part;
  part.ids = std::string(1 + kIdBytesMax, 'i');
  part.id_ends = {1, 1 + kIdBytesMax};
  EXPECT_TRUE(part.Decode().ok());
  part.ids += 'i';
  ++part.id_ends[1];
  EXPECT_TRUE(absl::IsDataLoss(part.Decode()));
}

// FlatBuffers' verifier looks at the alignment of a vector's length only.
TEST(VectorPartCodecTest, RefusesLsnsThatAreNotAligned) {
  int accepted = 0;
  for (const bool shifted : {false, true}) {
    flatbuffers::FlatBufferBuilder builder;
    const auto rows = builder.CreateVector(std::vector<float>{1, 2, 3, 4});
    const auto ids = builder.CreateVector(std::vector<uint8_t>{'a', 'b'});
    const auto ends = builder.CreateVector(std::vector<uint32_t>{1, 2});
    // Two LSNs, aligned like four numbers of 32 bits.
    builder.StartVector(4, sizeof(uint32_t));
    for (const uint32_t half : {0u, 2u, 0u, 1u}) builder.PushElement(half);
    const flatbuffers::Offset<flatbuffers::Vector<uint64_t>> lsns(
        builder.EndVector(2));
    if (shifted) builder.PushElement(uint32_t{0});
    builder.Finish(
        fb::CreateVectorPart(builder, 0, 2, kDimension, lsns, ends, ids, rows));
    const std::string value =
        WrapValue({ValueKind::kVectorPart, kSpace, kGeneration},
                  builder.GetBufferPointer(), builder.GetSize());
    const absl::Status status =
        DecodeVectorPart(kSpace, kDimension, ReferenceTo(value, 0, 2), value)
            .status();
    EXPECT_TRUE(status.ok() || absl::IsDataLoss(status)) << status;
    accepted += status.ok() ? 1 : 0;
  }
  EXPECT_EQ(accepted, 1);
}

TEST(VectorPartCodecTest, RefusesAPartWithoutArrays) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateVectorPart(builder, 0, 2, kDimension));
  const std::string value =
      WrapValue({ValueKind::kVectorPart, kSpace, kGeneration},
                builder.GetBufferPointer(), builder.GetSize());
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeVectorPart(kSpace, kDimension, ReferenceTo(value, 0, 2), value)
          .status()));
}

TEST(VectorPartCodecTest, AFullSegmentFitsInAValueAtEachDimension) {
  for (const uint32_t dimension :
       {1u, 2u, 31u, 128u, 768u, 1536u, 4097u, 32768u, kDimensionMax}) {
    const uint32_t slots = VectorSegmentSlots(dimension);
    ASSERT_GE(slots, 1u);
    const std::vector<float> row(dimension, 1.0f);
    const std::string id(kIdBytesMax, 'i');
    const std::vector<VectorRow> rows(slots, VectorRow{1, id, row});
    const std::string value = EncodeVectorPart(kSpace, kGeneration, 0, rows);
    EXPECT_LE(value.size(), kPartBytesMax) << dimension;
    EXPECT_TRUE(
        DecodeVectorPart(kSpace, dimension, ReferenceTo(value, 0, slots), value)
            .ok());
  }
}

}  // namespace
}  // namespace engram::schema

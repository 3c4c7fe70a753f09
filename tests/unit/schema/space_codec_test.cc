#include "schema/space_codec.h"

#include <functional>
#include <limits>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

SpaceDescription Space() {
  SpaceDescription space;
  space.id = 5;
  space.name = "agent-7";
  space.dimension = 768;
  space.metric = Metric::kCosine;
  space.M = 24;
  space.ef_construction = 200;
  space.seed = 0x1234567890abcdef;
  space.quantization = Quantization::kInt4;
  space.stored = Stored::kNone;
  return space;
}

// --- CheckSpaceDescription ---------------------------------------------------

using Change = std::function<void(SpaceDescription*)>;

absl::Status CheckWith(const Change& change) {
  SpaceDescription space = Space();
  change(&space);
  return CheckSpaceDescription(space);
}

TEST(CheckSpaceDescriptionTest, AcceptsEachLimit) {
  for (const Change& change : std::initializer_list<Change>{
           [](auto* s) { s->dimension = 1; },
           [](auto* s) { s->dimension = kDimensionMax; },
           [](auto* s) { s->M = kMMin; },
           [](auto* s) { s->M = s->ef_construction = kMMax; },
           [](auto* s) { s->ef_construction = s->M; },
           [](auto* s) { s->ef_construction = kEfConstructionMax; },
           [](auto* s) { s->metric = Metric::kInnerProduct; },
           [](auto* s) { s->quantization = Quantization::kInt2; },
           [](auto* s) { s->stored = Stored::kF32; },
           // Either of the two may be none.
           [](auto* s) {
             s->quantization = Quantization::kNone;
             s->stored = Stored::kF32;
           },
           [](auto* s) {
             s->quantization = Quantization::kAuto;
             s->dimension = 32;
           },
           [](auto* s) { s->name = "A"; },
           [](auto* s) { s->name = std::string(kSpaceNameBytesMax, 'z'); },
           [](auto* s) { s->name = "azAZ09_.-"; }}) {
    EXPECT_TRUE(CheckWith(change).ok()) << CheckWith(change);
  }
}

TEST(CheckSpaceDescriptionTest, RefusesOneBeyondEachLimit) {
  for (const Change& change : std::initializer_list<Change>{
           [](auto* s) { s->dimension = 0; },
           [](auto* s) { s->dimension = kDimensionMax + 1; },
           [](auto* s) { s->M = kMMin - 1; },
           [](auto* s) { s->M = s->ef_construction = kMMax + 1; },
           [](auto* s) { s->ef_construction = s->M - 1; },
           [](auto* s) { s->ef_construction = kEfConstructionMax + 1; },
           [](auto* s) { s->metric = static_cast<Metric>(kMetricLast + 1); },
           [](auto* s) { s->quantization = static_cast<Quantization>(5); },
           [](auto* s) { s->stored = static_cast<Stored>(2); },
           [](auto* s) { s->quantization = Quantization::kNone; },
           [](auto* s) {
             s->quantization = Quantization::kAuto;
             s->dimension = 31;
           },
           [](auto* s) { s->name = ""; },
           [](auto* s) { s->name = std::string(kSpaceNameBytesMax + 1, 'z'); },
           [](auto* s) { s->name = "a/b"; }, [](auto* s) { s->name = "a b"; },
           [](auto* s) { s->name = "\xc3\xa4"; },
           [](auto* s) { s->name = std::string("a\0b", 3); }}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckWith(change)));
  }
}

TEST(CheckSpaceDescriptionTest, NamesValueAndLimit) {
  EXPECT_EQ(CheckWith([](auto* s) { s->dimension = 70000; }).message(),
            "space \"agent-7\": dimension is 70000, allowed are 1 to 65535");
  EXPECT_EQ(CheckWith([](auto* s) {
              s->quantization = static_cast<Quantization>(200);
            }).message(),
            "space \"agent-7\": quantization is 200, allowed are 0 to 4");
  EXPECT_EQ(
      CheckWith([](auto* s) { s->stored = static_cast<Stored>(2); }).message(),
      "space \"agent-7\": stored is 2, allowed are 0 to 1");
}

TEST(CheckSpaceDescriptionTest, NamesBothThatLeaveNothingOfAVector) {
  EXPECT_EQ(
      CheckWith([](auto* s) {
        s->quantization = Quantization::kNone;
      }).message(),
      "space \"agent-7\": stored is none and quantization is none: nothing "
      "would be left of a vector, allowed is one of the two");
  EXPECT_THAT(std::string(CheckWith([](auto* s) {
                            s->quantization = Quantization::kAuto;
                            s->dimension = 31;
                          }).message()),
              ::testing::HasSubstr("stored is none and quantization is auto, "
                                   "which is none at dimension 31"));
}

// --- Quantization ------------------------------------------------------------

TEST(QuantizationTest, AutoDependsOnDimensionAndMetric) {
  struct Case {
    uint32_t dimension;
    Quantization near;  // L2 and cosine
    Quantization inner;
  };
  for (const Case& c : std::initializer_list<Case>{
           {1, Quantization::kNone, Quantization::kNone},
           {31, Quantization::kNone, Quantization::kNone},
           {32, Quantization::kInt4, Quantization::kInt4},
           {511, Quantization::kInt4, Quantization::kInt4},
           {512, Quantization::kInt2, Quantization::kInt4},
           {kDimensionMax, Quantization::kInt2, Quantization::kInt4}}) {
    const auto resolved = [&c](Metric metric) {
      return ResolveQuantization(Quantization::kAuto, metric, c.dimension);
    };
    EXPECT_EQ(resolved(Metric::kL2), c.near) << c.dimension;
    EXPECT_EQ(resolved(Metric::kCosine), c.near) << c.dimension;
    EXPECT_EQ(resolved(Metric::kInnerProduct), c.inner) << c.dimension;
  }
}

TEST(QuantizationTest, WhatIsAskedForIsTaken) {
  for (const Quantization asked : {Quantization::kNone, Quantization::kInt8,
                                   Quantization::kInt4, Quantization::kInt2}) {
    EXPECT_EQ(ResolveQuantization(asked, Metric::kL2, 2), asked);
    EXPECT_EQ(ResolveQuantization(asked, Metric::kInnerProduct, 4096), asked);
  }
}

TEST(QuantizationTest, HasNames) {
  EXPECT_EQ(QuantizationName(Quantization::kAuto), "auto");
  EXPECT_EQ(QuantizationName(Quantization::kNone), "none");
  EXPECT_EQ(QuantizationName(Quantization::kInt8), "int8");
  EXPECT_EQ(QuantizationName(Quantization::kInt4), "int4");
  EXPECT_EQ(QuantizationName(Quantization::kInt2), "int2");
  EXPECT_EQ(QuantizationName(static_cast<Quantization>(5)), "unknown");
  EXPECT_EQ(StoredName(Stored::kF32), "f32");
  EXPECT_EQ(StoredName(Stored::kNone), "none");
  EXPECT_EQ(StoredName(static_cast<Stored>(2)), "unknown");
}

// --- Descriptions ------------------------------------------------------------

std::string FlatDescription(const Change& change) {
  SpaceDescription space = Space();
  change(&space);
  return EncodeSpaceDescription(space);
}

TEST(SpaceDescriptionTest, RoundTrips) {
  const auto space = DecodeSpaceDescription(EncodeSpaceDescription(Space()));
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_EQ(*space, Space());
}

// Space() without its last two fields, as the first version wrote it to logs,
// heads and catalogs.
constexpr unsigned char kFirstVersionDescription[] = {
    0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x12, 0x00, 0x2c, 0x00, 0x18, 0x00,
    0x08, 0x00, 0x0c, 0x00, 0x07, 0x00, 0x10, 0x00, 0x14, 0x00, 0x20, 0x00,
    0x12, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x24, 0x00, 0x00, 0x00,
    0x00, 0x03, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0xc8, 0x00, 0x00, 0x00,
    0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xef, 0xcd, 0xab, 0x90,
    0x78, 0x56, 0x34, 0x12, 0x00, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0x00,
    0x61, 0x67, 0x65, 0x6e, 0x74, 0x2d, 0x37, 0x00};

TEST(SpaceDescriptionTest, ReadsWhatTheFirstVersionWrote) {
  const auto space = DecodeSpaceDescription(
      absl::string_view(reinterpret_cast<const char*>(kFirstVersionDescription),
                        sizeof(kFirstVersionDescription)));
  ASSERT_TRUE(space.ok()) << space.status();
  SpaceDescription expected = Space();
  expected.quantization = Quantization::kAuto;
  expected.stored = Stored::kF32;
  EXPECT_EQ(*space, expected);
}

// Its checksum is the log record's; alone it must only do no harm.
TEST(SpaceDescriptionTest, DamageIsRefusedOrReadAsAValidDescription) {
  const std::string value = EncodeSpaceDescription(Space());
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    const auto space = DecodeSpaceDescription(testing::FlipBit(value, bit));
    EXPECT_TRUE(space.ok() ? CheckSpaceDescription(*space).ok()
                           : absl::IsDataLoss(space.status()));
  }
  for (size_t size = 0; size < value.size(); ++size) {
    const auto space = DecodeSpaceDescription(value.substr(0, size));
    EXPECT_TRUE(space.ok() || absl::IsDataLoss(space.status()));
  }
}

TEST(SpaceDescriptionTest, RefusesValuesOutOfRange) {
  for (const Change& change : std::initializer_list<Change>{
           [](auto* s) { s->id = 0; }, [](auto* s) { s->dimension = 0; },
           [](auto* s) { s->metric = static_cast<Metric>(200); },
           [](auto* s) { s->quantization = static_cast<Quantization>(200); },
           [](auto* s) { s->stored = static_cast<Stored>(200); },
           [](auto* s) { s->quantization = Quantization::kNone; },
           [](auto* s) { s->name = "../x"; }}) {
    EXPECT_TRUE(absl::IsDataLoss(
        DecodeSpaceDescription(FlatDescription(change)).status()));
  }
}

// --- Catalog entries ---------------------------------------------------------

CatalogEntry Entry() {
  CatalogEntry entry;
  entry.space = Space();
  entry.created_lsn = 99;
  entry.family = "p000012";
  entry.dropped = true;
  return entry;
}

TEST(CatalogEntryTest, RoundTrips) {
  const auto entry = DecodeCatalogEntry(5, EncodeCatalogEntry(Entry()));
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->space, Space());
  EXPECT_EQ(entry->created_lsn, 99u);
  EXPECT_EQ(entry->family, "p000012");
  EXPECT_TRUE(entry->dropped);

  CatalogEntry fresh = Entry();
  fresh.family = "";
  fresh.dropped = false;
  const auto again = DecodeCatalogEntry(5, EncodeCatalogEntry(fresh));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->family, "");
  EXPECT_FALSE(again->dropped);
}

TEST(CatalogEntryTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(
      EncodeCatalogEntry(Entry()), [](const std::string& value) {
        return DecodeCatalogEntry(5, value).status();
      });
}

TEST(CatalogEntryTest, RefusesAnotherSpaceAndImpossibleFamilies) {
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeCatalogEntry(6, EncodeCatalogEntry(Entry())).status()));
  CatalogEntry entry = Entry();
  entry.family = "default";
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeCatalogEntry(5, EncodeCatalogEntry(entry)).status()));
}

// The envelope says space 5, its content space 6; the checksum is right.
TEST(CatalogEntryTest, RefusesAnEnvelopeThatHoldsAnotherSpace) {
  flatbuffers::FlatBufferBuilder builder;
  const auto space = fb::CreateSpaceDescription(
      builder, 6, builder.CreateString("x"), 4, 0, 16, 100, 1);
  builder.Finish(fb::CreateCatalogEntry(builder, space, 1));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeCatalogEntry(
          5, WrapValue({ValueKind::kCatalogEntry, 5, 0},
                       builder.GetBufferPointer(), builder.GetSize()))
          .status()));
}

TEST(CatalogEntryTest, RefusesAnEntryWithoutDescription) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateCatalogEntry(builder, 0, 1));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeCatalogEntry(
          5, WrapValue({ValueKind::kCatalogEntry, 5, 0},
                       builder.GetBufferPointer(), builder.GetSize()))
          .status()));
}

// --- The catalog -------------------------------------------------------------

std::string FlatCatalog(uint32_t version, Lsn catalog_lsn, Lsn low_water,
                        uint64_t next_space, uint64_t next_family) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateCatalog(builder, version, catalog_lsn, low_water,
                                   next_space, next_family));
  return WrapValue({ValueKind::kCatalog, 0, 0}, builder.GetBufferPointer(),
                   builder.GetSize());
}

TEST(CatalogTest, RoundTrips) {
  Catalog catalog;
  catalog.catalog_lsn = 30;
  catalog.low_water_lsn = 20;
  catalog.next_space_id = 8;
  catalog.next_family = 65;
  const auto read = DecodeCatalog(EncodeCatalog(catalog));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->catalog_lsn, 30u);
  EXPECT_EQ(read->low_water_lsn, 20u);
  EXPECT_EQ(read->next_space_id, 8u);
  EXPECT_EQ(read->next_family, 65u);
}

TEST(CatalogTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(
      EncodeCatalog({30, 20, 8, 65}),
      [](const std::string& value) { return DecodeCatalog(value).status(); });
}

TEST(CatalogTest, RefusesImpossibleFieldsUnderARightChecksum) {
  EXPECT_TRUE(DecodeCatalog(FlatCatalog(1, 30, 30, 1, 1)).ok());
  for (const std::string& value :
       {FlatCatalog(0, 30, 20, 8, 65), FlatCatalog(1, 30, 31, 8, 65),
        FlatCatalog(1, 30, 20, 0, 65), FlatCatalog(1, 30, 20, 8, 0)}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeCatalog(value).status()));
  }
}

TEST(CatalogTest, ReadsAllVersionsAndWritesTheFourth) {
  for (const uint32_t version : {1, 2, 3, 4}) {
    EXPECT_TRUE(DecodeCatalog(FlatCatalog(version, 30, 20, 8, 65)).ok());
  }
  EXPECT_EQ(EncodeCatalog({30, 20, 8, 65}), FlatCatalog(4, 30, 20, 8, 65));
}

TEST(CatalogTest, RefusesANewerVersionAsUnimplemented) {
  EXPECT_TRUE(absl::IsUnimplemented(
      DecodeCatalog(FlatCatalog(kCheckpointFormatVersion + 1, 30, 20, 8, 65))
          .status()));
}

}  // namespace
}  // namespace engram::schema

#include "schema/key_layout.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace engram::schema {
namespace {

constexpr uint64_t kNumbers[] = {
    0,           1, 0xff, 0x100, 65535, 65536, 0xffffffff, uint64_t{1} << 40,
    ~uint64_t{0}};

TEST(KeyLayoutTest, NumbersSortAsNumbers) {
  for (const uint64_t a : kNumbers) {
    for (const uint64_t b : kNumbers) {
      EXPECT_EQ(a < b, CatalogEntryKey(a) < CatalogEntryKey(b));
      EXPECT_EQ(a < b, LinkPartKey(a, 9) < LinkPartKey(b, 1));
      EXPECT_EQ(a < b, VectorPartKey(7, a) < VectorPartKey(7, b));
      const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
      EXPECT_EQ(x < y, LinkPartKey(5, x) < LinkPartKey(5, y));
      if (x != y) {
        EXPECT_EQ(x < y, VectorPartKey(x, 9) < VectorPartKey(y, 1));
      }
    }
  }
}

// Engine-driven compaction ends before v/.
TEST(KeyLayoutTest, VectorsSortLast) {
  const std::string first_vector = VectorPartKey(0, 0);
  EXPECT_GE(first_vector, kVectorPrefix);
  EXPECT_LT(LinkPartKey(~uint64_t{0}, ~uint32_t{0}), kVectorPrefix);
  EXPECT_LT(kHeadKey, kVectorPrefix);
  EXPECT_LT(RecordKey(std::string(512, '\xff')), kVectorPrefix);
  EXPECT_LT(kCatalogKey, kCatalogEntryPrefix);
  EXPECT_LT(kCatalogEntryPrefix, CatalogEntryKey(0));
}

TEST(KeyLayoutTest, RecordKeysKeepAnyBytesOfTheId) {
  const std::string id("a\0b\xff/", 5);
  EXPECT_EQ(RecordKey(id), "r/" + id);
}

TEST(KeyLayoutTest, FamilyNamesRoundTrip) {
  EXPECT_EQ(FamilyName(1), "p000001");
  for (const uint64_t number : kNumbers) {
    if (number == 0) continue;
    EXPECT_EQ(FamilyNumber(FamilyName(number)), number);
  }
}

TEST(KeyLayoutTest, PlacesRoundTrip) {
  EXPECT_EQ(PlaceOf("p000007").family, "p000007");
  EXPECT_EQ(PlaceOf("p000007").member, 0u);
  for (const uint64_t id : kNumbers) {
    if (id == 0) continue;
    const std::string name = MemberName("p000007", id);
    EXPECT_EQ(PlaceOf(name).family, "p000007");
    EXPECT_EQ(PlaceOf(name).member, id);
  }
}

TEST(KeyLayoutTest, OnlyOneNameStandsForAPlace) {
  for (const char* const name :
       {"p000001/", "p000001/0", "p000001/x", "p000001/+1", "p000001/01",
        "p000001/1/1", "p000001/-1", "p000001/ 1",
        "p000001/99999999999999999999"}) {
    EXPECT_EQ(PlaceOf(name).family, "") << name;
    EXPECT_EQ(PlaceOf(name).member, 0u) << name;
  }
}

TEST(KeyLayoutTest, KeysOfMembersRoundTripAndSortByMemberVectorsLast) {
  const std::vector<std::string> keys = {
      DeadLetterKey(1),   LinkPartKey(1, 0), std::string(kHeadKey),
      RecordKey(""),      RecordKey("v/x"),  VectorPartKey(0, 1),
      VectorPartKey(1, 0)};
  std::string previous;
  for (const bool vectors : {false, true}) {
    for (const uint64_t member : {uint64_t{1}, uint64_t{255}, uint64_t{256}}) {
      for (const std::string& key : keys) {
        if (absl::StartsWith(key, kVectorPrefix) != vectors) continue;
        const std::string shared = MemberKey(member, key);
        EXPECT_EQ(MemberOfKey(shared), member);
        EXPECT_EQ(KeyOfMember(shared), key);
        EXPECT_LT(previous, shared);
        EXPECT_EQ(shared >= kVectorPrefix, vectors);
        previous = shared;
      }
    }
  }
  for (const char* const other : {"", "s/", "v/", "m/head", "r/12345678"}) {
    EXPECT_EQ(MemberOfKey(other), 0u) << other;
  }
}

TEST(KeyLayoutTest, OnlyOneNameStandsForAFamily) {
  for (const char* const name :
       {"", "p", "p1", "p00001", "q000001", "p0000001", "p+00001", "p-00001",
        "p 00001", "p00001 ", "p00000x", "p000000", "default",
        "p99999999999999999999"}) {
    EXPECT_EQ(FamilyNumber(name), 0u) << name;
  }
}

}  // namespace
}  // namespace engram::schema

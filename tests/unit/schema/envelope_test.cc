#include "schema/envelope.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

constexpr ValuePlace kPlace = {ValueKind::kHead, 7, 3};

std::string Wrapped(const std::string& body) {
  return WrapValue(kPlace, reinterpret_cast<const uint8_t*>(body.data()),
                   body.size());
}

absl::Status Unwrap(const ValuePlace& place, const std::string& value,
                    size_t bytes_max = 1000) {
  return UnwrapValue(place, value, bytes_max).status();
}

TEST(EnvelopeTest, RoundTripsAtEachSizeToAlignedMemory) {
  for (size_t size = 1; size < 20; ++size) {
    const std::string body(size, 'b');
    const auto value = UnwrapValue(kPlace, Wrapped(body), 1000);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(value->data()),
                          value->size()),
              body);
    EXPECT_EQ(value->generation(), 3u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(value->data()) % 8, 0u);
  }
}

TEST(EnvelopeTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(
      Wrapped("some body"),
      [](const std::string& value) { return Unwrap(kPlace, value); });
}

TEST(EnvelopeTest, RefusesAValueOfAnotherPlace) {
  const std::string value = Wrapped("body");
  EXPECT_TRUE(absl::IsDataLoss(Unwrap({ValueKind::kRecord, 7, 3}, value)));
  EXPECT_TRUE(absl::IsDataLoss(Unwrap({ValueKind::kHead, 8, 3}, value)));
  EXPECT_TRUE(absl::IsDataLoss(Unwrap({ValueKind::kHead, 7, 4}, value)));
  EXPECT_TRUE(Unwrap({ValueKind::kHead, 7, kAnyGeneration}, value).ok());
}

TEST(EnvelopeTest, BoundsTheSize) {
  const std::string value = Wrapped("body");
  EXPECT_TRUE(Unwrap(kPlace, value, value.size()).ok());
  EXPECT_TRUE(absl::IsDataLoss(Unwrap(kPlace, value, value.size() - 1)));
  EXPECT_TRUE(absl::IsDataLoss(Unwrap(kPlace, Wrapped(""))));
}

TEST(EnvelopeTest, CrcDiffersBetweenBodies) {
  EXPECT_NE(EnvelopeCrc(Wrapped("a")), EnvelopeCrc(Wrapped("b")));
  EXPECT_EQ(EnvelopeCrc(Wrapped("a")), EnvelopeCrc(Wrapped("a")));
}

}  // namespace
}  // namespace engram::schema

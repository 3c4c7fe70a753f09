#include "schema/stats_page.h"

#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

TEST(StatsPageTest, RoundTripsWhateverStandsBehindIt) {
  for (const std::string& text : {std::string(), std::string("a 1\nb 2\n")}) {
    const std::string bytes = EncodeStatsPage({42, 7'000'000, text});
    for (const std::string& behind : {std::string(), std::string("old")}) {
      const auto page = DecodeStatsPage(bytes + behind);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_EQ(page->pid, 42);
      EXPECT_EQ(page->unix_micros, 7'000'000);
      EXPECT_EQ(page->text, text);
    }
  }
}

TEST(StatsPageTest, RefusesEveryDamage) {
  const std::string intact = EncodeStatsPage({42, 7, "series 1\n"});
  for (size_t bytes = 0; bytes < intact.size(); ++bytes) {
    EXPECT_FALSE(DecodeStatsPage(intact.substr(0, bytes)).ok()) << bytes;
  }
  for (size_t bit = 0; bit < 8 * intact.size(); ++bit) {
    EXPECT_FALSE(DecodeStatsPage(testing::FlipBit(intact, bit)).ok()) << bit;
  }
}

TEST(StatsPageTest, ANewerVersionIsNamed) {
  std::string bytes = EncodeStatsPage({42, 7, ""});
  const uint32_t version = kStatsVersion + 1;
  std::memcpy(bytes.data() + offsetof(StatsPageHeader, version), &version,
              sizeof(version));
  EXPECT_TRUE(absl::IsUnimplemented(DecodeStatsPage(bytes).status()));
}

}  // namespace
}  // namespace engram::schema

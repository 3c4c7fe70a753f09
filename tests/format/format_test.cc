// Databases that earlier versions wrote must open for ever.

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/fixture.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::FixtureOptions;
using testing::FixtureSpaceName;
using testing::kFixtureDimension;
using testing::kFixtureIds;
using testing::kFixtureRemovedEach;
using testing::TestVector;

class FormatTest : public ::testing::TestWithParam<const char*> {};

TEST_P(FormatTest, ADatabaseOfThisVersionOpensWithAllThatItHeld) {
  testing::TemporaryDirectory directory;
  const std::string command =
      absl::StrCat("tar -xzf ", ENGRAM_FIXTURES, "/", GetParam(), ".tar.gz -C ",
                   directory.path());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  auto db = Db::Open(directory.PathOf("db"), FixtureOptions());
  ASSERT_TRUE(db.ok()) << db.status();
  for (const Metric metric :
       {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    auto space = (*db)->OpenSpace(FixtureSpaceName(metric), {});
    ASSERT_TRUE(space.ok()) << space.status();
    EXPECT_EQ(space->options().metric, metric);
    for (int i = 0; i < kFixtureIds; ++i) {
      const auto stored = space->Get(absl::StrCat("id", i));
      if (i % kFixtureRemovedEach == 0) {
        EXPECT_TRUE(absl::IsNotFound(stored.status())) << i;
        continue;
      }
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->vector, TestVector(kFixtureDimension, i));
      EXPECT_EQ(stored->payload, absl::StrCat("payload ", i));
      EXPECT_EQ(stored->timestamp_us, i);
      if (metric == Metric::kInnerProduct) continue;
      const auto hits = space->Search(stored->vector, {1, 0});
      ASSERT_EQ(hits->size(), 1u);
      EXPECT_EQ((*hits)[0].id, stored->id);
    }
  }
  EXPECT_TRUE((*db)->Close().ok());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FormatTest, ::testing::Values("v1"));

}  // namespace
}  // namespace engram

// Databases that earlier versions wrote must open for ever.

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "second_fixture.h"
#include "tests/support/fixture.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"
#include "third_fixture.h"
#include "unpack.h"

namespace engram {
namespace {

using testing::FixtureOptions;
using testing::FixtureSpaceName;
using testing::kFixtureDimension;
using testing::kFixtureIds;
using testing::kFixtureRemovedEach;
using testing::kMadeNow;
using testing::TestVector;

void Unpack(const std::string& fixture,
            const testing::TemporaryDirectory& directory) {
  testing::Unpack(fixture, ENGRAM_MAKE_FIXTURE, directory);
}

class FormatTest : public ::testing::TestWithParam<const char*> {};

TEST_P(FormatTest, ADatabaseOfThisVersionOpensWithAllThatItHeld) {
  testing::TemporaryDirectory directory;
  ASSERT_NO_FATAL_FAILURE(Unpack(GetParam(), directory));
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

INSTANTIATE_TEST_SUITE_P(Fixtures, FormatTest,
                         ::testing::Values("v1", "v2", "v3", "v4", kMadeNow),
                         [](const auto& test) {
                           return std::string(test.param);
                         });

// --- From the second version on ----------------------------------------------

class SecondFormatTest : public ::testing::TestWithParam<const char*> {};

void ExpectVector(const Space& space, const std::string& id,
                  const std::vector<float>& vector) {
  const auto stored = space.Get(id);
  ASSERT_TRUE(stored.ok()) << id << ": " << stored.status();
  EXPECT_EQ(stored->vector, vector) << id;
  EXPECT_EQ(stored->payload, absl::StrCat("payload of ", id));
}

// An inner product has no nearest neighbor that is known without a scan.
void ExpectNearest(const Space& space, const std::vector<float>& query,
                   const std::set<std::string>& ids) {
  if (space.options().metric == Metric::kInnerProduct) return;
  const auto hits = space.Search(query, {static_cast<uint32_t>(ids.size()), 0});
  ASSERT_TRUE(hits.ok()) << hits.status();
  std::set<std::string> found;
  for (const Hit& hit : *hits) found.insert(hit.id);
  EXPECT_EQ(found, ids);
}

void ExpectSecondContents(const Space& space) {
  for (int i = 0; i < testing::kSecondFixtureIds; ++i) {
    const std::string id = testing::SecondFixtureId(i);
    const std::vector<float> vector = testing::SecondFixtureVector(i);
    std::set<std::string> nearest;
    if (testing::HasTwinInSecondFixture(i)) {
      ExpectVector(space, testing::SecondFixtureTwinId(i), vector);
      nearest.insert(testing::SecondFixtureTwinId(i));
    }
    if (testing::IsRemovedInSecondFixture(i)) {
      EXPECT_TRUE(absl::IsNotFound(space.Get(id).status())) << id;
    } else if (testing::IsReplacedInSecondFixture(i)) {
      ExpectVector(space, id, testing::SecondFixtureReplacement(i));
      ExpectNearest(space, testing::SecondFixtureReplacement(i), {id});
    } else {
      ExpectVector(space, id, vector);
      nearest.insert(id);
    }
    if (!nearest.empty()) ExpectNearest(space, vector, nearest);
  }
  for (int i = 0; i < testing::kSecondFixtureLateIds; ++i) {
    const std::string id = testing::SecondFixtureLateId(i);
    ExpectVector(space, id, testing::SecondFixtureLateVector(i));
    ExpectNearest(space, testing::SecondFixtureLateVector(i), {id});
  }
}

TEST_P(SecondFormatTest, CodesTwinsAndReusedSlotsOpenWithAllThatTheyHeld) {
  testing::TemporaryDirectory directory;
  ASSERT_NO_FATAL_FAILURE(Unpack(GetParam(), directory));
  // The second time it reads what the first one saved.
  for (int round = 0; round < 2; ++round) {
    auto db = Db::Open(directory.PathOf("db"), FixtureOptions());
    ASSERT_TRUE(db.ok()) << db.status();
    for (const testing::SecondFixtureSpace& each :
         testing::kSecondFixtureSpaces) {
      SCOPED_TRACE(absl::StrCat(each.name, ", round ", round));
      auto space = (*db)->OpenSpace(each.name, testing::OptionsOf(each));
      ASSERT_TRUE(space.ok()) << space.status();
      EXPECT_EQ(space->options().quantization, each.quantization);
      EXPECT_EQ(space->options().stored, each.stored);
      const auto stats = space->GetStats();
      ASSERT_TRUE(stats.ok()) << stats.status();
      EXPECT_TRUE(stats->has_graph);
      EXPECT_EQ(stats->unreachable_nodes, 0u);
      ExpectSecondContents(*space);
    }
    EXPECT_TRUE((*db)->Checkpoint().ok());
    EXPECT_TRUE((*db)->Close().ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SecondFormatTest,
                         ::testing::Values("v2", "v3", "v4", kMadeNow),
                         [](const auto& test) {
                           return std::string(test.param);
                         });

// --- From the third version on -----------------------------------------------

class ThirdFormatTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ThirdFormatTest, ProducersAndDeadLettersAreThere) {
  testing::TemporaryDirectory directory;
  ASSERT_NO_FATAL_FAILURE(Unpack(GetParam(), directory));
  for (int round = 0; round < 2; ++round) {
    auto db = Db::Open(directory.PathOf("db"), FixtureOptions());
    ASSERT_TRUE(db.ok()) << db.status();
    EXPECT_EQ((*db)->LastSequence(testing::kSavedProducer)->sequence,
              uint64_t{testing::kThirdFixtureIds});
    EXPECT_EQ((*db)->LastSequence(testing::kLoggedProducer)->sequence,
              testing::kLoggedSequence);
    auto space = (*db)->OpenSpace(testing::kThirdFixtureSpace,
                                  testing::ThirdFixtureOptions());
    ASSERT_TRUE(space.ok()) << space.status();
    for (int i = 0; i < testing::kThirdFixtureIds; ++i) {
      const std::vector<float> vector = testing::ThirdFixtureVector(i);
      const auto stored = space->Get(testing::ThirdFixtureId(i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->vector, vector);
      EXPECT_EQ(stored->timestamp_us, i);
      ExpectNearest(*space, vector, {testing::ThirdFixtureId(i)});
    }
    const auto letters = space->ListDeadLetters();
    ASSERT_TRUE(letters.ok()) << letters.status();
    ASSERT_EQ(letters->size(),
              size_t{testing::kThirdFixtureIds - testing::kThirdFixtureRoom});
    EXPECT_EQ(letters->front().id,
              testing::ThirdFixtureId(testing::kThirdFixtureRoom));
    EXPECT_TRUE(absl::IsResourceExhausted(letters->front().status));
    EXPECT_TRUE((*db)->Close().ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ThirdFormatTest,
                         ::testing::Values("v3", "v4", kMadeNow),
                         [](const auto& test) {
                           return std::string(test.param);
                         });

}  // namespace
}  // namespace engram

// Spaces whose tail is long and wide enough for codes.

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::engram::testing::TestVector;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr uint32_t kDimension = 200;
constexpr int kCount = 1000;

class CodedTailTest : public SpaceHarness {
 protected:
  CodedTailTest() { description_.dimension = kDimension; }

  // What is indexed is searched exactly: it is the tail that is tested.
  void MakeFlat() { Make(/*flat_records_max=*/100'000); }

  // Replaces and removes some of what it writes.
  void WriteSome(int first, int end) {
    for (int i = first; i < end; ++i) {
      Observe(absl::StrCat("id", i), static_cast<uint64_t>(i));
      if (i % 10 == 3) Observe(absl::StrCat("id", i / 2), 100'000u + i);
      if (i % 10 == 7) Remove(absl::StrCat("id", i / 2));
    }
  }

  std::vector<Hit> SearchFor(uint64_t seed) {
    return Search(TestVector(kDimension, seed), 25);
  }

  bool HasCodes() const {
    return space_->record_bytes() > space_->gate().GetStats().bytes;
  }
};

class CodedTailOfMetricTest
    : public CodedTailTest,
      public ::testing::WithParamInterface<schema::Metric> {};

TEST_P(CodedTailOfMetricTest, AnswersAreTheSameBeforeAndAfterIndexing) {
  description_.metric = GetParam();
  MakeFlat();
  WriteSome(0, kCount);
  EXPECT_TRUE(HasCodes());
  std::vector<std::vector<Hit>> before;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    before.push_back(SearchFor(seed * 37));
  }
  ServeAll();
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const std::vector<Hit> after = SearchFor(seed * 37);
    ASSERT_EQ(before[seed].size(), after.size());
    for (size_t i = 0; i < after.size(); ++i) {
      EXPECT_EQ(before[seed][i].lsn, after[i].lsn) << seed << ", hit " << i;
      EXPECT_EQ(before[seed][i].distance, after[i].distance);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Metrics, CodedTailOfMetricTest,
                         ::testing::Values(schema::Metric::kL2,
                                           schema::Metric::kCosine,
                                           schema::Metric::kInnerProduct));

TEST_F(CodedTailTest, HoldsWhatItShould) {
  MakeFlat();
  WriteSome(0, kCount);
  ExpectMatchesModel();
  space_->Serve(500);
  ExpectMatchesModel();
  WriteSome(kCount, kCount + 300);
  ExpectMatchesModel();
  ServeAll();
  ExpectMatchesModel();
}

TEST_F(CodedTailTest, ItsCodesCountAsMemoryWhileItHoldsThem) {
  MakeFlat();
  WriteSome(0, 100);
  EXPECT_FALSE(HasCodes()) << "a short tail has none";
  WriteSome(100, kCount);
  const uint64_t with_codes =
      space_->record_bytes() - space_->gate().GetStats().bytes;
  EXPECT_GT(with_codes, (kCount - 400) * kDimension);
  EXPECT_LT(with_codes, (kCount + 400) * 2 * kDimension);
  ServeAll();
  const uint64_t unsaved = space_->GetStats(0).unsaved_bytes;
  EXPECT_EQ(space_->record_bytes(), unsaved);
}

TEST_F(CodedTailTest, SmallVectorsHaveNone) {
  description_.dimension = 16;
  MakeFlat();
  WriteSome(0, kCount);
  EXPECT_FALSE(HasCodes());
  ExpectMatchesModel();
}

TEST_F(CodedTailTest, DeadLettersAreFoundBesideIt) {
  slots_max_ = 50;
  MakeFlat();
  WriteSome(0, 100);
  ServeAll();
  EXPECT_THAT(space_->ListDeadLetters(), Not(IsEmpty()));
  WriteSome(100, kCount);
  EXPECT_TRUE(HasCodes());
  ExpectMatchesModel();
}

TEST_F(CodedTailTest, AColdSpacesTailIsSearchedWhenItIsLoaded) {
  OpenStore();
  MakeFlat();
  WriteSome(0, 200);
  ServeAll();
  Checkpoint();
  ASSERT_TRUE(space_->Evict());
  WriteSome(200, kCount);
  EXPECT_FALSE(space_->is_resident());
  EXPECT_TRUE(HasCodes());
  ExpectMatchesModel();
}

// One thread writes and another one indexes while two search for what was
// acknowledged last.
TEST_F(CodedTailTest, WhatIsAcknowledgedIsFoundWhileOthersWriteAndIndex) {
  MakeFlat();
  WriteSome(0, 600);
  std::atomic<uint64_t> last{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    while (!done) {
      if (space_->gate().records() > 500) space_->Serve(20);
      std::this_thread::yield();
    }
  });
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (!done) {
        const uint64_t seed = last;
        if (seed == 0) continue;
        const std::vector<Hit> hits = SearchFor(seed);
        ASSERT_FALSE(hits.empty());
        EXPECT_EQ(hits[0].id, absl::StrCat("new", seed));
      }
    });
  }
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    Observe(absl::StrCat("new", 1'000'000 + seed), 1'000'000 + seed);
    last = 1'000'000 + seed;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  ServeAll();
  ExpectMatchesModel();
}

}  // namespace
}  // namespace engram::space

#include "engine/db/checkpoint_pace.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kLimit = 160'000;
constexpr uint64_t kStep = 2500;

// Spaces that share a log, each with a part of it, and are saved as the pace
// says.
class LogOfSpaces {
 public:
  explicit LogOfSpaces(std::vector<uint64_t> bytes_per_step)
      : bytes_per_step_(std::move(bytes_per_step)),
        spaces_(bytes_per_step_.size()) {}

  // Returns the bytes that are saved.
  uint64_t Step() {
    for (size_t i = 0; i < spaces_.size(); ++i) {
      spaces_[i].log_bytes += kStep;
      spaces_[i].unsaved_bytes += bytes_per_step_[i];
    }
    std::vector<size_t> order(spaces_.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
      return spaces_[a].log_bytes > spaces_[b].log_bytes;
    });
    std::vector<CheckpointPace::Candidate> candidates;
    for (const size_t i : order) candidates.push_back(spaces_[i]);
    uint64_t saved = 0;
    for (const size_t i : pace_.Take(candidates, kStep)) {
      saved += spaces_[order[i]].unsaved_bytes;
      spaces_[order[i]] = {};
      ++checkpoints_;
    }
    return saved;
  }

  uint64_t log_bytes() const {
    uint64_t most = 0;
    for (const auto& space : spaces_) most = std::max(most, space.log_bytes);
    return most;
  }

  size_t checkpoints() const { return checkpoints_; }

 private:
  const std::vector<uint64_t> bytes_per_step_;
  std::vector<CheckpointPace::Candidate> spaces_;
  CheckpointPace pace_{kLimit};
  size_t checkpoints_ = 0;
};

TEST(CheckpointPaceTest, SavesNothingWhereNothingIsUnsaved) {
  CheckpointPace pace(kLimit);
  EXPECT_THAT(pace.Take({}, kStep), IsEmpty());
  EXPECT_THAT(pace.Take({}, 100 * kLimit), IsEmpty());
}

TEST(CheckpointPaceTest, ASpaceAloneIsSavedWhenItIsDueAndNotBefore) {
  LogOfSpaces log({kStep});
  for (uint64_t logged = kStep; logged < kLimit; logged += kStep) {
    ASSERT_EQ(log.Step(), 0u) << "after " << logged;
  }
  EXPECT_EQ(log.Step(), kLimit);
}

TEST(CheckpointPaceTest, WhatIsDueIsSavedHoweverMuchItIs) {
  CheckpointPace pace(kLimit);
  const std::vector<CheckpointPace::Candidate> candidates = {
      {3 * kLimit, 100 * kLimit}, {kLimit, kLimit}, {kLimit - 1, kLimit}};
  EXPECT_THAT(pace.Take(candidates, kStep), ElementsAre(0, 1));
}

TEST(CheckpointPaceTest, ManySpacesThatBeginTogetherComeToTakeTurns) {
  constexpr uint64_t kSteps = 800;
  LogOfSpaces log(std::vector<uint64_t>(20, kStep / 20));
  for (uint64_t i = 0; i < kSteps; ++i) {
    const uint64_t saved = log.Step();
    ASSERT_LE(log.log_bytes(), kLimit) << i;
    // A tenth of what one checkpoint of all of them would be.
    ASSERT_LE(saved, kLimit / 10) << i;
  }
  // Each of them once for every seven tenths of the limit, about.
  EXPECT_GE(log.checkpoints(), 20 * kSteps * kStep / kLimit);
  EXPECT_LE(log.checkpoints(), 20 * kSteps * kStep * 3 / (2 * kLimit));
}

// A thousand spaces, the n-th of which gets 1 / n of the traffic; with and
// without one that gets most of it. What a step saves is counted with what each
// space costs by itself.
TEST(CheckpointPaceTest, ManySmallSpacesAreNotSavedAtOnceBecauseOfALargeOne) {
  constexpr size_t kSpaces = 1000;
  for (const double share_of_first : {0.13, 0.9}) {
    std::vector<uint64_t> bytes_per_step = {
        static_cast<uint64_t>(share_of_first * kStep)};
    for (size_t i = 1; i < kSpaces; ++i) {
      const double share =
          (1 - share_of_first) / (6.5 * static_cast<double>(i));
      bytes_per_step.push_back(static_cast<uint64_t>(share * kStep));
    }
    LogOfSpaces log(bytes_per_step);
    size_t most = 0;
    for (int i = 0; i < 1000; ++i) {
      const size_t before = log.checkpoints();
      log.Step();
      ASSERT_LE(log.log_bytes(), kLimit) << i;
      // All have begun together, and come apart in a few rounds.
      if (i >= 500) most = std::max(most, log.checkpoints() - before);
    }
    EXPECT_LE(most, kSpaces / 5) << share_of_first;
  }
}

TEST(CheckpointPaceTest, AnIdleSpaceThatKeepsTheLogIsSavedFirst) {
  LogOfSpaces log({0, kStep / 2, kStep / 2});
  uint64_t steps = 0;
  while (log.checkpoints() == 0) {
    log.Step();
    ASSERT_LE(++steps, kLimit / kStep);
  }
  EXPECT_EQ(log.checkpoints(), 1u);
  EXPECT_LT(steps, kLimit / kStep) << "it costs nothing";
}

}  // namespace
}  // namespace engram::internal

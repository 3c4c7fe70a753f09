// Several groups under way at once, and the two durabilities.

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "step_queue.h"
#include "storage/wal/writer.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using Stage = io::Completion::Stage;
using testing::MemoryDirectory;

// Once one of this size is under way, the next is a group of its own. Three fit
// in a segment.
constexpr size_t kLargeBytes = 66'000;

// Long enough for the log's thread to do what it must not do.
constexpr useconds_t kMomentMicros = 20'000;

class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override { Open({}); }

  void Open(OpenLog::Options options) {
    directory_.set_direct(true);
    options.create_queue = [steps = steps_] {
      return std::unique_ptr<io::IoQueue>(new StepQueue(steps));
    };
    auto log = OpenLog::Open(&directory_, options);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    ASSERT_TRUE(log_->segments().WaitReady(2, kLongMicros).ok());
  }

  Lsn AppendAsync(size_t bytes, Durability durability = Durability::kSync) {
    const std::string payload(bytes, 'x');
    const schema::RecordDraft draft = DraftOf(payload);
    const auto lsn = log_->writer().AppendAsync(
        absl::MakeConstSpan(&draft, 1), kLongMicros, durability,
        [this](Lsn acknowledged, const absl::Status& status) {
          MutexLock lock(mutex_);
          results_.push_back(status.ok() ? acknowledged : 0);
          changed_.NotifyAll();
        });
    EXPECT_TRUE(lsn.ok()) << lsn.status();
    return *lsn;
  }

  // The first two of these are groups that are under way, the others wait.
  void AppendLarge(int count) {
    AppendAsync(kLargeBytes);
    steps_->WaitSubmitted(1);
    for (int i = 1; i < count; ++i) AppendAsync(kLargeBytes);
    steps_->WaitSubmitted(2);
  }

  void CompleteBoth(size_t request) {
    steps_->Complete(request, Stage::kWritten);
    steps_->Complete(request, Stage::kDurable);
  }

  // Waits for so many callbacks; returns the LSNs in their order, 0 for a
  // failure.
  std::vector<Lsn> WaitCalled(size_t count) {
    MutexLock lock(mutex_);
    while (results_.size() < count) changed_.Wait(mutex_);
    return results_;
  }

  std::vector<Lsn> CalledAfterAMoment() {
    ::usleep(kMomentMicros);
    return WaitCalled(0);
  }

  MemoryDirectory directory_;
  const std::shared_ptr<Steps> steps_ = std::make_shared<Steps>();
  Mutex mutex_;
  CondVar changed_;
  std::vector<Lsn> results_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<OpenLog> log_;
};

TEST_F(PipelineTest, GroupsUnderWayTogetherAreAcknowledgedInOrder) {
  AppendLarge(3);
  CompleteBoth(1);
  EXPECT_TRUE(CalledAfterAMoment().empty());
  EXPECT_EQ(log_->writer().durable_lsn(), 0u);
  EXPECT_EQ(log_->sink().last_lsn(), 0u);
  CompleteBoth(0);
  EXPECT_EQ(WaitCalled(2), (std::vector<Lsn>{1, 2}));
  EXPECT_EQ(log_->writer().durable_lsn(), 2u);
  EXPECT_EQ(log_->sink().last_lsn(), 2u);
  steps_->WaitSubmitted(3);
  CompleteBoth(2);
  EXPECT_EQ(WaitCalled(3), (std::vector<Lsn>{1, 2, 3}));
  const auto groups = GroupsOf(&directory_, 1);
  ASSERT_GE(groups.size(), 3u);
  EXPECT_EQ(groups[1].header.durable_lsn, 0u);
  EXPECT_EQ(groups[2].header.durable_lsn, 2u);
}

TEST_F(PipelineTest, SmallAppendsWaitForTheGroupUnderWay) {
  AppendAsync(10);
  steps_->WaitSubmitted(1);
  for (int i = 0; i < 20; ++i) AppendAsync(10);
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 1u);
  CompleteBoth(0);
  steps_->WaitSubmitted(2);
  CompleteBoth(1);
  EXPECT_EQ(WaitCalled(21).back(), 21u);
  EXPECT_EQ(steps_->submitted(), 2u);
}

TEST_F(PipelineTest, AProcessAppendIsAcknowledgedWhenItIsWritten) {
  AppendAsync(10, Durability::kProcess);
  steps_->WaitSubmitted(1);
  EXPECT_TRUE(CalledAfterAMoment().empty());
  steps_->Complete(0, Stage::kWritten);
  EXPECT_EQ(WaitCalled(1), std::vector<Lsn>{1});
  EXPECT_EQ(log_->sink().last_lsn(), 1u);
  EXPECT_EQ(log_->writer().durable_lsn(), 0u);
  steps_->Complete(0, Stage::kDurable);
  EXPECT_TRUE(log_->writer().WaitDurable(1).ok());
  EXPECT_EQ(log_->sink().records().size(), 1u);
}

TEST_F(PipelineTest, ASyncAppendIsNeitherSeenNorAcknowledgedBeforeItsSync) {
  AppendAsync(10);
  steps_->WaitSubmitted(1);
  steps_->Complete(0, Stage::kWritten);
  EXPECT_TRUE(CalledAfterAMoment().empty());
  EXPECT_EQ(log_->sink().last_lsn(), 0u);
  steps_->Complete(0, Stage::kDurable);
  EXPECT_EQ(WaitCalled(1), std::vector<Lsn>{1});
}

TEST_F(PipelineTest, AProcessAppendOvertakesTheSyncsBeforeItButNoWrite) {
  AppendAsync(10);
  steps_->WaitSubmitted(1);
  std::atomic<bool> acknowledged{false};
  std::thread appender([&] {
    const std::string payload = "process";  // the draft borrows it
    const schema::RecordDraft draft = DraftOf(payload);
    EXPECT_TRUE(log_->writer()
                    .Append(absl::MakeConstSpan(&draft, 1), kLongMicros,
                            Durability::kProcess)
                    .ok());
    acknowledged = true;
  });
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 1u);
  steps_->Complete(0, Stage::kWritten);
  steps_->WaitSubmitted(2);
  EXPECT_EQ(log_->sink().last_lsn(), 0u);
  EXPECT_FALSE(acknowledged);
  steps_->Complete(1, Stage::kWritten);
  appender.join();
  EXPECT_EQ(log_->sink().last_lsn(), 2u);  // and so what is before it
  EXPECT_TRUE(CalledAfterAMoment().empty());
  EXPECT_EQ(log_->writer().durable_lsn(), 0u);
  steps_->Complete(1, Stage::kDurable);
  steps_->Complete(0, Stage::kDurable);
  EXPECT_EQ(WaitCalled(1), std::vector<Lsn>{1});
}

TEST_F(PipelineTest, CallbacksComeInTheOrderOfLsnsWhateverTheyWaitFor) {
  AppendAsync(10);
  steps_->WaitSubmitted(1);
  AppendAsync(10, Durability::kProcess);
  steps_->Complete(0, Stage::kWritten);
  steps_->WaitSubmitted(2);
  steps_->Complete(1, Stage::kWritten);
  EXPECT_TRUE(CalledAfterAMoment().empty());
  EXPECT_EQ(log_->sink().last_lsn(), 2u);
  steps_->Complete(0, Stage::kDurable);
  EXPECT_EQ(WaitCalled(2), (std::vector<Lsn>{1, 2}));
  EXPECT_EQ(log_->writer().durable_lsn(), 1u);
  steps_->Complete(1, Stage::kDurable);
}

// (which request fails, at which stage)
class PipelineFailureTest
    : public PipelineTest,
      public ::testing::WithParamInterface<std::tuple<int, Stage>> {};

INSTANTIATE_TEST_SUITE_P(
    RequestAndStage, PipelineFailureTest,
    ::testing::Combine(::testing::Values(0, 1),
                       ::testing::Values(Stage::kWritten, Stage::kDurable)));

// Not what is behind it, nor what is before it: the failed sync may have taken
// the error of the other away.
TEST_P(PipelineFailureTest, NothingIsAcknowledgedAfterIt) {
  const size_t failing = static_cast<size_t>(std::get<0>(GetParam()));
  AppendLarge(3);
  std::thread blocking([this] { EXPECT_FALSE(log_->Append({"x"}).ok()); });
  ::usleep(kMomentMicros);
  if (std::get<1>(GetParam()) == Stage::kDurable) {
    steps_->Complete(failing, Stage::kWritten);
  }
  steps_->Complete(failing, std::get<1>(GetParam()),
                   absl::UnknownError("input/output error"));
  // Their bytes belong to the queue until they have completed, too.
  EXPECT_TRUE(CalledAfterAMoment().empty());
  EXPECT_FALSE(log_->Append({"refused at once"}).ok());
  CompleteBoth(1 - failing);
  EXPECT_EQ(WaitCalled(3), (std::vector<Lsn>{0, 0, 0}));
  blocking.join();
  EXPECT_EQ(log_->sink().last_lsn(), 0u);
  EXPECT_EQ(log_->writer().durable_lsn(), 0u);
  EXPECT_EQ(steps_->submitted(), 2u);
  EXPECT_FALSE(log_->writer().Close().ok());
  EXPECT_GE(log_->sink().called_back(), 1) << "nobody would run the callbacks";
}

TEST_F(PipelineTest, ANewSegmentWaitsForAllGroupsOfTheOneBefore) {
  AppendLarge(4);
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 2u);  // the other two fit together, not here
  CompleteBoth(1);
  ::usleep(kMomentMicros);
  EXPECT_EQ(log_->segments().live(), std::vector<uint64_t>{1});
  CompleteBoth(0);
  steps_->WaitSubmitted(3);
  EXPECT_EQ(log_->segments().live(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(log_->writer().durable_lsn(), 2u);
  CompleteBoth(2);
  EXPECT_EQ(WaitCalled(4), (std::vector<Lsn>{1, 2, 3, 4}));
  EXPECT_TRUE(log_->writer().Close().ok());
  const auto recovered = RecoverAll(&directory_);
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(recovered->records.size(), 4u);
}

TEST_F(PipelineTest, CloseWritesWhatWasAppendedBefore) {
  AppendLarge(3);
  std::thread closer([this] { EXPECT_TRUE(log_->writer().Close().ok()); });
  CompleteBoth(0);
  CompleteBoth(1);
  steps_->WaitSubmitted(3);
  CompleteBoth(2);
  closer.join();
  EXPECT_EQ(WaitCalled(3), (std::vector<Lsn>{1, 2, 3}));
}

TEST_F(PipelineTest, AnAppenderAloneWritesItself) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(log_->Append({std::string(1000 * (i % 7), 'x')}).ok());
  }
  EXPECT_EQ(steps_->submitted(), 0u);
  EXPECT_EQ(log_->writer().GetStats().groups_led, 20u);
  EXPECT_EQ(log_->writer().GetStats().groups, 20u);
}

// While the log's thread is at work, a blocking append is its next group; it
// does not write beside it.
TEST_F(PipelineTest, AnAppenderLeadsOnlyWhenNothingIsUnderWay) {
  AppendAsync(10);
  steps_->WaitSubmitted(1);
  std::atomic<bool> acknowledged{false};
  std::thread appender([&] {
    EXPECT_TRUE(log_->Append({"x"}).ok());
    acknowledged = true;
  });
  ::usleep(kMomentMicros);
  EXPECT_FALSE(acknowledged);
  EXPECT_EQ(log_->writer().GetStats().groups_led, 0u);
  CompleteBoth(0);
  appender.join();
  EXPECT_EQ(log_->writer().GetStats().groups_led, 1u);
  EXPECT_EQ(steps_->submitted(), 1u);
}

// The log has just begun a group when the sink becomes busy.
class BusySinkTest : public PipelineTest {
 protected:
  void SetUp() override { OpenBusy({}); }

  void OpenBusy(const OpenLog::Options& options) {
    Open(options);
    AppendAsync(10);
    steps_->WaitSubmitted(1);
    CompleteBoth(0);
    WaitCalled(1);
    log_->sink().set_busy(true);
  }
};

TEST_F(BusySinkTest, AppendsThatNobodyWaitsForAreGathered) {
  for (int i = 0; i < 20; ++i) AppendAsync(10);
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 1u);
  std::thread closer([this] { EXPECT_TRUE(log_->writer().Close().ok()); });
  steps_->WaitSubmitted(2);
  CompleteBoth(1);
  closer.join();
  EXPECT_EQ(WaitCalled(21).back(), 21u);
  EXPECT_EQ(steps_->submitted(), 2u);
}

TEST_F(BusySinkTest, WhoeverWaitsBringsThemThrough) {
  AppendAsync(10);
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 1u);
  std::thread appender([this] { EXPECT_TRUE(log_->Append({"x"}).ok()); });
  steps_->WaitSubmitted(2);
  CompleteBoth(1);
  appender.join();
  EXPECT_EQ(WaitCalled(2), (std::vector<Lsn>{1, 2}));
}

TEST_F(BusySinkTest, AThreadThatAppendsAloneWritesAtOnce) {
  EXPECT_TRUE(log_->Append({"x"}).ok());
  EXPECT_EQ(log_->writer().GetStats().groups_led, 1u);
}

TEST_F(BusySinkTest, AProcessAppendIsNotHeldUp) {
  AppendAsync(10, Durability::kProcess);
  steps_->WaitSubmitted(2);
  CompleteBoth(1);
  EXPECT_EQ(WaitCalled(2), (std::vector<Lsn>{1, 2}));
}

TEST_F(BusySinkTest, AGroupThatTakesNoMoreIsWrittenAtOnce) {
  AppendAsync(kLargeBytes);
  ::usleep(kMomentMicros);
  EXPECT_EQ(steps_->submitted(), 1u);
  AppendAsync(kLargeBytes);
  steps_->WaitSubmitted(2);
  CompleteBoth(1);
  EXPECT_EQ(WaitCalled(2), (std::vector<Lsn>{1, 2}));
  std::thread closer([this] { EXPECT_TRUE(log_->writer().Close().ok()); });
  steps_->WaitSubmitted(3);
  CompleteBoth(2);
  closer.join();
}

class ShortGatherTest : public BusySinkTest {
 protected:
  void SetUp() override {
    OpenLog::Options options;
    options.gather_micros = 10'000;
    OpenBusy(options);
  }
};

// In all states in which the log's thread may sleep meanwhile: before it has
// noted that the log is idle, and after that, without a deadline.
TEST_F(ShortGatherTest, WhatWasGatheredIsWrittenWhenItsTimeIsOver) {
  for (size_t i = 1; i < 40; ++i) {
    ::usleep(static_cast<useconds_t>(i % 8 * 500));
    AppendAsync(10);
    steps_->WaitSubmitted(i + 1);
    CompleteBoth(i);
    EXPECT_EQ(WaitCalled(i + 1).back(), i + 1);
  }
}

}  // namespace
}  // namespace engram::wal

// What is said of a log that fails: by the stats, by the metrics, and to the
// listener.

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/crash/sim_machine.h"
#include "tests/support/event_recorder.h"
#include "tests/support/exposition.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

constexpr uint32_t kDimension = 4;

double WalFailed(const Db& db) {
  const Exposition text = ParseExposition(PrometheusText(*db.GetMetrics()));
  EXPECT_TRUE(text.faults.empty());
  return text.series.at("engram_wal_failed");
}

// `seed` chooses how the log is written; see SimMachine.
class LogFailureTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(LogFailureTest, IsToldOnceAndSeenInTheMetrics) {
  SimMachine machine(EmptyDisk(), GetParam());
  const auto recorder = std::make_shared<EventRecorder>();
  Options options = SimOptions();
  options.listener = recorder;
  absl::StatusOr<std::unique_ptr<Db>> db = machine.Open(options);
  ASSERT_TRUE(db.ok()) << db.status();
  SpaceOptions space_options;
  space_options.dimension = kDimension;
  Space space = (*db)->OpenSpace("a", space_options).value();
  const auto observe = [&](int number) {
    return space
        .Observe({absl::StrCat(number), TestVector(kDimension, number), ""})
        .status();
  };
  ASSERT_TRUE(observe(0).ok());
  EXPECT_EQ(WalFailed(**db), 0);

  io::SimPlan plan;
  plan.fault.target = io::SimFault::Target::kSyncs;
  plan.fault.for_ever = true;
  plan.fault.nth = 1;
  machine.disk().SetPlan(plan);
  EXPECT_FALSE(observe(1).ok());
  EXPECT_FALSE(observe(2).ok());
  EXPECT_TRUE(recorder->WaitFor("log failed"));
  const absl::Status status = (*db)->GetStats()->wal_status;
  EXPECT_EQ(WalFailed(**db), 1);
  EXPECT_EQ(space.ListIds()->front(), "0") << "reads go on";
  EXPECT_FALSE((*db)->Close().ok());
  ASSERT_EQ(recorder->log_failures.size(), 1u);
  EXPECT_EQ(recorder->log_failures[0], status);
}

INSTANTIATE_TEST_SUITE_P(Queues, LogFailureTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace engram::testing

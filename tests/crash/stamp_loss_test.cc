// A log fails under a producer's write: what was acknowledged to it before is
// not forgotten with the segment that held it.

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/crash/sim_machine.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

constexpr uint32_t kDimension = 4;
constexpr uint64_t kProducer = 7;
constexpr size_t kPayloadBytes = 20'000;
constexpr int kFillers = 30;  // two segments and more
constexpr uint64_t kPowerCuts = 10;

WriteOptions Stamped(uint64_t sequence) {
  WriteOptions options;
  options.stamp = ProducerStamp{kProducer, sequence, std::nullopt};
  return options;
}

// No checkpoint is due before Close().
Options LongLogOptions() {
  Options options = SimOptions();
  options.wal_limit_bytes = 16 << 20;
  return options;
}

// `seed` chooses how the log is written; see SimMachine.
class StampLossTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  static absl::Status Observe(Space& space, const WriteOptions& options) {
    return space
        .Observe(
            {"id", TestVector(kDimension, 1), std::string(kPayloadBytes, 'x')},
            options)
        .status();
  }
};

TEST_P(StampLossTest, TheLastAcknowledgedSequenceSurvivesAFailedWrite) {
  SimMachine machine(EmptyDisk(), GetParam());
  absl::StatusOr<std::unique_ptr<Db>> db = machine.Open(LongLogOptions());
  ASSERT_TRUE(db.ok()) << db.status();
  SpaceOptions space_options;
  space_options.dimension = kDimension;
  {
    Space space = (*db)->OpenSpace("a", space_options).value();
    ASSERT_TRUE(Observe(space, Stamped(1)).ok());
    for (int i = 0; i < kFillers; ++i) ASSERT_TRUE(Observe(space, {}).ok());
    ASSERT_EQ((*db)->GetStats()->checkpoints, 0u);

    io::SimPlan plan;
    plan.fault.target = io::SimFault::Target::kWrites;
    plan.fault.for_ever = true;
    machine.disk().SetPlan(plan);
    ASSERT_FALSE(Observe(space, Stamped(2)).ok());
    machine.disk().SetPlan({});  // RocksDB's files are well
  }
  EXPECT_FALSE((*db)->Close().ok());
  db->reset();

  // Of the second write the disk may have a part.
  for (uint64_t cut = 0; cut < kPowerCuts; ++cut) {
    SCOPED_TRACE(absl::StrCat("power cut ", cut));
    SimMachine later(machine.disk().AfterCrash(cut), GetParam());
    db = later.Open(LongLogOptions());
    ASSERT_TRUE(db.ok()) << db.status();
    const absl::StatusOr<ProducerPosition> last =
        (*db)->LastSequence(kProducer);
    ASSERT_TRUE(last.ok()) << last.status();
    EXPECT_GE(last->sequence, 1u);
    Space space = (*db)->OpenSpace("a", {}).value();
    bool duplicate = false;
    EXPECT_TRUE(space
                    .Observe({"id", TestVector(kDimension, 1), ""}, Stamped(1),
                             &duplicate)
                    .ok());
    EXPECT_TRUE(duplicate);
    db->reset();
  }
}

INSTANTIATE_TEST_SUITE_P(Queues, StampLossTest, ::testing::Values(1, 2));

}  // namespace
}  // namespace engram::testing

// What a listener is told, and what it may do meanwhile.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/event_recorder.h"
#include "tests/support/slow_build.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using testing::EventRecorder;
using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 32;

class EventListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.workers = 1;
    options_.listener = recorder_;
  }

  absl::StatusOr<std::unique_ptr<Db>> TryOpen(const std::string& name = "db") {
    return Db::Open(directory_.PathOf(name), options_);
  }

  void Open(const std::string& name = "db") {
    auto db = TryOpen(name);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
  }

  // Forgets what was told until now.
  void Forget() {
    db_.reset();
    recorder_ = std::make_shared<EventRecorder>();
    options_.listener = recorder_;
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    return db_->OpenSpace(name, options).value();
  }

  // One batch, admitted however large it is.
  Lsn Write(Space space, int count) {
    WriteBatch batch;
    for (int i = 0; i < count; ++i) {
      batch.Observe(space,
                    {absl::StrCat("id", i), TestVector(kDimension, i), ""});
    }
    WriteOptions options;
    options.priority = Priority::kHigh;
    return db_->Write(batch, options).value();
  }

  absl::Status WaitIndexed(Lsn lsn) {
    return db_->Wait(lsn, Stage::kIndexed, absl::Minutes(2));
  }

  testing::TemporaryDirectory directory_;
  std::shared_ptr<EventRecorder> recorder_ = std::make_shared<EventRecorder>();
  Options options_;
  std::unique_ptr<Db> db_;
};

TEST_F(EventListenerTest, RecoveryIsToldFirst) {
  Open();
  Write(OpenSpace("a"), 30);
  const std::string copy = directory_.PathOf("copy");
  // While the owner lives: what a kill leaves.
  std::filesystem::copy(directory_.PathOf("db"), copy,
                        std::filesystem::copy_options::recursive);
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder_->recovered.size(), 1u);
  EXPECT_EQ(recorder_->recovered[0].replayed_records, 0u);
  EXPECT_EQ(recorder_->names()[0], "recovered");

  Forget();
  Open("copy");
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder_->recovered.size(), 1u);
  EXPECT_EQ(recorder_->recovered[0].replayed_records, 30u);
  EXPECT_GT(recorder_->recovered[0].duration, absl::ZeroDuration());
  EXPECT_EQ(recorder_->names()[0], "recovered");
  EXPECT_TRUE(recorder_->created.empty()) << "it was there";
}

TEST_F(EventListenerTest, AnOpenThatFailsTellsNothing) {
  Open();
  Write(OpenSpace("a"), 1);
  Forget();
  std::filesystem::remove_all(directory_.PathOf("db") + "/kv");
  EXPECT_FALSE(TryOpen().ok());
  EXPECT_TRUE(recorder_->names().empty());
  options_.listener = nullptr;
  EXPECT_EQ(recorder_.use_count(), 1);
}

TEST_F(EventListenerTest, CheckpointsAreToldWithWhatTheySaved) {
  Open();
  for (const char* name : {"a", "b", "c"}) OpenSpace(name);
  Write(OpenSpace("a"), 10);
  ASSERT_TRUE(WaitIndexed(Write(OpenSpace("b"), 20)).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  const uint64_t bytes = db_->GetStats()->checkpoint_bytes;
  ASSERT_TRUE(db_->Close().ok());
  const auto& ends = recorder_->checkpoints;
  ASSERT_EQ(ends.size(), 2u) << "asked for, and of Close()";
  EXPECT_TRUE(ends[0].status.ok());
  EXPECT_EQ(ends[0].spaces_saved, 2u);
  EXPECT_EQ(ends[0].bytes, bytes);
  EXPECT_GT(ends[0].bytes, 30 * kDimension * sizeof(float));
  EXPECT_GT(ends[0].duration, absl::ZeroDuration());
  EXPECT_LT(ends[0].duration, absl::Minutes(5));
  EXPECT_EQ(ends[1].spaces_saved, 0u);
  EXPECT_EQ(ends[1].bytes, 0u);
  EXPECT_THAT(recorder_->names(),
              ElementsAre("recovered", "created", "created", "created",
                          "checkpoint begins", "checkpoint ends",
                          "checkpoint begins", "checkpoint ends"));
}

TEST_F(EventListenerTest, CheckpointsInTheBackgroundAreTold) {
  options_.wal_segment_bytes = 256 << 10;
  options_.checkpoint_wal_bytes = 256 << 10;
  Open();
  Space space = OpenSpace("a");
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(space
                    .Observe({absl::StrCat(i), TestVector(kDimension, i),
                              std::string(20'000, 'p')})
                    .ok());
  }
  EXPECT_TRUE(recorder_->WaitFor("checkpoint ends"));
}

TEST_F(EventListenerTest, ACheckpointThatFailsIsTold) {
  Open();
  ASSERT_TRUE(WaitIndexed(Write(OpenSpace("a"), 10)).ok());
  const std::string scratch = directory_.PathOf("db") + "/kv/scratch";
  std::filesystem::remove_all(scratch);
  const absl::Status status = db_->Checkpoint();
  EXPECT_FALSE(status.ok());
  std::filesystem::create_directory(scratch);
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder_->checkpoints.size(), 2u);
  EXPECT_EQ(recorder_->checkpoints[0].status, status);
  EXPECT_EQ(recorder_->checkpoints[0].spaces_saved, 0u);
  EXPECT_TRUE(recorder_->checkpoints[1].status.ok());
  EXPECT_EQ(recorder_->checkpoints[1].spaces_saved, 1u);
}

TEST_F(EventListenerTest, SpacesThatComeAndGoAreTold) {
  Open();
  const Space a = OpenSpace("a");
  const Lsn created = db_->GetStats()->last_lsn;
  const uint64_t id = a.GetStats()->id;
  OpenSpace("a");  // is there
  EXPECT_FALSE(db_->OpenSpace("b", {}).ok());
  ASSERT_TRUE(db_->DropSpace("a").ok());
  EXPECT_FALSE(db_->DropSpace("a").ok());
  OpenSpace("a");
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder_->created.size(), 2u);
  EXPECT_EQ(recorder_->created[0].name, "a");
  EXPECT_EQ(recorder_->created[0].id, id);
  EXPECT_EQ(recorder_->created[0].lsn, created);
  ASSERT_EQ(recorder_->dropped.size(), 1u);
  EXPECT_EQ(recorder_->dropped[0].name, "a");
  EXPECT_EQ(recorder_->dropped[0].id, id);
  EXPECT_EQ(recorder_->dropped[0].lsn, created + 1);
  EXPECT_GT(recorder_->created[1].id, id);
  EXPECT_EQ(recorder_->created[1].lsn, created + 2);
}

TEST_F(EventListenerTest, EachRefusalIsTold) {
  constexpr size_t kRefusals = 5;
  options_.pending_records_max = 10;
  Open();
  SpaceOptions slow;
  slow.dimension = kDimension;
  slow.M = 32;
  slow.ef_construction = 400;
  Space full = db_->OpenSpace("full", slow).value();
  Write(full, 400 + 2600 / testing::kSlowdown);
  WriteOptions at_once;
  at_once.admission_timeout = absl::ZeroDuration();
  const std::vector<float> vector = TestVector(kDimension, 1);
  const Observation more{"more", vector, ""};
  for (size_t i = 0; i < kRefusals; ++i) {
    EXPECT_TRUE(
        absl::IsResourceExhausted(full.Observe(more, at_once).status()));
  }
  EXPECT_TRUE(absl::IsResourceExhausted(
      full.ObserveAsync(more, at_once, [](const absl::StatusOr<Lsn>&) {})));
  EXPECT_FALSE(full.Observe({"", vector, ""}).ok()) << "is no refusal";
  ASSERT_TRUE(db_->Close().ok());
  ASSERT_EQ(recorder_->refused.size(), kRefusals + 1);
  for (const RefusedWrite& write : recorder_->refused) {
    EXPECT_EQ(write.refusal.cause, RefusalCause::kSpaceRecords);
    EXPECT_TRUE(absl::IsResourceExhausted(write.status));
    EXPECT_THAT(std::string(write.status.message()), HasSubstr("\"full\""));
    EXPECT_EQ(write.missed, 0u);
  }
}

TEST_F(EventListenerTest, PressureIsToldWhenItsLevelChanges) {
  options_.total_pending_records_max = 4000;
  Open();
  const Lsn lsn = Write(OpenSpace("a"), 4000);
  EXPECT_TRUE(recorder_->WaitFor("pressure 3"));
  ASSERT_TRUE(WaitIndexed(lsn).ok());
  EXPECT_TRUE(recorder_->WaitFor("pressure 0"));
  ASSERT_TRUE(db_->Close().ok());
  PressureLevel level = PressureLevel::kNone;
  for (const PressureChange& change : recorder_->pressure) {
    EXPECT_EQ(change.before, level);
    EXPECT_NE(change.after, level);
    level = change.after;
  }
  EXPECT_EQ(level, PressureLevel::kNone);
  EXPECT_DOUBLE_EQ(recorder_->pressure[0].pressure, 1);
}

// --- What a listener does ----------------------------------------------------

// Does `work` when a space was created, once.
class Working : public EventListener {
 public:
  void OnSpaceCreated(const SpaceInfo&) override {
    if (done_) return;
    done_ = true;
    work();
    finished = true;
    finished.notify_all();
  }
  std::function<void()> work;  // set before Open()
  std::atomic<bool> finished{false};
  Space held;  // not looked at by the listener

 private:
  bool done_ = false;
};

class WorkingListenerTest : public EventListenerTest {
 protected:
  void SetUp() override {
    EventListenerTest::SetUp();
    options_.listener = working_;
  }
  std::shared_ptr<Working> working_ = std::make_shared<Working>();
};

TEST_F(WorkingListenerTest, MayCallEverythingButClose) {
  working_->work = [this] {
    Space other = OpenSpace("other");
    const std::vector<float> vector = TestVector(kDimension, 1);
    const absl::StatusOr<Lsn> lsn = other.Observe({"id", vector, "text"});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    std::atomic<bool> called{false};
    ASSERT_TRUE(other
                    .ObserveAsync({"id2", vector, ""}, {},
                                  [&called](const absl::StatusOr<Lsn>& result) {
                                    EXPECT_TRUE(result.ok());
                                    called = true;
                                    called.notify_all();
                                  })
                    .ok());
    called.wait(false);
    EXPECT_EQ(other.Search(vector, {})->size(), 2u);
    EXPECT_EQ(other.Get("id")->payload, "text");
    EXPECT_TRUE(other.Remove("id2").ok());
    EXPECT_TRUE(WaitIndexed(*lsn).ok());
    EXPECT_TRUE(db_->Checkpoint().ok());
    EXPECT_TRUE(db_->Compact().ok());
    EXPECT_EQ(db_->ListSpaces()->size(), 2u);
    EXPECT_TRUE(db_->DropSpace("other").ok());
    EXPECT_TRUE(db_->GetMetrics().ok());
    const absl::Status closed = db_->Close();
    EXPECT_TRUE(absl::IsFailedPrecondition(closed)) << closed;
    EXPECT_THAT(std::string(closed.message()), HasSubstr("listener"));
    EXPECT_TRUE(db_->GetStats().ok()) << "it is still open";
  };
  Open();
  OpenSpace("first");
  working_->finished.wait(false);
  EXPECT_TRUE(db_->Close().ok());
}

TEST_F(WorkingListenerTest, HoldsUpNobody) {
  std::atomic<bool> go{false};
  working_->work = [&] { go.wait(false); };
  Open();
  Space space = OpenSpace("a");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(
        space.Observe({absl::StrCat(i), TestVector(kDimension, i), ""}).ok());
  }
  ASSERT_TRUE(WaitIndexed(db_->GetStats()->last_lsn).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(db_->DropSpace("a").ok());
  EXPECT_FALSE(working_->finished);
  go = true;
  go.notify_all();
  EXPECT_TRUE(db_->Close().ok()) << "and the listener has let go of `go`";
}

// The call is in the database when Close() begins.
TEST_F(WorkingListenerTest, DoesNotKeepADatabaseFromClosing) {
  std::atomic<bool> waiting{false};
  absl::Status status;
  working_->work = [&] {
    waiting = true;
    waiting.notify_all();
    status = db_->Wait(1'000'000, Stage::kIndexed, absl::Minutes(10));
  };
  Open();
  OpenSpace("a");
  waiting.wait(false);
  EXPECT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(WorkingListenerTest, MayHoldASpaceUntilTheDatabaseIsClosed) {
  working_->work = [] {};
  Open();
  const std::weak_ptr<Working> seen = working_;
  working_->held = OpenSpace("a");
  options_.listener = nullptr;
  working_ = nullptr;
  EXPECT_FALSE(seen.expired());
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace engram

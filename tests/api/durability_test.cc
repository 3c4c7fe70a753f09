// When writes are acknowledged, and the asynchronous ones.

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// Happens once. Not absl::Notification, which ThreadSanitizer cannot see into.
class Event {
 public:
  void Set() {
    set_ = true;
    set_.notify_all();
  }
  void Wait() const { set_.wait(false); }
  bool IsSet() const { return set_; }

 private:
  std::atomic<bool> set_{false};
};

class DurabilityTest : public ::testing::TestWithParam<WalBackend> {
 protected:
  void Open() {
    options_.wal_backend = GetParam();
    options_.wal_segment_bytes = uint64_t{1} << 20;
    auto db = Db::Open(root_.path() + "/db", options_);
    if (GetParam() == WalBackend::kUring && !db.ok()) {
      GTEST_SKIP() << "no io_uring here: " << db.status();
    }
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions space_options;
    space_options.dimension = 2;
    auto space = db_->OpenSpace("s", space_options);
    ASSERT_TRUE(space.ok()) << space.status();
    space_ = *std::move(space);
  }

  static WriteOptions Process() {
    WriteOptions options;
    options.durability = Durability::kProcess;
    return options;
  }

  std::string FirstHit(absl::Span<const float> query) {
    const auto hits = space_.Search(query, {});
    EXPECT_TRUE(hits.ok()) << hits.status();
    return hits->empty() ? "" : hits->front().id;
  }

  const testing::TemporaryDirectory root_;
  Options options_;
  std::unique_ptr<Db> db_;
  Space space_;
};

INSTANTIATE_TEST_SUITE_P(Backends, DurabilityTest,
                         ::testing::Values(WalBackend::kUring,
                                           WalBackend::kPwrite));

TEST_P(DurabilityTest, AProcessWriteIsFoundAndBecomesDurable) {
  Open();
  if (IsSkipped()) return;
  for (int i = 0; i < 100; ++i) {
    const std::vector<float> vector = {static_cast<float>(i), 1};
    const std::string id = absl::StrCat("id", i);
    const auto lsn = space_.Observe({id, vector, "p"}, Process());
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    EXPECT_EQ(FirstHit(vector), id);
    if (i % 10 != 0) continue;
    ASSERT_TRUE(db_->Wait(*lsn, Stage::kDurable, kLong).ok());
    EXPECT_GE(db_->GetStats()->durable_lsn, *lsn);
  }
  ASSERT_TRUE(db_->Checkpoint().ok());
  const DbStats stats = *db_->GetStats();
  EXPECT_EQ(stats.durable_lsn, stats.last_lsn);
  ASSERT_TRUE(db_->Close().ok());
  Open();
  if (IsSkipped()) return;
  EXPECT_EQ(space_.ListIds()->size(), 100u);
}

TEST_P(DurabilityTest, TheDatabaseHasADefault) {
  options_.durability = Durability::kProcess;
  Open();
  if (IsSkipped()) return;
  WriteBatch batch;
  const std::vector<float> vector = {1, 2};
  batch.Observe(space_, {"a", vector, "p"});
  const auto lsn = db_->Write(batch);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  EXPECT_EQ(FirstHit(vector), "a");
  WriteOptions sync;
  sync.durability = Durability::kSync;
  const auto removed = space_.Remove("a", sync);
  ASSERT_TRUE(removed.ok());
  EXPECT_GE(db_->GetStats()->durable_lsn, *removed);
  EXPECT_EQ(FirstHit(vector), "");
}

TEST_P(DurabilityTest, AsynchronousWritesAreAcknowledgedInOrderAndFound) {
  constexpr int kWrites = 2000;
  Open();
  if (IsSkipped()) return;
  std::vector<Lsn> called;  // of the callbacks' thread, until Close()
  for (int i = 0; i < kWrites; ++i) {
    const std::vector<float> vector = {static_cast<float>(i), 1};
    const absl::Status status =
        space_.ObserveAsync({absl::StrCat("id", i), vector, "p"},
                            i % 2 == 0 ? Process() : WriteOptions(),
                            [&called](const absl::StatusOr<Lsn>& lsn) {
                              ASSERT_TRUE(lsn.ok()) << lsn.status();
                              called.push_back(*lsn);
                            });
    ASSERT_TRUE(status.ok()) << status;
  }
  ASSERT_TRUE(db_->Close().ok());  // waits for them
  ASSERT_EQ(called.size(), static_cast<size_t>(kWrites));
  for (int i = 1; i < kWrites; ++i) EXPECT_EQ(called[i], called[i - 1] + 1);
  Open();
  if (IsSkipped()) return;
  EXPECT_EQ(space_.ListIds()->size(), static_cast<size_t>(kWrites));
}

// It runs on no thread that other writes need.
TEST_P(DurabilityTest, ACallbackMayWaitAndWrite) {
  Open();
  if (IsSkipped()) return;
  const std::vector<float> vector = {1, 1};
  Event go_on;
  Event done;
  ASSERT_TRUE(
      space_
          .ObserveAsync({"a", vector, ""}, {},
                        [&](const absl::StatusOr<Lsn>& lsn) {
                          EXPECT_TRUE(lsn.ok());
                          go_on.Wait();
                          EXPECT_TRUE(space_.Observe({"c", vector, ""}).ok());
                          EXPECT_TRUE(absl::IsFailedPrecondition(db_->Close()));
                          done.Set();
                        })
          .ok());
  EXPECT_TRUE(space_.Observe({"b", vector, ""}).ok());
  EXPECT_FALSE(done.IsSet());
  go_on.Set();
  done.Wait();
  EXPECT_EQ(*space_.ListIds(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_P(DurabilityTest, CallbacksThatAreDueAreBounded) {
  options_.async_writes_max = 3;
  Open();
  if (IsSkipped()) return;
  const std::vector<float> vector = {1, 1};
  WriteOptions at_once;
  at_once.admission_timeout = absl::ZeroDuration();
  Event go_on;
  std::atomic<int> called{0};
  absl::Status from_callback;
  const auto write = [&](const WriteOptions& options) {
    return space_.ObserveAsync(
        {"a", vector, ""}, options, [&](const absl::StatusOr<Lsn>&) {
          go_on.Wait();
          if (called++ != 0) return;
          // All places are taken, and only this thread could free one.
          from_callback = space_.ObserveAsync(
              {"b", vector, ""}, {}, [](const absl::StatusOr<Lsn>&) {});
        });
  };
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(write(at_once).ok());
  const absl::Status refused = write(at_once);
  EXPECT_TRUE(absl::IsResourceExhausted(refused));
  ASSERT_TRUE(RefusalOf(refused).has_value());
  EXPECT_EQ(RefusalOf(refused)->cause, RefusalCause::kAsyncWrites);
  EXPECT_EQ(db_->GetStats()->refused.async_writes, 1u);
  EXPECT_EQ(db_->GetStats()->refused_writes, 1u);
  std::thread waiting([&] { EXPECT_TRUE(write({}).ok()); });
  go_on.Set();
  waiting.join();
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_EQ(called, 4);
  EXPECT_TRUE(absl::IsResourceExhausted(from_callback)) << from_callback;
}

TEST_P(DurabilityTest, ACallbackThatReturnedMakesRoomForTheNextWrite) {
  options_.async_writes_max = 4;
  Open();
  if (IsSkipped()) return;
  const std::vector<float> vector = {1, 1};
  WriteOptions at_once;
  at_once.admission_timeout = absl::ZeroDuration();
  Event go_on;
  std::atomic<int> called{0};
  std::atomic<int> refused{0};
  // All four wait behind the first; each but the first one sends another write
  // into the place of the one before it.
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(space_
                    .ObserveAsync({"a", vector, ""}, at_once,
                                  [&, i](const absl::StatusOr<Lsn>&) {
                                    if (i == 0) go_on.Wait();
                                    ++called;
                                    if (i == 0) return;
                                    if (!space_
                                             .ObserveAsync(
                                                 {"b", vector, ""}, at_once,
                                                 [&](const auto&) { ++called; })
                                             .ok()) {
                                      ++refused;
                                    }
                                  })
                    .ok());
  }
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kDurable, absl::Seconds(60))
          .ok());
  go_on.Set();
  while (called + refused < 7) std::this_thread::yield();
  EXPECT_EQ(refused, 0);
  ASSERT_TRUE(db_->Close().ok());
}

TEST_P(DurabilityTest, WhatIsRefusedIsNotCalledBack) {
  Open();
  if (IsSkipped()) return;
  const std::vector<float> wrong = {1, 2, 3};
  const auto never = [](const absl::StatusOr<Lsn>&) { ADD_FAILURE(); };
  EXPECT_TRUE(absl::IsInvalidArgument(
      space_.ObserveAsync({"a", wrong, ""}, {}, never)));
  const std::vector<float> vector = {1, 2};
  EXPECT_TRUE(absl::IsInvalidArgument(
      space_.ObserveAsync({"a", vector, ""}, {}, nullptr)));
  ASSERT_TRUE(db_->DropSpace("s").ok());
  EXPECT_TRUE(
      absl::IsNotFound(space_.ObserveAsync({"a", vector, ""}, {}, never)));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      space_.ObserveAsync({"a", vector, ""}, {}, never)));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      Space().ObserveAsync({"a", vector, ""}, {}, never)));
}

}  // namespace
}  // namespace engram

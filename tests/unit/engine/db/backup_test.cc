// What happens between the steps of a backup.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/db/db_impl.h"
#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/io/io_queue.h"
#include "storage/wal/reader.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram::internal {
namespace {

using Hook = std::function<void()>;

constexpr uint32_t kDimension = 4;
constexpr uint64_t kSegment = 256 << 10;
constexpr int kWritten = 20;
constexpr int kMeanwhile = 200;

// Calls a hook when the folder for the copied log is made: when the tables have
// been linked and the log has not been read yet.
class HookedFiles final : public io::FileSystem {
 public:
  Hook before_log;

  absl::StatusOr<std::unique_ptr<io::Directory>> OpenDirectory(
      const std::string& path, bool create) override {
    if (create && absl::EndsWith(path, ".unfinished/wal") && before_log) {
      std::exchange(before_log, nullptr)();
    }
    return files_->OpenDirectory(path, create);
  }

  bool Exists(const std::string& path) const override {
    return files_->Exists(path);
  }
  absl::StatusOr<bool> IsFolder(const std::string& path) const override {
    return files_->IsFolder(path);
  }
  absl::Status RemoveFolder(const std::string& path) override {
    return files_->RemoveFolder(path);
  }
  absl::StatusOr<io::DirectoryLock> Lock(const std::string& path) override {
    return files_->Lock(path);
  }
  absl::StatusOr<std::string> ReadSmallFile(
      const std::string& path) const override {
    return files_->ReadSmallFile(path);
  }
  absl::Status WriteSmallFile(const std::string& path,
                              absl::string_view text) override {
    return files_->WriteSmallFile(path, text);
  }
  absl::Status AppendToFile(const std::string& path,
                            absl::string_view text) override {
    return files_->AppendToFile(path, text);
  }

 private:
  io::FileSystem* const files_ = io::FileSystem::System();
};

// The same before RocksDB links its tables.
class HookedEnv final : public rocksdb::EnvWrapper {
 public:
  Hook before_tables;

  HookedEnv() : EnvWrapper(rocksdb::Env::Default()) {}

  const char* Name() const override { return "HookedEnv"; }

  rocksdb::Status CreateDir(const std::string& path) override {
    if (absl::StrContains(path, ".unfinished/kv") && before_tables) {
      std::exchange(before_tables, nullptr)();
    }
    return EnvWrapper::CreateDir(path);
  }
};

// A log whose syncs can be held up.
class HeldQueue final : public io::IoQueue {
 public:
  explicit HeldQueue(const std::atomic<bool>* held) : held_(*held) {}

  absl::string_view name() const override { return queue_->name(); }
  uint32_t depth() const override { return queue_->depth(); }
  absl::Status Submit(const io::WriteRequest& request) override {
    return queue_->Submit(request);
  }
  std::optional<io::Completion> Wait(int64_t timeout_micros) override {
    while (sync_is_next_ && held_.load()) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    const std::optional<io::Completion> completion =
        queue_->Wait(timeout_micros);
    sync_is_next_ = completion.has_value() && !completion->last();
    return completion;
  }
  void Wake() override { queue_->Wake(); }

 private:
  const std::unique_ptr<io::IoQueue> queue_ = io::CreatePwriteQueue();
  const std::atomic<bool>& held_;
  bool sync_is_next_ = false;
};

class BackupStepsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Environment environment;
    environment.files = &files_;
    environment.store_env = &env_;
    environment.log_queue = [this] {
      return std::make_unique<HeldQueue>(&syncs_held_);
    };
    auto db = DbImpl::OpenOn(environment, directory_.PathOf("db"), SmallLog());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions options;
    options.dimension = kDimension;
    space_ = db_->OpenSpace("notes", options).value();
    Write(0, kWritten);
  }

  static Options SmallLog() {
    Options options;
    options.wal_segment_bytes = kSegment;
    options.wal_limit_bytes = 64 * kSegment;
    options.workers = 1;
    return options;
  }

  void Write(int from, int to) {
    const std::string payload(10'000, 'p');  // fills segments
    for (int i = from; i < to; ++i) {
      ASSERT_TRUE(space_.Observe({absl::StrCat(i), VectorOf(i), payload}).ok());
    }
  }

  // All the log up to here is saved, and the segments are free.
  void WriteAndCheckpoint() {
    Write(kWritten, kMeanwhile);
    const Lsn last = db_->GetStats()->last_lsn;
    ASSERT_TRUE(db_->Wait(last, Stage::kIndexed, absl::Seconds(60)).ok());
    ASSERT_TRUE(db_->Checkpoint().ok());
  }

  size_t IdsInBackup() {
    auto copy = Db::Open(directory_.PathOf("backup"), SmallLog());
    EXPECT_TRUE(copy.ok()) << copy.status();
    if (!copy.ok()) return 0;
    return (*copy)->OpenSpace("notes", {})->ListIds()->size();
  }

  static std::vector<float> VectorOf(int seed) {
    return testing::TestVector(kDimension, static_cast<uint64_t>(seed));
  }

  testing::TemporaryDirectory directory_;
  HookedFiles files_;
  HookedEnv env_;
  std::atomic<bool> syncs_held_{false};
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(BackupStepsTest, SegmentsAreKeptUntilTheLogIsCopied) {
  size_t segments = 0;
  files_.before_log = [&] {
    WriteAndCheckpoint();
    segments = db_->GetStats()->wal_segments;
  };
  const absl::Status status = db_->Backup(directory_.PathOf("backup"));
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_GT(segments, 5u);
  EXPECT_LE(db_->GetStats()->wal_segments, 2u) << "given back afterwards";
  EXPECT_EQ(IdsInBackup(), size_t{kWritten});
}

TEST_F(BackupStepsTest, WaitsForTheSyncOfWhatWasAcknowledgedBefore) {
  syncs_held_.store(true);
  WriteOptions options;
  options.durability = Durability::kProcess;
  ASSERT_TRUE(space_.Observe({"early", VectorOf(1), ""}, options).ok());
  absl::Status status;
  std::atomic<bool> done{false};
  std::thread backup([&] {
    status = db_->Backup(directory_.PathOf("backup"));
    done.store(true);
  });
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_FALSE(done.load());
  syncs_held_.store(false);
  backup.join();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(IdsInBackup(), size_t{kWritten + 1});
}

// Else recovery would miss records that a checkpoint vouches for.
TEST_F(BackupStepsTest, NoHeadIsAheadOfTheCopiedLog) {
  env_.before_tables = [&] { WriteAndCheckpoint(); };
  const absl::Status status = db_->Backup(directory_.PathOf("backup"));
  ASSERT_TRUE(status.ok()) << status;
  wal::RecoveryOptions recovery;
  recovery.known_durable_lsn = db_->GetStats()->low_water_lsn;
  EXPECT_GT(recovery.known_durable_lsn, Lsn{kMeanwhile});
  const auto log = io::FileSystem::System()->OpenDirectory(
      directory_.PathOf("backup/wal"), false);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto recovered = wal::Recover(
      log->get(), recovery,
      [](std::shared_ptr<const wal::Group>) { return absl::OkStatus(); });
  EXPECT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_EQ(IdsInBackup(), size_t{kMeanwhile});
}

}  // namespace
}  // namespace engram::internal

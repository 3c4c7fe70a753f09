// Reading beside the owner.

#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/base/read_attempts.h"
#include "storage/io/posix_directory.h"
#include "tests/support/damage.h"
#include "tests/support/memory_directory.h"
#include "tests/support/temporary_directory.h"

namespace engram::wal {
namespace {

using testing::MemoryDirectory;

// The reader opens files; before the chosen one of its reads, something else
// happens to the log.
class WatchedDirectory final : public io::Directory {
 public:
  explicit WatchedDirectory(MemoryDirectory* directory)
      : directory_(directory) {}

  // `happens` runs before read number `read` of all.
  void Before(int read, std::function<void()> happens) {
    read_ = read;
    happens_ = std::move(happens);
  }
  int reads() const { return reads_; }

  const std::string& path() const override { return directory_->path(); }
  absl::StatusOr<std::vector<std::string>> List() const override {
    return directory_->List();
  }
  absl::StatusOr<std::unique_ptr<io::File>> Open(absl::string_view name,
                                                 io::OpenMode mode) override {
    auto file = directory_->Open(name, mode);
    if (!file.ok()) return file.status();
    return std::unique_ptr<io::File>(new WatchedFile(this, *std::move(file)));
  }
  absl::StatusOr<std::unique_ptr<io::File>> CreateZeroed(absl::string_view,
                                                         uint64_t) override {
    return absl::UnimplementedError("read only");
  }
  absl::Status Rename(absl::string_view, absl::string_view) override {
    return absl::UnimplementedError("read only");
  }
  absl::Status Remove(absl::string_view) override {
    return absl::UnimplementedError("read only");
  }
  absl::Status Sync() override { return absl::UnimplementedError("read only"); }

 private:
  class WatchedFile final : public io::File {
   public:
    WatchedFile(WatchedDirectory* directory, std::unique_ptr<io::File> file)
        : File(file->path()), directory_(directory), file_(std::move(file)) {}
    int fd() const override { return -1; }
    bool direct() const override { return false; }
    absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
    absl::StatusOr<size_t> Read(uint64_t offset,
                                absl::Span<char> out) const override {
      directory_->OnRead();
      return file_->Read(offset, out);
    }
    absl::Status Write(uint64_t, absl::Span<const char>) override {
      return absl::UnimplementedError("read only");
    }
    absl::Status Sync() override {
      return absl::UnimplementedError("read only");
    }
    absl::Status SyncData() override { return Sync(); }

   private:
    WatchedDirectory* const directory_;
    const std::unique_ptr<io::File> file_;
  };

  void OnRead() {
    if (reads_++ == read_ && happens_) happens_();
  }

  MemoryDirectory* const directory_;
  int read_ = -1;
  int reads_ = 0;
  std::function<void()> happens_;
};

absl::StatusOr<RecoveredLog> Read(io::Directory* directory,
                                  uint64_t* records = nullptr) {
  RecoveryOptions options;
  uint64_t in_segment = 0;
  options.on_restart = [&] { in_segment = 0; };
  options.on_group = [&](const LocatedGroup& group) {
    if (!group.scanned->marker) {
      in_segment += group.scanned->group->record_count();
    }
  };
  options.on_segment = [&](const RecoveredSegment& segment) {
    EXPECT_EQ(in_segment, segment.records);
    if (records != nullptr) *records += in_segment;
    in_segment = 0;
  };
  return ReadLive(directory, options);
}

// Whatever the owner does between two reads, the reader finds a whole log.
TEST(ReadLiveTest, NothingThatTheOwnerDoesMeanwhileLooksLikeDamage) {
  int restarts = 0;
  for (int read = 0;; ++read) {
    MemoryDirectory directory;
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok());
    const std::string payload(40'000, 'p');
    Lsn last = 0;
    const auto append = [&](int groups) {
      for (int i = 0; i < groups; ++i) last = *(*log)->Append({payload});
    };
    append(12);
    WatchedDirectory watched(&directory);
    const Lsn before = last;
    watched.Before(read, [&] {
      append(1 + read % 20);
      if (read % 3 != 0) {
        // Files that the reader has open become others.
        ASSERT_TRUE((*log)->writer().Recycle(last - 6).ok());
        append(14);
      }
    });
    uint64_t records = 0;
    const auto found = Read(&watched, &records);
    if (watched.reads() <= read) break;
    ASSERT_TRUE(found.ok()) << read << ": " << found.status();
    ASSERT_TRUE(found->losses.empty())
        << read << ": " << LossText(found->losses[0], nullptr);
    ASSERT_TRUE(found->warnings.empty()) << found->warnings[0];
    EXPECT_GE(found->segments.back().last_lsn, before);
    restarts += watched.reads() > read + 40;
  }
  EXPECT_GT(restarts, 0);
}

// As a database is read: first the segments are opened, then it is asked what
// checkpoints hold, then they are read.
TEST(RecoverOpenedTest, FindsEverythingFromTheLowWaterMarkToTheEnd) {
  int restarts = 0;
  for (int read = 0;; ++read) {
    MemoryDirectory directory;
    auto log = OpenLog::Open(&directory);
    ASSERT_TRUE(log.ok());
    const std::string payload(40'000, 'p');
    Lsn last = 0;
    Lsn saved = 0;
    const auto append = [&](int groups) {
      for (int i = 0; i < groups; ++i) last = *(*log)->Append({payload});
    };
    append(12);
    const Lsn before = last;
    WatchedDirectory watched(&directory);
    watched.Before(read, [&] {
      append(1 + read % 20);
      if (read % 3 == 0) return;
      saved = last - 6;
      ASSERT_TRUE((*log)->writer().Recycle(saved).ok());
      append(14);
    });
    ReadAttempts attempts;
    absl::StatusOr<RecoveredLog> found;
    RecoveryOptions options;
    Lsn first = 0;
    Lsn end = 0;
    int tries = 0;
    do {
      ++tries;
      first = 0;
      auto segments = OpenSegmentFiles(&watched, {}, /*live=*/true);
      if (!segments.ok()) {
        found = segments.status();
        continue;
      }
      options.low_water_lsn = saved;
      options.known_durable_lsn = saved;
      found = RecoverOpened(
          &watched, *std::move(segments), options,
          [&](std::shared_ptr<const Group> group) {
            EXPECT_TRUE(first == 0 || group->first_lsn() == end + 1);
            if (first == 0) first = group->first_lsn();
            end = group->last_lsn();
            return absl::OkStatus();
          });
    } while (attempts.StartOver(found.status()));
    if (watched.reads() <= read) break;
    ASSERT_TRUE(found.ok()) << read << ": " << found.status();
    EXPECT_TRUE(found->warnings.empty()) << found->warnings[0];
    EXPECT_LE(first, options.low_water_lsn + 1) << read;
    EXPECT_GE(end, before) << read;
    restarts += tries - 1;
  }
  EXPECT_GT(restarts, 0);
}

// Nobody is there to be overtaken by, and the damage stays.
TEST(RecoverOpenedTest, DamageIsAnErrorThatComesAgain) {
  MemoryDirectory directory;
  WriteClosedLog(&directory, 20, 5000);
  const auto groups = GroupsOf(&directory, 1);
  directory.SetContents(SegmentFileName(1),
                        testing::FlipBit(directory.Contents(SegmentFileName(1)),
                                         (groups[3].offset + 200) * 8));
  WatchedDirectory watched(&directory);  // refuses to write or to sync
  absl::Status before;
  for (int i = 0; i < 2; ++i) {
    auto segments = OpenSegmentFiles(&watched, {}, /*live=*/true);
    ASSERT_TRUE(segments.ok()) << segments.status();
    const absl::Status status =
        RecoverOpened(
            &watched, *std::move(segments), {},
            [](std::shared_ptr<const Group>) { return absl::OkStatus(); })
            .status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    if (i == 1) {
      EXPECT_EQ(status, before);
    }
    before = status;
  }
}

TEST(ReadLiveTest, DamageIsListedAndNothingIsWritten) {
  MemoryDirectory directory;
  const auto written = WriteClosedLog(&directory, 20, 5000);
  const auto groups = GroupsOf(&directory, 1);
  size_t index = 3;
  while (groups[index].marker) ++index;
  directory.SetContents(SegmentFileName(1),
                        testing::FlipBit(directory.Contents(SegmentFileName(1)),
                                         (groups[index].offset + 200) * 8));
  WatchedDirectory watched(&directory);  // refuses to write or to sync
  uint64_t records = 0;
  const auto found = Read(&watched, &records);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->losses.size(), 1u);
  EXPECT_EQ(found->losses[0].first_lsn, groups[index].header.first_lsn);
  EXPECT_EQ(records, written.size() - 1);
}

// A real file system, two threads, each file several segments by and by.
TEST(ReadLiveTest, ReadsBesideABusyOwner) {
  testing::TemporaryDirectory folder;
  auto directory = io::OpenPosixDirectory(folder.path(), false);
  ASSERT_TRUE(directory.ok()) << directory.status();
  auto log = OpenLog::Open(directory->get());
  ASSERT_TRUE(log.ok()) << log.status();
  std::atomic<bool> stop{false};  // relaxed: nothing else hangs on it
  std::atomic<Lsn> written{0};    // relaxed: a count
  std::thread owner([&] {
    const std::string payload(20'000, 'p');
    while (!stop.load(std::memory_order_relaxed)) {
      const auto lsn = (*log)->Append({payload, payload});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      written.store(*lsn, std::memory_order_relaxed);
      // Otherwise such small segments pass faster than anyone can read them.
      ::usleep(2000);
      // Many at once, as behind a checkpoint.
      if (*lsn % 200 != 0) continue;
      ASSERT_TRUE((*log)->writer().Recycle(*lsn - 60).ok());
    }
  });
  const absl::Cleanup join = [&] {
    stop.store(true, std::memory_order_relaxed);
    owner.join();
  };
  auto reading = io::OpenPosixDirectory(folder.path(), false);
  ASSERT_TRUE(reading.ok());
  Lsn last = 0;
  for (int i = 0; i < 100 || written.load(std::memory_order_relaxed) < 600;
       ++i) {
    const auto found = Read(reading->get());
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_TRUE(found->losses.empty()) << LossText(found->losses[0], nullptr);
    ASSERT_TRUE(found->warnings.empty()) << found->warnings[0];
    ASSERT_GE(found->segments.back().last_lsn, last);
    last = found->segments.back().last_lsn;
  }
}

}  // namespace
}  // namespace engram::wal

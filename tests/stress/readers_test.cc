// Readers that open the database again and again while its owner writes,
// creates and drops spaces, checkpoints and compacts. None finds damage, each
// sees everything that was acknowledged before it opened, and each sees one
// moment: what was written in one batch is there as a whole or not at all.
//
// ENGRAM_READER_OPENS says how many; by default it is over in a second.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr int kWriters = 2;
constexpr int kReaders = 2;
constexpr int kIds = 60;  // of a writer, in each of its two spaces

int Opens() {
  const char* const asked = std::getenv("ENGRAM_READER_OPENS");
  if (asked != nullptr) return std::max(1, std::atoi(asked));
  return 30;
}

class ReadersStressTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.workers = 1;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 4 << 20;
    options.flat_records_max = 100;
    auto db = Db::Open(path(), options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    for (int i = 0; i < kWriters; ++i) {
      OpenSpace(absl::StrCat("left", i));
      OpenSpace(absl::StrCat("right", i));
    }
  }

  Space OpenSpace(const std::string& name) {
    SpaceOptions options;
    options.dimension = kDimension;
    auto space = db_->OpenSpace(name, options);
    EXPECT_TRUE(space.ok()) << space.status();
    return space.value_or(Space());
  }

  // Write number n puts "n" into both spaces of the writer, under one id.
  void WriteLoop(int writer) {
    const Space left = OpenSpace(absl::StrCat("left", writer));
    const Space right = OpenSpace(absl::StrCat("right", writer));
    const std::string padding(2'000, 'p');
    for (int n = 1; !done_.load(std::memory_order_relaxed); ++n) {
      WriteBatch batch;
      const std::string id = absl::StrCat(n % kIds);
      const std::string payload = absl::StrCat(n, " ", padding);
      const auto vector = TestVector(kDimension, n);
      batch.Observe(left, {id, vector, payload});
      batch.Observe(right, {id, vector, payload});
      const auto lsn = db_->Write(batch);
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      acked_[writer].store(n, std::memory_order_release);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
    }
  }

  void AdminLoop() {
    for (int i = 0; !done_.load(std::memory_order_relaxed); ++i) {
      Space space = OpenSpace(absl::StrCat("s", i));
      ASSERT_TRUE(space.Observe({"a", TestVector(kDimension, i), ""}).ok());
      const absl::Status saved =
          i % 10 == 9 ? db_->Compact() : db_->Checkpoint();
      ASSERT_TRUE(saved.ok()) << saved;
      if (i >= 3) {
        ASSERT_TRUE(db_->DropSpace(absl::StrCat("s", i - 3)).ok());
      }
    }
  }

  // The number of the last write that the space holds.
  static int LastOf(Db* reader, const std::string& name) {
    const auto space = reader->OpenSpace(name, {});
    EXPECT_TRUE(space.ok()) << space.status();
    if (!space.ok()) return -1;
    const auto ids = space->ListIds();
    EXPECT_TRUE(ids.ok()) << ids.status();
    int last = 0;
    for (const std::string& id : *ids) {
      const auto stored = space->Get(id);
      EXPECT_TRUE(stored.ok()) << stored.status();
      if (stored.ok())
        last = std::max(last, std::atoi(stored->payload.c_str()));
    }
    return last;
  }

  void ReadOnce() {
    std::array<int, kWriters> before;
    for (int i = 0; i < kWriters; ++i) {
      before[i] = acked_[i].load(std::memory_order_acquire);
    }
    Options options;
    options.read_only = true;
    options.workers = 1;
    auto reader = Db::Open(path(), options);
    ASSERT_TRUE(reader.ok()) << reader.status();
    for (int i = 0; i < kWriters; ++i) {
      const int left = LastOf(reader->get(), absl::StrCat("left", i));
      EXPECT_GE(left, before[i]);
      EXPECT_EQ(left, LastOf(reader->get(), absl::StrCat("right", i)));
    }
    EXPECT_TRUE((*reader)->Close().ok());
    opened_.fetch_add(1, std::memory_order_relaxed);
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> done_{false};  // relaxed: nothing else hangs on it
  std::atomic<int> opened_{0};     // relaxed: a count
  // Released by the writer once the write is acknowledged.
  std::array<std::atomic<int>, kWriters> acked_ = {};
};

TEST_F(ReadersStressTest, NoneFindsDamageAndEachSeesWhatWasAcknowledged) {
  std::vector<std::thread> owner;
  for (int i = 0; i < kWriters; ++i) {
    owner.emplace_back([this, i] { WriteLoop(i); });
  }
  owner.emplace_back([this] { AdminLoop(); });
  std::vector<std::thread> readers;
  const int opens = Opens();
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([this, i, opens] {
      for (int n = i; n < opens && !HasFatalFailure(); n += kReaders) {
        ReadOnce();
      }
    });
  }
  for (std::thread& thread : readers) thread.join();
  done_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : owner) thread.join();
  EXPECT_EQ(opened_.load(std::memory_order_relaxed), opens);
  const auto stats = db_->GetStats();
  ASSERT_TRUE(stats.ok());
  EXPECT_TRUE(stats->checkpoint_status.ok()) << stats->checkpoint_status;
  EXPECT_TRUE(stats->wal_status.ok()) << stats->wal_status;
  EXPECT_TRUE(db_->Close().ok());
  std::printf("%d readers beside %lu groups of the log and %lu checkpoints\n",
              opens, static_cast<unsigned long>(stats->wal_groups),
              static_cast<unsigned long>(stats->checkpoints));
}

}  // namespace
}  // namespace engram

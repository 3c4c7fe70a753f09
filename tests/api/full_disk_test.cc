// A disk without room: writes are refused, and nothing that was acknowledged is
// lost. The disk is a small tmpfs, which takes the right to mount.

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr uint64_t kSegment = 256 << 10;

class FullDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    mount_ = directory_.PathOf("disk");
    std::filesystem::create_directory(mount_);
    if (::mount("tmpfs", mount_.c_str(), "tmpfs", 0, "size=8m") != 0) {
      mount_.clear();
      GTEST_SKIP() << "mounting a tmpfs is refused: " << ::strerror(errno);
    }
  }
  void TearDown() override {
    if (!mount_.empty()) ::umount2(mount_.c_str(), MNT_DETACH);
  }

  absl::StatusOr<std::unique_ptr<Db>> OpenOnDisk() const {
    Options options;
    options.wal_segment_bytes = kSegment;
    options.wal_limit_bytes = 16 * kSegment;
    options.checkpoint_wal_bytes = 2 * kSegment;
    options.workers = 1;
    return Db::Open(mount_ + "/db", options);
  }

  static Space OpenSpace(Db* db) {
    SpaceOptions options;
    options.dimension = kDimension;
    auto space = db->OpenSpace("notes", options);
    EXPECT_TRUE(space.ok()) << space.status();
    return space.value_or(Space());
  }

  static absl::Status Observe(Space* space, int number,
                              const std::string& payload) {
    WriteOptions options;
    options.admission_timeout = absl::Milliseconds(300);
    return space
        ->Observe({absl::StrCat("id", number), TestVector(kDimension, number),
                   payload},
                  options)
        .status();
  }

  // Takes what is left of the disk but for `left` bytes.
  void Fill(uint64_t left) {
    const auto space = std::filesystem::space(mount_);
    if (space.available <= left) return;
    const std::string bytes(space.available - left, 'x');
    std::ofstream(mount_ + "/ballast", std::ios::binary) << bytes;
  }
  void FreeSpace() { std::filesystem::remove(mount_ + "/ballast"); }

  testing::TemporaryDirectory directory_;
  std::string mount_;
};

TEST_F(FullDiskTest, WritesAreRefusedReadsGoOnAndNothingIsLost) {
  int acknowledged = 0;
  {
    auto db = OpenOnDisk();
    ASSERT_TRUE(db.ok()) << db.status();
    Space space = OpenSpace(db->get());
    for (; acknowledged < 50; ++acknowledged) {
      ASSERT_TRUE(Observe(&space, acknowledged, "").ok());
    }
    ASSERT_TRUE((*db)->Checkpoint().ok());
    Fill(300 << 10);
    const std::string payload(20'000, 'p');
    absl::Status status;
    while (acknowledged < 2000) {
      status = Observe(&space, acknowledged, payload);
      if (!status.ok()) break;
      ++acknowledged;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    ASSERT_TRUE(RefusalOf(status).has_value()) << status;
    EXPECT_EQ(RefusalOf(status)->cause, RefusalCause::kLog);
    for (int i = 0; i < acknowledged; ++i) {
      const auto stored = space.Get(absl::StrCat("id", i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      const auto hits = space.Search(TestVector(kDimension, i), {1, 0});
      ASSERT_TRUE(hits.ok()) << hits.status();
      EXPECT_EQ((*hits)[0].id, absl::StrCat("id", i));
    }
    EXPECT_TRUE(absl::IsResourceExhausted(Observe(&space, 5000, payload)));
    // It may not be able to save anything; then the log keeps it.
    (void)(*db)->Close();
  }
  FreeSpace();
  auto db = OpenOnDisk();
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = OpenSpace(db->get());
  for (int i = 0; i < acknowledged; ++i) {
    const auto stored = space.Get(absl::StrCat("id", i));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->vector, TestVector(kDimension, i));
  }
  EXPECT_TRUE(Observe(&space, acknowledged, "").ok()) << "there is room again";
  EXPECT_TRUE((*db)->Checkpoint().ok());
  EXPECT_TRUE((*db)->Close().ok());
}

// A new manifest would not fit, and RocksDB would stop.
TEST_F(FullDiskTest, ErasingSaysWhatItNeedsAndStopsNothing) {
  auto db = OpenOnDisk();
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = OpenSpace(db->get());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Observe(&space, i, "").ok());
  const absl::Status status = space.Erase("id3", absl::Seconds(20)).status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_NE(status.message().find("16777216 free bytes"),
            absl::string_view::npos)
      << status;
  EXPECT_TRUE(absl::IsNotFound(space.Get("id3").status()));
  ASSERT_TRUE(Observe(&space, 20, "").ok());
  EXPECT_TRUE((*db)->Checkpoint().ok());
  EXPECT_TRUE((*db)->Close().ok());
}

// To drop a space is how a user makes room, so there is always room for that.
TEST_F(FullDiskTest, SpacesCanBeDroppedAndReadAndThatLasts) {
  {
    auto db = OpenOnDisk();
    ASSERT_TRUE(db.ok()) << db.status();
    Space space = OpenSpace(db->get());
    SpaceOptions options;
    options.dimension = kDimension;
    for (int i = 0; i < 3; ++i) {
      auto other = (*db)->OpenSpace(absl::StrCat("other", i), options);
      ASSERT_TRUE(other.ok()) << other.status();
      ASSERT_TRUE(Observe(&*other, i, "").ok());
    }
    Fill(0);
    // Down to the last block of the log.
    int acknowledged = 0;
    for (const size_t bytes : {size_t{20'000}, size_t{1}}) {
      const std::string payload(bytes, 'p');
      while (Observe(&space, acknowledged, payload).ok()) ++acknowledged;
    }
    ASSERT_GT(acknowledged, 0);
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = (*db)->DropSpace(absl::StrCat("other", i));
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_EQ((*db)->ListSpaces()->size(), 1u);
    EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(acknowledged));
    EXPECT_EQ(space.Search(TestVector(kDimension, 0), {1, 0})->size(), 1u);
    (void)(*db)->Close();
  }
  FreeSpace();
  auto db = OpenOnDisk();
  ASSERT_TRUE(db.ok()) << db.status();
  EXPECT_EQ((*db)->ListSpaces()->size(), 1u);
}

TEST_F(FullDiskTest, WritesGoOnInTheSameProcessOnceThereIsRoom) {
  auto db = OpenOnDisk();
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = OpenSpace(db->get());
  Fill(300 << 10);
  const std::string payload(20'000, 'p');
  int acknowledged = 0;
  while (acknowledged < 2000 && Observe(&space, acknowledged, payload).ok()) {
    ++acknowledged;
  }
  ASSERT_LT(acknowledged, 2000);
  FreeSpace();
  // What failed in the background is tried again after a while.
  absl::Status status;
  for (int attempt = 0; attempt < 50; ++attempt) {
    status = Observe(&space, acknowledged, payload);
    if (status.ok()) break;
    absl::SleepFor(absl::Milliseconds(100));
  }
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE((*db)->Checkpoint().ok()) << (*db)->Checkpoint();
  EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(acknowledged + 1));
  EXPECT_TRUE((*db)->Close().ok());
}

TEST_F(FullDiskTest, ABackupThatFindsNoRoomLeavesNothing) {
  auto db = OpenOnDisk();
  ASSERT_TRUE(db.ok()) << db.status();
  Space space = OpenSpace(db->get());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Observe(&space, i, "").ok());
  ASSERT_TRUE((*db)->Checkpoint().ok());
  const std::string backup = mount_ + "/backup";
  for (const uint64_t left : {uint64_t{0}, kSegment / 2}) {
    Fill(left);
    const absl::Status status = (*db)->Backup(backup);
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_FALSE(std::filesystem::exists(backup));
    EXPECT_FALSE(std::filesystem::exists(backup + ".unfinished"));
    FreeSpace();
  }
  EXPECT_TRUE(Observe(&space, 50, "").ok());
  // To another file system, where the tables are copied.
  const absl::Status status = (*db)->Backup(directory_.PathOf("backup"));
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_TRUE((*db)->Close().ok());
  auto copy = Db::Open(directory_.PathOf("backup"), {});
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->OpenSpace("notes", {})->ListIds()->size(), 51u);
}

}  // namespace
}  // namespace engram

// Backups: what is in them, what is not, and what is left of one that fails.

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 8;
constexpr uint64_t kSegment = 256 << 10;

Options SmallLog() {
  Options options;
  options.wal_segment_bytes = kSegment;
  options.wal_limit_bytes = 16 * kSegment;
  options.checkpoint_wal_bytes = 2 * kSegment;
  options.workers = 1;
  return options;
}

Space OpenSpace(Db* db, const std::string& name) {
  SpaceOptions options;
  options.dimension = kDimension;
  auto space = db->OpenSpace(name, options);
  EXPECT_TRUE(space.ok()) << space.status();
  return space.value_or(Space());
}

std::string PayloadOf(int number) { return absl::StrCat("payload", number); }

absl::Status Observe(Space* space, int number, WriteOptions options = {}) {
  return space
      ->Observe({absl::StrCat("id", number), TestVector(kDimension, number),
                 PayloadOf(number)},
                options)
      .status();
}

void ExpectHolds(const Space& space, int count) {
  for (int i = 0; i < count; ++i) {
    const auto stored = space.Get(absl::StrCat("id", i));
    ASSERT_TRUE(stored.ok()) << i << ": " << stored.status();
    ASSERT_EQ(stored->payload, PayloadOf(i));
    ASSERT_EQ(stored->vector, TestVector(kDimension, i));
  }
}

class BackupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto db = Db::Open(path(), SmallLog());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    space_ = OpenSpace(db_.get(), "notes");
  }

  std::string path() const { return directory_.PathOf("db"); }
  std::string backup() const { return directory_.PathOf("backup"); }

  void Write(int from, int to) {
    for (int i = from; i < to; ++i) ASSERT_TRUE(Observe(&space_, i).ok());
  }

  // Opens the backup, which must hold so many, and writes to it.
  void ExpectBackupHolds(int count) {
    auto copy = Db::Open(backup(), SmallLog());
    ASSERT_TRUE(copy.ok()) << copy.status();
    Space space = OpenSpace(copy->get(), "notes");
    ExpectHolds(space, count);
    EXPECT_EQ(space.ListIds()->size(), static_cast<size_t>(count));
    EXPECT_TRUE(Observe(&space, 1'000'000).ok());
    EXPECT_TRUE((*copy)->Close().ok());
  }

  // What stands beside the database.
  std::vector<std::string> Beside() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      const std::string name = entry.path().filename().string();
      if (name != "db") names.push_back(name);
    }
    return names;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(BackupTest, OfAnEmptyDatabaseIsOne) {
  ASSERT_TRUE(db_->Backup(backup()).ok());
  ExpectBackupHolds(0);
}

TEST_F(BackupTest, HoldsTheTailTheCheckpointsAndLaterSegments) {
  Write(0, 30);
  ASSERT_TRUE(db_->Checkpoint().ok());
  Write(30, 40);
  ASSERT_TRUE(db_->Backup(backup()).ok());
  Write(40, 50);  // is not in it
  ExpectBackupHolds(40);
  ExpectHolds(space_, 50);
  EXPECT_TRUE(db_->Close().ok());
}

TEST_F(BackupTest, HoldsWhatWasAcknowledgedBeforeItsSync) {
  WriteOptions options;
  options.durability = Durability::kProcess;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(Observe(&space_, i, options).ok());
  }
  ASSERT_TRUE(db_->Backup(backup()).ok());
  ExpectBackupHolds(50);
}

TEST_F(BackupTest, IsMadeWhileWritesSearchesAndCheckpointsGoOn) {
  std::atomic<bool> stop{false};
  std::atomic<int> acknowledged{0};
  std::thread writer([&] {
    const std::string padding(4000, 'p');  // fills segments
    for (int i = 0; !stop.load(); ++i) {
      ASSERT_TRUE(Observe(&space_, i).ok());
      acknowledged.store(i + 1);
      const auto filled =
          space_.Observe({"filler", TestVector(kDimension, i), padding});
      ASSERT_TRUE(filled.ok()) << filled.status();
    }
  });
  std::thread others([&] {
    while (!stop.load()) {
      ASSERT_TRUE(db_->Checkpoint().ok());
      ASSERT_TRUE(space_.Search(TestVector(kDimension, 1), {}).ok());
    }
  });
  std::vector<int> floors;
  for (int round = 0; round < 3; ++round) {
    while (acknowledged.load() < 60 * (round + 1)) std::this_thread::yield();
    floors.push_back(acknowledged.load());
    const absl::Status status = db_->Backup(absl::StrCat(backup(), round));
    EXPECT_TRUE(status.ok()) << status;
  }
  stop.store(true);
  writer.join();
  others.join();
  for (size_t round = 0; round < floors.size(); ++round) {
    SCOPED_TRACE(absl::StrCat("backup ", round));
    auto copy = Db::Open(absl::StrCat(backup(), round), SmallLog());
    ASSERT_TRUE(copy.ok()) << copy.status();
    ExpectHolds(OpenSpace(copy->get(), "notes"), floors[round]);
    EXPECT_TRUE((*copy)->Close().ok());
  }
  // The log got its segments back.
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(
      db_->Wait(db_->GetStats()->last_lsn, Stage::kIndexed, absl::Seconds(60))
          .ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  EXPECT_LE(db_->GetStats()->wal_segments, 2u);
}

TEST_F(BackupTest, CanBeBackedUpAgain) {
  Write(0, 10);
  ASSERT_TRUE(db_->Backup(directory_.PathOf("first")).ok());
  auto first = Db::Open(directory_.PathOf("first"), SmallLog());
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE((*first)->Backup(backup()).ok());
  ExpectBackupHolds(10);
}

// What is damaged in the copy of the last record is damage, and no torn tail.
TEST_F(BackupTest, AFlippedBitInItsLastRecordIsFound) {
  Write(0, 10);
  ASSERT_TRUE(db_->Backup(backup()).ok());
  std::string segment;
  for (const auto& entry : fs::directory_iterator(backup() + "/wal")) {
    segment = std::max(segment, entry.path().string());
  }
  std::ifstream stream(segment, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  const size_t at = bytes.rfind(PayloadOf(9));
  ASSERT_NE(at, std::string::npos);
  std::fstream(segment, std::ios::binary | std::ios::in | std::ios::out)
      .seekp(static_cast<std::streamoff>(at))
      .put('X');
  EXPECT_TRUE(absl::IsDataLoss(Db::Open(backup(), SmallLog()).status()));
}

TEST_F(BackupTest, IsForTheOwnerAloneAndLeavesNothingBesideIt) {
  Write(0, 3);
  ASSERT_TRUE(db_->Backup(backup() + "/").ok());
  EXPECT_THAT(Beside(), ::testing::ElementsAre("backup"));
  struct stat info = {};
  ASSERT_EQ(::stat(backup().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0700u);
  for (const char* name : {"ENGRAM", "wal/0000000000000001.log"}) {
    ASSERT_EQ(::stat((backup() + "/" + name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
    EXPECT_EQ(info.st_nlink, 1u) << name;
  }
  EXPECT_FALSE(fs::exists(backup() + "/UNFINISHED"));
  EXPECT_FALSE(fs::exists(backup() + "/OWNER"));
}

TEST_F(BackupTest, KeepsWhatIsKnownOfALostLog) {
  const std::string text(10'000, 'l');
  std::ofstream(path() + "/LOST") << text;
  ASSERT_TRUE(db_->Backup(backup()).ok());
  std::ifstream stream(backup() + "/LOST", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(stream), {}), text);
}

TEST_F(BackupTest, RefusesPlacesThatAreTakenOrNone) {
  fs::create_directory(backup());
  EXPECT_TRUE(absl::IsAlreadyExists(db_->Backup(backup())));
  EXPECT_THAT(db_->Backup(backup()).message(), HasSubstr(backup()));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Backup(path() + "/wal/backup")));
  EXPECT_TRUE(absl::IsInvalidArgument(db_->Backup("")));
  EXPECT_TRUE(absl::IsNotFound(db_->Backup(backup() + "/no/backup")));
  fs::create_directory_symlink(path(), directory_.PathOf("link"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      db_->Backup(directory_.PathOf("link") + "/backup")));
  EXPECT_TRUE(db_->Backup(backup() + "/inside").ok());
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition(db_->Backup(directory_.PathOf("later"))));
  Options options = SmallLog();
  options.read_only = true;
  auto reader = Db::Open(path(), options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      (*reader)->Backup(directory_.PathOf("later"))));
  EXPECT_FALSE(fs::exists(directory_.PathOf("later")));
}

TEST_F(BackupTest, RemovesWhatAKilledOneLeftAndNothingElse) {
  const std::string unfinished = backup() + ".unfinished";
  fs::create_directories(unfinished + "/kv");
  std::ofstream(unfinished + "/kv/000001.sst") << "half";
  // Somebody's folder.
  EXPECT_TRUE(absl::IsAlreadyExists(db_->Backup(backup())));
  EXPECT_TRUE(fs::exists(unfinished + "/kv/000001.sst"));
  EXPECT_FALSE(fs::exists(backup()));
  // What a killed backup leaves.
  std::ofstream(unfinished + "/UNFINISHED") << "";
  Write(0, 5);
  const absl::Status status = db_->Backup(backup());
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(Beside(), ::testing::ElementsAre("backup"));
  EXPECT_FALSE(fs::exists(backup() + "/kv/000001.sst"));
  ExpectBackupHolds(5);
}

TEST_F(BackupTest, IsNoDatabaseBeforeItIsComplete) {
  const std::string unfinished = backup() + ".unfinished";
  fs::create_directories(unfinished + "/wal");
  std::ofstream(unfinished + "/UNFINISHED") << "";
  EXPECT_TRUE(
      absl::IsFailedPrecondition(Db::Open(unfinished, SmallLog()).status()));
}

}  // namespace
}  // namespace engram

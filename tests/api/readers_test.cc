// Handles that only read, beside the owner of the database and without one.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/check.h"
#include "tests/support/child_process.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

Options SmallLog() {
  Options options;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 4 << 20;
  options.flat_records_max = 50;
  options.workers = 1;
  options.stats_interval = absl::ZeroDuration();
  return options;
}

Space OpenSpace(Db* db, const std::string& name) {
  SpaceOptions options;
  options.dimension = kDimension;
  auto space = db->OpenSpace(name, options);
  EXPECT_TRUE(space.ok()) << space.status();
  return space.value_or(Space());
}

bool Observe(Space* space, int number) {
  return space
      ->Observe({absl::StrCat("id", number), TestVector(kDimension, number),
                 absl::StrCat("payload of ", number, ".")})
      .ok();
}

// An owner in a process of its own. Its steps run when they are asked for.
class OwnerProcess {
 public:
  // `step` is called in the child with 0, 1, ...; false ends it.
  explicit OwnerProcess(const std::function<bool(int)>& step) {
    int asked[2];
    int answered[2];
    ENGRAM_CHECK(::pipe(asked) == 0 && ::pipe(answered) == 0);
    pid_ = ::fork();
    ENGRAM_CHECK(pid_ >= 0);
    if (pid_ == 0) {
      ::alarm(120);
      ::close(asked[1]);
      char byte = 0;
      for (int i = 0; ::read(asked[0], &byte, 1) == 1; ++i) {
        byte = step(i) ? 'y' : 'n';
        if (::write(answered[1], &byte, 1) != 1 || byte == 'n') break;
      }
      ::_exit(0);
    }
    ::close(asked[0]);
    ::close(answered[1]);
    ask_fd_ = asked[1];
    answer_fd_ = answered[0];
  }
  ~OwnerProcess() {
    Kill();
    ::close(ask_fd_);
    ::close(answer_fd_);
  }

  // Whether the next step succeeded.
  bool Step() {
    char byte = 'n';
    return ::write(ask_fd_, "?", 1) == 1 && ::read(answer_fd_, &byte, 1) == 1 &&
           byte == 'y';
  }

  void Kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
  int ask_fd_ = -1;
  int answer_fd_ = -1;
};

class ReadersTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Db>> Own() const {
    return Db::Open(path(), SmallLog());
  }
  absl::StatusOr<std::unique_ptr<Db>> Read() const {
    Options options = SmallLog();
    options.read_only = true;
    return Db::Open(path(), options);
  }

  // Name, size and last write of all files, and of the folders.
  std::map<std::string, std::string> Files() const {
    namespace fs = std::filesystem;
    std::map<std::string, std::string> files;
    const auto add = [&files](const fs::path& file) {
      files[file.string()] =
          absl::StrCat(fs::is_regular_file(file) ? fs::file_size(file) : 0, " ",
                       fs::last_write_time(file).time_since_epoch().count());
    };
    add(path());
    for (const auto& entry : fs::recursive_directory_iterator(path())) {
      add(entry.path());
    }
    return files;
  }

  // Changes one byte in the only place that holds `text`, of the files with
  // that extension in a folder.
  void Damage(const std::string& folder, const std::string& extension,
              const std::string& text) const {
    for (const auto& entry :
         std::filesystem::directory_iterator(path() + "/" + folder)) {
      if (entry.path().extension() != extension) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(in)), {});
      const size_t at = bytes.find(text);
      if (at == bytes.npos) continue;
      std::fstream out(entry.path(),
                       std::ios::binary | std::ios::in | std::ios::out);
      out.seekp(static_cast<std::streamoff>(at));
      out.put(static_cast<char>(bytes[at] ^ 1));
      return;
    }
    FAIL() << "no file holds " << text;
  }

  std::string path() const { return directory_.PathOf("db"); }

  testing::TemporaryDirectory directory_;
};

// --- Beside an owner ---------------------------------------------------------

TEST_F(ReadersTest, ReadsBesideTheOwnerInAnotherProcess) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  std::unique_ptr<Db> db;  // the child's
  Space notes;
  OwnerProcess owner([&](int step) {
    if (step == 0) {
      db = Own().value();
      notes = OpenSpace(db.get(), "notes");
    }
    for (int i = 100 * step; i < 100 * (step + 1); ++i) {
      if (!Observe(&notes, i)) return false;
    }
    return step != 1 || db->Checkpoint().ok();
  });
  std::vector<std::unique_ptr<Db>> readers;
  for (int step = 0; step < 4; ++step) {
    ASSERT_TRUE(owner.Step());
    auto reader = Read();
    ASSERT_TRUE(reader.ok()) << reader.status();
    readers.push_back(*std::move(reader));
  }
  // Each is what there was when it was opened.
  for (int step = 0; step < 4; ++step) {
    Space space = *readers[step]->OpenSpace("notes", {});
    EXPECT_THAT(*space.ListIds(), SizeIs(100 * (step + 1)));
    const int last = 100 * (step + 1) - 1;
    EXPECT_EQ(space.Get(absl::StrCat("id", last))->payload,
              absl::StrCat("payload of ", last, "."));
    EXPECT_TRUE(
        absl::IsNotFound(space.Get(absl::StrCat("id", last + 1)).status()));
    EXPECT_EQ(space.Search(TestVector(kDimension, last), {})->at(0).id,
              absl::StrCat("id", last));
  }
  // Nobody else may write, and is told why.
  const absl::Status second = Own().status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_THAT(std::string(second.message()),
              HasSubstr(absl::StrCat("process ", owner.pid())));
  // Nor do readers keep anybody from it.
  owner.Kill();
  EXPECT_THAT(*OpenSpace(Read().value().get(), "notes").ListIds(), SizeIs(400));
  auto next = Own();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_THAT(*OpenSpace(next->get(), "notes").ListIds(), SizeIs(400));
  EXPECT_TRUE((*next)->Close().ok());
  EXPECT_THAT(*readers[0]->OpenSpace("notes", {})->ListIds(), SizeIs(100));
}

TEST_F(ReadersTest, AHandleIsASnapshotWhateverTheOwnerDoes) {
  auto owner = Own();
  ASSERT_TRUE(owner.ok()) << owner.status();
  Space kept = OpenSpace(owner->get(), "kept");
  Space gone = OpenSpace(owner->get(), "gone");
  for (int i = 0; i < 80; ++i) {
    ASSERT_TRUE(Observe(&kept, i) && Observe(&gone, i));
  }
  ASSERT_TRUE((*owner)->Checkpoint().ok());
  ASSERT_TRUE(Observe(&kept, 80));
  auto reader = Read();
  ASSERT_TRUE(reader.ok()) << reader.status();
  // What it reads is removed: files of a family, tables, segments.
  ASSERT_TRUE((*owner)->DropSpace("gone").ok());
  for (int i = 0; i < 80; ++i) {
    ASSERT_TRUE(kept.Observe({absl::StrCat("id", i), TestVector(kDimension, i),
                              std::string(10'000, 'x')})
                    .ok());
    if (i % 20 == 0) {
      ASSERT_TRUE((*owner)->Checkpoint().ok());
    }
  }
  ASSERT_TRUE(kept.Remove("id80").ok());
  ASSERT_TRUE((*owner)->Compact().ok());
  for (const char* name : {"kept", "gone"}) {
    Space space = *(*reader)->OpenSpace(name, {});
    for (int i = 0; i < 80; ++i) {
      const auto stored = space.Get(absl::StrCat("id", i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->payload, absl::StrCat("payload of ", i, "."));
    }
  }
  EXPECT_TRUE((*reader)->OpenSpace("kept", {})->Get("id80").ok());
  EXPECT_THAT(*(*Read())->ListSpaces(), ElementsAre("kept"));
  EXPECT_TRUE((*owner)->Close().ok());
  EXPECT_THAT(*(*reader)->ListSpaces(), ElementsAre("gone", "kept"));
}

// The catalog is ahead of the head then: the log between the two is needed.
TEST_F(ReadersTest, FindsWhatWasNotIndexedYetWhenTheOwnerSavedTheRest) {
  Options options = SmallLog();
  options.flat_records_max = 1;
  auto owner = Db::Open(path(), options);
  ASSERT_TRUE(owner.ok()) << owner.status();
  SpaceOptions slow;
  slow.dimension = kDimension;
  slow.ef_construction = 400;
  Space notes = *(*owner)->OpenSpace("notes", slow);
  constexpr int kRecords = 1'500;
  WriteBatch batch;
  for (int i = 0; i < kRecords; ++i) {
    batch.Observe(notes,
                  {absl::StrCat("id", i), TestVector(kDimension, i), "p"});
  }
  const auto last = (*owner)->Write(batch);
  ASSERT_TRUE(last.ok()) << last.status();
  ASSERT_TRUE((*owner)->Wait(100, Stage::kIndexed, absl::Minutes(1)).ok());
  ASSERT_TRUE((*owner)->Checkpoint().ok());
  const Lsn saved = notes.GetStats()->checkpoint_lsn;
  if (saved == *last) GTEST_SKIP() << "the worker was faster";
  auto reader = Read();
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT(*(*reader)->OpenSpace("notes", {})->ListIds(), SizeIs(kRecords))
      << "saved up to LSN " << saved << " of " << *last;
  EXPECT_TRUE((*reader)->Close().ok());
}

TEST_F(ReadersTest, ReadersRefuseToWrite) {
  auto owner = Own();
  ASSERT_TRUE(owner.ok()) << owner.status();
  OpenSpace(owner->get(), "notes");
  auto reader = Read();
  ASSERT_TRUE(reader.ok()) << reader.status();
  Space space = *(*reader)->OpenSpace("notes", {});
  SpaceOptions options;
  options.dimension = kDimension;
  for (const absl::Status& status :
       {space.Observe({"a", TestVector(kDimension, 1), ""}).status(),
        space.Remove("a").status(), (*reader)->DropSpace("notes"),
        (*reader)->OpenSpace("another", options).status(),
        (*reader)->Checkpoint(), (*reader)->Compact()}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  EXPECT_TRUE((*reader)->Close().ok());
  EXPECT_TRUE((*owner)->Close().ok());
}

// --- Without one -------------------------------------------------------------

TEST_F(ReadersTest, LeaveNoTrace) {
  {
    auto owner = Own();
    ASSERT_TRUE(owner.ok()) << owner.status();
    Space notes = OpenSpace(owner->get(), "notes");
    for (int i = 0; i < 80; ++i) ASSERT_TRUE(Observe(&notes, i));
    ASSERT_TRUE((*owner)->Checkpoint().ok());
    ASSERT_TRUE(Observe(&notes, 80));
  }
  const auto before = Files();
  std::vector<std::unique_ptr<Db>> readers;
  for (int i = 0; i < 3; ++i) {
    auto reader = Read();
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_THAT(*(*reader)->OpenSpace("notes", {})->ListIds(), SizeIs(81));
    readers.push_back(*std::move(reader));
  }
  EXPECT_EQ(Files(), before);
  for (const auto& reader : readers) EXPECT_TRUE(reader->Close().ok());
  readers.clear();
  EXPECT_EQ(Files(), before);
}

TEST_F(ReadersTest, NothingIsCreated) {
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(ReadersTest, ADatabaseThatIsBeingCreatedIsNotDamaged) {
  for (int round = 0; round < 5; ++round) {
    std::filesystem::remove_all(path());
    std::thread creating([this] {
      auto owner = Own();
      ASSERT_TRUE(owner.ok()) << owner.status();
      EXPECT_TRUE((*owner)->Close().ok());
    });
    absl::Status status;
    do {
      status = Read().status();
      EXPECT_TRUE(status.ok() || absl::IsNotFound(status) ||
                  absl::IsFailedPrecondition(status) ||
                  absl::IsUnavailable(status))
          << status;
    } while (!status.ok() && !HasFailure());
    creating.join();
  }
}

// --- Damage ------------------------------------------------------------------

TEST_F(ReadersTest, DamageOfTheLogIsDataLossBesideAnOwnerToo) {
  if (!testing::kChildrenMayStartThreads) GTEST_SKIP() << "forks threads";
  std::unique_ptr<Db> db;  // the child's
  OwnerProcess owner([&](int step) {
    if (step == 0) db = Own().value();
    Space notes = OpenSpace(db.get(), "notes");
    for (int i = 20 * step; i < 20 * (step + 1); ++i) {
      if (!Observe(&notes, i)) return false;
    }
    return true;
  });
  ASSERT_TRUE(owner.Step());
  Damage("wal", ".log", "payload of 7.");
  for (int round = 0; round < 2; ++round) {
    const absl::Status status = Read().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("LSN 9 to 9"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("of space \"notes\""));
    if (round == 0) {
      ASSERT_TRUE(owner.Step());  // it still writes
      owner.Kill();
    }
  }
  // The owner has not been asked, and the damage is still for it to judge.
  Options salvage = SmallLog();
  salvage.read_only = true;
  salvage.salvage_damaged_log = true;
  auto reader = Db::Open(path(), salvage);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_THAT((*reader)->salvage_report().losses, SizeIs(1));
  EXPECT_THAT(*(*reader)->OpenSpace("notes", {})->ListIds(), SizeIs(39));
}

TEST_F(ReadersTest, DamageOfACheckpointIsDataLossBesideAnOwnerToo) {
  auto owner = Own();
  ASSERT_TRUE(owner.ok()) << owner.status();
  Space notes = OpenSpace(owner->get(), "notes");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Observe(&notes, i));
  // What is not indexed yet is not saved.
  const Lsn lsn = (*owner)->GetStats()->last_lsn;
  ASSERT_TRUE((*owner)->Wait(lsn, Stage::kIndexed, absl::Minutes(1)).ok());
  ASSERT_TRUE((*owner)->Checkpoint().ok());
  Damage("kv", ".sst", "id7");  // in the part with the vectors, or the record
  auto reader = Read();
  absl::Status status = reader.status();
  if (reader.ok()) {
    status = (*reader)->OpenSpace("notes", {})->Get("id7").status();
  }
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

TEST_F(ReadersTest, AMissingTableIsDataLoss) {
  {
    auto owner = Own();
    ASSERT_TRUE(owner.ok()) << owner.status();
    Space notes = OpenSpace(owner->get(), "notes");
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Observe(&notes, i));
  }
  for (const auto& entry :
       std::filesystem::directory_iterator(path() + "/kv")) {
    if (entry.path().extension() != ".sst") continue;
    std::filesystem::remove(entry.path());
    break;
  }
  const absl::Status status = Read().status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
}

}  // namespace
}  // namespace engram

// A space as one file, written and read.

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/export_codec.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

Options SmallLog() {
  Options options;
  options.wal_segment_bytes = 256 << 10;
  options.workers = 1;
  options.flat_records_max = 100;
  return options;
}

using Contents = std::map<std::string, std::string>;  // payloads by id

// What the file says, as docs/formats/export.md has it.
Contents ContentsOf(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(stream), {});
  absl::string_view rest = bytes;
  rest.remove_prefix(sizeof(schema::ExportPrologue));
  const auto cut = [&rest](size_t size) {
    const absl::string_view taken = rest.substr(0, size);
    rest.remove_prefix(taken.size());
    return taken;
  };
  Contents contents;
  schema::ExportParser parser;
  while (!rest.empty()) {
    const absl::string_view header = cut(sizeof(schema::ExportFrameHeader));
    const size_t body_bytes = parser.BodyBytes(header).value();
    const absl::Status status = parser.Take(
        header, cut(body_bytes), [&](const schema::ExportObservation& seen) {
          if (seen.lsn == 0) {
            contents.erase(std::string(seen.id));
          } else {
            contents[std::string(seen.id)] = std::string(seen.payload);
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
  }
  EXPECT_TRUE(parser.complete());
  EXPECT_EQ(parser.trailer().live, contents.size());
  return contents;
}

class ExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    db_ = Db::Open(directory_.PathOf("db"), SmallLog()).value();
    options_.dimension = kDimension;
    options_.metric = Metric::kCosine;
    options_.M = 8;
    options_.quantization = Quantization::kInt8;
    space_ = db_->OpenSpace("notes", options_).value();
  }

  std::string file() const { return directory_.PathOf("notes.engram"); }

  absl::Status Observe(int number, const std::string& payload) {
    WriteOptions options;
    options.durability = Durability::kProcess;
    return space_
        .Observe({absl::StrCat("id", number), TestVector(kDimension, number),
                  payload, -number},
                 options)
        .status();
  }

  static void ExpectEqual(const Space& a, const Space& b) {
    ASSERT_EQ(*a.ListIds(), *b.ListIds());
    const std::vector<std::string> ids = a.ListIds().value();
    for (const std::string& id : ids) {
      const StoredObservation x = a.Get(id).value();
      const StoredObservation y = b.Get(id).value();
      ASSERT_EQ(x.vector, y.vector) << id;
      ASSERT_EQ(x.payload, y.payload) << id;
      ASSERT_EQ(x.timestamp_us, y.timestamp_us) << id;
    }
  }

  std::string Bytes() const {
    std::ifstream stream(file(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  }
  void SetBytes(const std::string& bytes) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << bytes;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  SpaceOptions options_;
  Space space_;
};

TEST_F(ExportTest, OfAGraphATailAndRemovalsIsEqualWhenImported) {
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(Observe(i, std::string(static_cast<size_t>(i), 'p')).ok());
    if (i == 200) {
      ASSERT_TRUE(db_->Checkpoint().ok());
    }
  }
  for (int i = 0; i < 300; i += 7) {
    ASSERT_TRUE(space_.Remove(absl::StrCat("id", i)).ok());
  }
  ASSERT_TRUE(Observe(1, "again").ok());
  ASSERT_TRUE(db_->ExportSpace("notes", file()).ok());
  struct stat info = {};
  ASSERT_EQ(::stat(file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);

  // Beside the original, and in another database.
  const absl::Status status = db_->ImportSpace(file(), "copy");
  ASSERT_TRUE(status.ok()) << status;
  const Space copy = db_->OpenSpace("copy", options_).value();
  ExpectEqual(space_, copy);
  auto other = Db::Open(directory_.PathOf("other"), SmallLog());
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->ImportSpace(file(), "notes").ok());
  ASSERT_TRUE((*other)->Close().ok());
  other = Db::Open(directory_.PathOf("other"), SmallLog());
  ASSERT_TRUE(other.ok()) << other.status();
  const Space space = (*other)->OpenSpace("notes", options_).value();
  ExpectEqual(space_, space);
  const auto hits = space.Search(TestVector(kDimension, 5), {});
  ASSERT_TRUE(hits.ok()) << hits.status();
  EXPECT_EQ((*hits)[0].id, "id5");
}

TEST_F(ExportTest, OfTheLargestObservationAndOfNone) {
  const std::string path = directory_.PathOf("large");
  Db* const db = db_.get();
  ASSERT_TRUE(db->ExportSpace("notes", path).ok());
  ASSERT_TRUE(db->ImportSpace(path, "empty").ok());
  EXPECT_TRUE(db->OpenSpace("empty", options_)->ListIds()->empty());
  auto wide = Db::Open(directory_.PathOf("wide"), {});
  ASSERT_TRUE(wide.ok()) << wide.status();
  SpaceOptions options;
  options.dimension = kDimensionMax;
  Space space = (*wide)->OpenSpace("wide", options).value();
  const std::string id(kIdBytesMax, 'i');
  const std::string payload(kPayloadBytesMax, 'p');
  ASSERT_TRUE(space.Observe({id, TestVector(kDimensionMax, 1), payload}).ok());
  ASSERT_TRUE((*wide)->ExportSpace("wide", file()).ok());
  ASSERT_TRUE((*wide)->ImportSpace(file(), "copy").ok());
  ExpectEqual(space, (*wide)->OpenSpace("copy", {}).value());
  // A segment of this one is too small for it.
  const absl::Status status = db->ImportSpace(file(), "wide");
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_TRUE(absl::IsNotFound(db->OpenSpace("wide", {}).status()));
}

// One thread writes and removes; each export must be a state that the space had
// after some beginning of what it did.
TEST_F(ExportTest, IsOfOneMomentAlthoughTheSpaceIsWrittenTo) {
  constexpr int kIds = 4999;  // a prime: every stride reaches all of them
  constexpr int kStride = 1987;
  const auto id_of = [](int step) {
    return absl::StrCat("id", step * int64_t{kStride} % kIds);
  };
  const std::vector<float> vector = TestVector(kDimension, 1);
  WriteBatch batch;
  Contents state;
  for (int i = 0; i < kIds; ++i) {
    batch.Observe(space_, {id_of(i), vector, "old"});
    state[id_of(i)] = "old";
    if (batch.count() < 500 && i + 1 < kIds) continue;
    ASSERT_TRUE(db_->Write(batch).ok());
    batch.Clear();
  }
  WriteOptions options;
  options.durability = Durability::kProcess;
  std::atomic<bool> stop{false};
  std::atomic<int> steps{0};
  std::thread writer([&] {
    for (int step = 0; !stop.load(); ++step) {
      const auto lsn =
          step % 3 == 2
              ? space_.Remove(id_of(step), options)
              : space_.Observe({id_of(step), vector, absl::StrCat(step)},
                               options);
      ASSERT_TRUE(lsn.ok()) << lsn.status();
      steps.store(step + 1);
    }
  });
  std::vector<Contents> exported;
  for (int i = 0; i < 4; ++i) {
    while (steps.load() < 100 * i) std::this_thread::yield();
    const std::string path = absl::StrCat(file(), i);
    const absl::Status status = db_->ExportSpace("notes", path);
    EXPECT_TRUE(status.ok()) << status;
    exported.push_back(ContentsOf(path));
  }
  stop.store(true);
  writer.join();
  size_t matched = 0;
  for (int step = 0; step < steps.load() && matched < exported.size(); ++step) {
    while (matched < exported.size() && exported[matched] == state) ++matched;
    if (step % 3 == 2) {
      state.erase(id_of(step));
    } else {
      state[id_of(step)] = absl::StrCat(step);
    }
  }
  while (matched < exported.size() && exported[matched] == state) ++matched;
  EXPECT_EQ(matched, exported.size()) << "no beginning of the writes leaves it";
}

TEST_F(ExportTest, ADamagedFileMakesNoSpace) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Observe(i, "payload").ok());
  ASSERT_TRUE(db_->ExportSpace("notes", file()).ok());
  const std::string bytes = Bytes();
  for (size_t at = 0; at < bytes.size(); at += 97) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    SetBytes(damaged);
    EXPECT_TRUE(absl::IsDataLoss(db_->ImportSpace(file(), "copy"))) << at;
    SetBytes(bytes.substr(0, at));
    EXPECT_TRUE(absl::IsDataLoss(db_->ImportSpace(file(), "copy"))) << at;
  }
  SetBytes(bytes + "x");
  EXPECT_TRUE(absl::IsDataLoss(db_->ImportSpace(file(), "copy")));
  EXPECT_THAT(*db_->ListSpaces(), ::testing::ElementsAre("notes"));
  SetBytes(bytes);
  EXPECT_TRUE(db_->ImportSpace(file(), "copy").ok());
}

TEST_F(ExportTest, RefusesWhatIsTakenMissingOrClosed) {
  ASSERT_TRUE(Observe(1, "x").ok());
  ASSERT_TRUE(db_->ExportSpace("notes", file()).ok());
  const std::string bytes = Bytes();
  EXPECT_TRUE(absl::IsAlreadyExists(db_->ExportSpace("notes", file())));
  EXPECT_EQ(Bytes(), bytes) << "it was not touched";
  EXPECT_TRUE(
      absl::IsNotFound(db_->ExportSpace("nosuch", directory_.PathOf("none"))));
  EXPECT_FALSE(fs::exists(directory_.PathOf("none")));
  EXPECT_TRUE(absl::IsAlreadyExists(db_->ImportSpace(file(), "notes")));
  EXPECT_EQ(space_.ListIds()->size(), 1u);
  EXPECT_TRUE(absl::IsInvalidArgument(db_->ImportSpace(file(), "a/b")));
  EXPECT_TRUE(absl::IsNotFound(db_->ImportSpace(file() + "2", "copy")));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(db_->ImportSpace(directory_.path(), "copy")));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      db_->ExportSpace("notes", directory_.PathOf("later"))));
  EXPECT_TRUE(absl::IsFailedPrecondition(db_->ImportSpace(file(), "copy")));

  Options options = SmallLog();
  options.read_only = true;
  auto reader = Db::Open(directory_.PathOf("db"), options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_TRUE((*reader)->ExportSpace("notes", file() + "2").ok());
  EXPECT_TRUE(
      absl::IsFailedPrecondition((*reader)->ImportSpace(file(), "copy")));
}

}  // namespace
}  // namespace engram

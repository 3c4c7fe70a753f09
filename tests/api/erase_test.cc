// What is erased is in no file of the database any more.

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/files_with.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 16;
constexpr int kIds = 200;
constexpr absl::Duration kLong = absl::Minutes(2);
constexpr uint64_t kSecretSeed = 5'000'000;

// How many spaces have a column family for themselves.
class EraseTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override {
    Open();
    for (int i = 0; i < kIds; ++i) Observe(absl::StrCat("id", i), i, "other");
  }

  Options MakeOptions() const {
    Options options;
    options.wal_segment_bytes = 256 << 10;
    options.wal_limit_bytes = 16 << 20;
    options.workers = 2;
    options.flat_records_max = 100;
    options.max_dedicated_spaces = GetParam();
    return options;
  }

  void Open() {
    db_.reset();
    auto db = Db::Open(directory_.PathOf("db"), MakeOptions());
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions options;
    options.dimension = kDimension;
    other_ = *db_->OpenSpace("other", options);
    space_ = *db_->OpenSpace("notes", options);
  }

  void Observe(const std::string& id, uint64_t seed,
               const std::string& payload) {
    const auto lsn =
        space_.Observe({id, TestVector(kDimension, seed), payload, 1});
    ASSERT_TRUE(lsn.ok()) << lsn.status();
  }

  // The files that hold these bytes, in one line.
  std::string FilesWith(const std::string& bytes) const {
    return absl::StrJoin(testing::FilesWith(directory_.PathOf("db"), bytes),
                         " ");
  }

  // What looks like a table that is not needed, and cannot be removed as one.
  std::string PutFileInTheWay() const {
    const std::string folder = directory_.PathOf("db/kv/999999.sst");
    std::filesystem::create_directory(folder);
    return folder;
  }

  static std::string BytesOf(uint64_t seed) {
    const std::vector<float> vector = TestVector(kDimension, seed);
    return std::string(reinterpret_cast<const char*>(vector.data()),
                       vector.size() * sizeof(float));
  }

  void ExpectGone(const std::string& id, int versions) {
    EXPECT_EQ(FilesWith(id), "");
    EXPECT_EQ(FilesWith("payload of it"), "");
    for (int i = 0; i < versions; ++i) {
      EXPECT_EQ(FilesWith(BytesOf(kSecretSeed + i)), "") << i;
    }
    EXPECT_TRUE(absl::IsNotFound(space_.Get(id).status()));
  }

  void ExpectOthersAsTheyWere() {
    EXPECT_EQ(space_.ListIds()->size(), size_t{kIds});
    for (int i = 0; i < kIds; i += 7) {
      const auto stored = space_.Get(absl::StrCat("id", i));
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->vector, TestVector(kDimension, i));
      const auto hits = space_.Search(TestVector(kDimension, i), {});
      ASSERT_TRUE(hits.ok()) << hits.status();
      EXPECT_EQ((*hits)[0].id, absl::StrCat("id", i));
    }
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
  Space other_;
};

TEST_P(EraseTest, WhatOnlyTheLogHoldsIsGone) {
  Observe("a secret", kSecretSeed, "payload of it");
  EXPECT_NE(FilesWith("a secret"), "");
  const auto lsn = space_.Erase("a secret", kLong);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  EXPECT_EQ(*lsn, db_->GetStats()->last_lsn);
  ExpectGone("a secret", 1);
  ExpectOthersAsTheyWere();
}

TEST_P(EraseTest, AllVersionsAreGoneWhereverTheyStand) {
  Observe("a secret", kSecretSeed, "payload of it, saved");
  ASSERT_TRUE(db_->Checkpoint().ok());
  Observe("a secret", kSecretSeed + 1, "payload of it, saved again");
  Observe("z secret", kSecretSeed + 2, "payload of it, too");
  ASSERT_TRUE(db_->Checkpoint().ok());
  ASSERT_TRUE(space_.Remove("a secret").ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  Observe("a secret", kSecretSeed + 3, "payload of it, logged");
  EXPECT_NE(FilesWith(BytesOf(kSecretSeed)), "");
  const std::vector<std::string> ids = {"a secret", "z secret", "never there"};
  const auto lsn = space_.Erase(ids, kLong);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  for (const std::string& id : ids) ExpectGone(id, 4);
  ExpectOthersAsTheyWere();
  Open();
  for (const std::string& id : ids) ExpectGone(id, 4);
  ExpectOthersAsTheyWere();
}

TEST_P(EraseTest, OfOtherSpacesNothingIs) {
  Observe("a secret", kSecretSeed, "payload of it");
  const std::vector<float> vector = TestVector(kDimension, 9'999);
  ASSERT_TRUE(other_.Observe({"a secret", vector, "theirs", 1}).ok());
  ASSERT_TRUE(space_.Erase("a secret", kLong).ok());
  EXPECT_EQ(FilesWith("payload of it"), "");
  EXPECT_EQ(other_.Get("a secret")->payload, "theirs");
  Open();
  EXPECT_EQ(other_.Get("a secret")->vector, vector);
  EXPECT_TRUE(absl::IsNotFound(space_.Get("a secret").status()));
}

// Nothing of either was read yet, and the other one's records keep the log.
TEST_P(EraseTest, SpacesThatAreNotInMemoryAreNoObstacle) {
  Observe("a secret", kSecretSeed, "payload of it");
  const std::vector<float> vector = TestVector(kDimension, 9'999);
  ASSERT_TRUE(other_.Observe({"theirs", vector, "saved", 1}).ok());
  ASSERT_TRUE(db_->Checkpoint().ok());
  Open();
  ASSERT_TRUE(other_.Observe({"theirs", vector, "waits", 1}).ok());
  const auto lsn = space_.Erase("a secret", kLong);
  ASSERT_TRUE(lsn.ok()) << lsn.status();
  ExpectGone("a secret", 1);
  ExpectOthersAsTheyWere();
  EXPECT_EQ(other_.Get("theirs")->payload, "waits");
}

TEST_P(EraseTest, WritesAndSearchesGoOnMeanwhile) {
  std::atomic<bool> done = false;
  std::atomic<int> written = 0;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) {
      const std::vector<float> vector = TestVector(kDimension, 10'000 + i);
      ASSERT_TRUE(other_.Observe({absl::StrCat("o", i), vector, "", i}).ok());
      ASSERT_TRUE(space_.Search(TestVector(kDimension, i % kIds), {}).ok());
      written = i + 1;
    }
  });
  for (int round = 0; round < 3; ++round) {
    const std::string id = absl::StrCat("a secret ", round);
    Observe(id, kSecretSeed, "payload of it");
    const auto lsn = space_.Erase(id, kLong);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ExpectGone(id, 1);
  }
  done = true;
  writer.join();
  EXPECT_EQ(other_.ListIds()->size(), static_cast<size_t>(written));
  ExpectOthersAsTheyWere();
}

TEST_P(EraseTest, WhatIsObservedLaterIsThere) {
  Observe("a secret", kSecretSeed, "payload of it");
  ASSERT_TRUE(space_.Erase("a secret", kLong).ok());
  Observe("a secret", kSecretSeed + 1, "new");
  EXPECT_EQ(space_.Get("a secret")->payload, "new");
  EXPECT_EQ(FilesWith(BytesOf(kSecretSeed)), "");
  ASSERT_TRUE(db_->Compact().ok());
  Open();
  EXPECT_EQ(space_.Get("a secret")->payload, "new");
}

TEST_P(EraseTest, WhatStandsInTheWayIsNamedAndItCanBeCalledAgain) {
  Observe("a secret", kSecretSeed, "payload of it");
  const std::string in_the_way = PutFileInTheWay();
  absl::Status status;
  // On a busy machine indexing stands in the way first.
  for (absl::Duration timeout = absl::Milliseconds(300);
       timeout < kLong && !absl::StrContains(status.message(), "999999.sst");
       timeout *= 2) {
    status = space_.Erase("a secret", timeout).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("removed, but not yet erased"));
  }
  EXPECT_THAT(std::string(status.message()), HasSubstr("999999.sst"));
  EXPECT_TRUE(absl::IsNotFound(space_.Get("a secret").status()));
  std::filesystem::remove(in_the_way);
  ASSERT_TRUE(space_.Erase("a secret", kLong).ok());
  ExpectGone("a secret", 1);
}

// The space is saved and evicted whenever the other one is used.
TEST_P(EraseTest, ASpaceThatIsEvictedMeanwhileIsErasedFrom) {
  Options options = MakeOptions();
  options.memory_budget_bytes = 1 << 20;
  db_.reset();
  auto db = Db::Open(directory_.PathOf("db"), options);
  ASSERT_TRUE(db.ok()) << db.status();
  db_ = *std::move(db);
  space_ = *db_->OpenSpace("notes", {});
  other_ = *db_->OpenSpace("other", {});
  std::atomic<bool> done = false;
  std::thread writer([&] {
    const std::string payload(20'000, 'p');
    for (int i = 0; !done; ++i) {
      const std::vector<float> vector = TestVector(kDimension, 10'000 + i);
      const auto lsn =
          other_.Observe({absl::StrCat("o", i % 50), vector, payload, i});
      ASSERT_TRUE(lsn.ok()) << lsn.status();
    }
  });
  // When it is evicted is a matter of the other one's writes.
  const absl::Time deadline = absl::Now() + kLong;
  uint64_t evictions = 0;
  for (int round = 0; round < 5 || evictions == 0; ++round) {
    ASSERT_LT(absl::Now(), deadline) << "it never was";
    const std::string id = absl::StrCat("a secret ", round);
    Observe(id, kSecretSeed, "payload of it");
    const auto lsn = space_.Erase(id, kLong);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ExpectGone(id, 1);
    evictions = space_.GetStats()->evictions;
  }
  done = true;
  writer.join();
  ExpectOthersAsTheyWere();
}

TEST_P(EraseTest, BackupsAndDropsMayComeMeanwhile) {
  std::atomic<bool> done = false;
  std::thread others([&] {
    SpaceOptions options;
    options.dimension = kDimension;
    for (int i = 0; !done; ++i) {
      const std::string name = absl::StrCat("backup", i);
      const absl::Status saved = db_->Backup(directory_.PathOf(name));
      ASSERT_TRUE(saved.ok()) << saved;
      ASSERT_TRUE(db_->OpenSpace("temporary", options).ok());
      ASSERT_TRUE(db_->DropSpace("temporary").ok());
    }
  });
  std::thread second([&] {
    for (int i = 0; i < 3; ++i) {
      const auto lsn = space_.Erase(absl::StrCat("id", kIds + i), kLong);
      EXPECT_TRUE(lsn.ok()) << lsn.status();
    }
  });
  for (int round = 0; round < 3; ++round) {
    const std::string id = absl::StrCat("a secret ", round);
    Observe(id, kSecretSeed, "payload of it");
    const auto lsn = space_.Erase(id, kLong);
    ASSERT_TRUE(lsn.ok()) << lsn.status();
    ExpectGone(id, 1);
  }
  done = true;
  second.join();
  others.join();
  ExpectOthersAsTheyWere();
}

TEST_P(EraseTest, ASpaceThatIsDroppedMeanwhileIsNotFound) {
  std::thread dropping([this] { ASSERT_TRUE(db_->DropSpace("notes").ok()); });
  const absl::Status status = space_.Erase("id1", kLong).status();
  dropping.join();
  EXPECT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
  EXPECT_TRUE(absl::IsNotFound(space_.Erase("id2", kLong).status()));
}

TEST_P(EraseTest, ClosingEndsIt) {
  PutFileInTheWay();
  std::thread closing([this] {
    absl::SleepFor(absl::Milliseconds(300));
    ASSERT_TRUE(db_->Close().ok());
  });
  const absl::Status status =
      space_.Erase("id1", absl::InfiniteDuration()).status();
  closing.join();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_P(EraseTest, BadArgumentsAreNamed) {
  EXPECT_TRUE(absl::IsInvalidArgument(space_.Erase("", kLong).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      space_.Erase(std::string(513, 'x'), kLong).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      space_.Erase(std::vector<std::string>(), kLong).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Space().Erase("x", kLong).status()));
  ASSERT_TRUE(db_->DropSpace("other").ok());
  EXPECT_TRUE(absl::IsNotFound(other_.Erase("x", kLong).status()));
  Options options = MakeOptions();
  options.read_only = true;
  auto reader = Db::Open(directory_.PathOf("db"), options);
  ASSERT_TRUE(reader.ok()) << reader.status();
  auto theirs = (*reader)->OpenSpace("notes", {});
  ASSERT_TRUE(theirs.ok()) << theirs.status();
  EXPECT_TRUE(absl::IsFailedPrecondition(theirs->Erase("x", kLong).status()));
  ASSERT_TRUE(db_->Close().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(space_.Erase("x", kLong).status()));
}

INSTANTIATE_TEST_SUITE_P(, EraseTest, ::testing::Values(0u, 128u),
                         [](const auto& param_info) {
                           return param_info.param == 0 ? "Shared" : "Alone";
                         });

}  // namespace
}  // namespace engram

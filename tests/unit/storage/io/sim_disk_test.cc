#include "storage/io/sim_disk.h"

#include <memory>
#include <set>
#include <string>

#include "gtest/gtest.h"
#include "storage/io/sim_file_system.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

constexpr uint64_t kSeeds = 200;
constexpr size_t kBlock = 4096;

class SimDiskTest : public ::testing::Test {
 protected:
  // A file in a folder, both durable.
  void SetUp() override {
    ASSERT_TRUE(disk_.CreateFolder("/d").ok());
    ASSERT_TRUE(disk_.SyncFolder("/").ok());
    const auto file = disk_.CreateFile("/d/f", SimDisk::Creation::kMustBeNew);
    ASSERT_TRUE(file.ok());
    file_ = *file;
    Write(0, std::string(4 * kBlock, '0'));
    ASSERT_TRUE(disk_.Sync(file_, "/d/f").ok());
    ASSERT_TRUE(disk_.SyncFolder("/d").ok());
  }

  void Write(uint64_t offset, const std::string& data) {
    ASSERT_TRUE(disk_.WriteAll(file_, "/d/f", offset, data).ok());
  }

  std::string AfterCrash(uint64_t seed, const std::string& path = "/d/f") {
    const SimState state = disk_.AfterCrash(seed);
    const SimNode node = state.Find(path);
    return node == kSimNone ? "none" : state.Bytes(node);
  }

  std::string Now() {
    std::string bytes(*disk_.Size(file_), ' ');
    EXPECT_TRUE(
        disk_.Read(file_, 0, absl::MakeSpan(bytes.data(), bytes.size())).ok());
    return bytes;
  }

  SimDisk disk_;
  SimNode file_ = kSimNone;
};

TEST_F(SimDiskTest, WhatWasSyncedSurvivesEveryCrash) {
  Write(kBlock, std::string(kBlock, '1'));
  ASSERT_TRUE(disk_.Sync(file_, "/d/f").ok());
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(AfterCrash(seed), Now());
  }
}

TEST_F(SimDiskTest, WhatWasNotSyncedIsLostKeptReorderedOrTorn) {
  Write(0, std::string(kBlock, '1'));
  Write(2 * kBlock, std::string(kBlock, '2'));
  bool lost = false, kept = false, reordered = false, torn_fine = false;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string bytes = AfterCrash(seed);
    ASSERT_EQ(bytes.size(), 4 * kBlock);
    EXPECT_EQ(bytes.substr(kBlock, kBlock), std::string(kBlock, '0'));
    const std::string first = bytes.substr(0, kBlock);
    const std::string second = bytes.substr(2 * kBlock, kBlock);
    const bool has_first = first == std::string(kBlock, '1');
    const bool has_second = second == std::string(kBlock, '2');
    const bool no_first = first == std::string(kBlock, '0');
    lost |= no_first && second == std::string(kBlock, '0');
    kept |= has_first && has_second;
    reordered |= no_first && has_second;
    torn_fine |= !has_first && !no_first;
    for (size_t at = 0; at < kBlock; at += 512) {
      EXPECT_EQ(first.substr(at, 512), std::string(512, first[at]));
    }
  }
  EXPECT_TRUE(lost && kept && reordered && torn_fine);
}

TEST_F(SimDiskTest, OfWhatAFileGrewByABeginningSurvives) {
  Write(4 * kBlock, std::string(2 * kBlock, '1'));
  Write(6 * kBlock, std::string(2 * kBlock, '2'));
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string bytes = AfterCrash(seed);
    sizes.insert(bytes.size());
    EXPECT_EQ(bytes, Now().substr(0, bytes.size()));
  }
  EXPECT_GT(sizes.size(), 3u);
}

TEST_F(SimDiskTest, ANameNeedsTheSyncOfItsFolderAndNotThatOfItsFile) {
  const auto file = disk_.CreateFile("/d/g", SimDisk::Creation::kMustBeNew);
  ASSERT_TRUE(disk_.Sync(*file, "/d/g").ok());
  std::set<std::string> found;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    found.insert(AfterCrash(seed, "/d/g"));
  }
  EXPECT_EQ(found, (std::set<std::string>{"", "none"}));
  ASSERT_TRUE(disk_.SyncFolder("/d").ok());
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(AfterCrash(seed, "/d/g"), "");
  }
}

TEST_F(SimDiskTest, ARenameSurvivesWhollyOrNotAtAll) {
  ASSERT_TRUE(disk_.Rename("/d/f", "/d/g").ok());
  bool kept = false, lost = false;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const SimState state = disk_.AfterCrash(seed);
    const bool old_name = state.Find("/d/f") != kSimNone;
    const bool new_name = state.Find("/d/g") != kSimNone;
    ASSERT_NE(old_name, new_name);
    kept |= new_name;
    lost |= old_name;
  }
  EXPECT_TRUE(kept && lost);
}

TEST_F(SimDiskTest, NamesOfOneFolderMayBeLostInAnyOrderUnlessItKeepsThem) {
  SimDisk disk(SimState("ordered"));
  bool any_order = false;
  for (const std::string folder : {"/plain", "/ordered"}) {
    ASSERT_TRUE(disk.CreateFolder(folder).ok());
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    for (const char* name : {"/a", "/b"}) {
      ASSERT_TRUE(
          disk.CreateFile(folder + name, SimDisk::Creation::kMustBeNew).ok());
    }
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      const SimState state = disk.AfterCrash(seed);
      const bool later_alone = state.Find(folder + "/a") == kSimNone &&
                               state.Find(folder + "/b") != kSimNone;
      if (folder == "/ordered") {
        ASSERT_FALSE(later_alone);
      } else {
        any_order |= later_alone;
      }
    }
  }
  EXPECT_TRUE(any_order);
}

TEST_F(SimDiskTest, AFailedSyncLosesWhatARetrySeemsToSave) {
  SimPlan plan;
  plan.fault = {SimFault::Target::kSyncs, SimFault::Effect::kIoError, 1, false};
  disk_.SetPlan(plan);
  bool lost = false;
  for (uint64_t block = 0; block < 4; ++block) {
    Write(block * kBlock, std::string(kBlock, '1'));
  }
  EXPECT_FALSE(disk_.Sync(file_, "/d/f").ok());
  EXPECT_TRUE(disk_.sync_failed("f"));
  EXPECT_TRUE(disk_.Sync(file_, "/d/f").ok()) << "as a kernel would answer";
  EXPECT_EQ(Now(), std::string(4 * kBlock, '1')) << "from the page cache";
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    lost |= AfterCrash(seed) != Now();
  }
  EXPECT_TRUE(lost);
}

TEST_F(SimDiskTest, AFailedSyncLosesPagesOfAWriteAndNotWhatWasSyncedBefore) {
  constexpr size_t kBlocks = 16;  // four are there
  const std::string synced(100, 's');
  Write(0, synced);
  ASSERT_TRUE(disk_.Sync(file_, "/d/f").ok());
  SimPlan plan;
  plan.fault = {SimFault::Target::kSyncs, SimFault::Effect::kIoError, 1, false};
  disk_.SetPlan(plan);
  Write(synced.size(), std::string(kBlocks * kBlock - synced.size(), '1'));
  EXPECT_FALSE(disk_.Sync(file_, "/d/f").ok());
  std::string after = AfterCrash(0);
  EXPECT_EQ(after.substr(0, synced.size()), synced);
  after.resize(kBlocks * kBlock);
  size_t kept = 0;
  for (size_t i = 1; i < kBlocks; ++i) {
    const std::string bytes = after.substr(i * kBlock, kBlock);
    const std::string lost(kBlock, i < 4 ? '0' : '\0');
    kept += bytes != lost;
    EXPECT_TRUE(bytes == lost || bytes == std::string(kBlock, '1')) << i;
  }
  EXPECT_GT(kept, 0u);
  EXPECT_LT(kept, kBlocks - 1);
}

TEST_F(SimDiskTest, NothingHappensOnceThePowerIsOff) {
  const std::string before = Now();
  SimPlan plan;
  plan.stop_after = disk_.operations() + 1;
  disk_.SetPlan(plan);
  Write(0, "last");
  EXPECT_TRUE(absl::IsAborted(disk_.Write(file_, "/d/f", 0, "x").status()));
  EXPECT_TRUE(absl::IsAborted(disk_.Sync(file_, "/d/f")));
  EXPECT_TRUE(absl::IsAborted(disk_.Rename("/d/f", "/d/g")));
  EXPECT_EQ(disk_.state().Bytes(file_), "last" + before.substr(4));
}

TEST_F(SimDiskTest, AFaultStrikesTheNthOfItsTargetOnceOrForEver) {
  for (const bool for_ever : {false, true}) {
    SimPlan plan;
    plan.fault = {SimFault::Target::kWrites, SimFault::Effect::kNoSpace, 2,
                  for_ever};
    disk_.SetPlan(plan);
    EXPECT_TRUE(disk_.Write(file_, "/d/f", 0, "a").ok());
    EXPECT_TRUE(disk_.Sync(file_, "/d/f").ok());
    EXPECT_FALSE(disk_.fault_struck());
    EXPECT_TRUE(
        absl::IsResourceExhausted(disk_.Write(file_, "/d/f", 0, "b").status()));
    EXPECT_TRUE(disk_.fault_struck());
    EXPECT_EQ(disk_.Write(file_, "/d/f", 0, "c").ok(), !for_ever);
  }
}

TEST_F(SimDiskTest, AFaultPassesOverThePathsThatItDoesNotName) {
  SimPlan plan;
  plan.fault = {SimFault::Target::kNames, SimFault::Effect::kNoSpace, 1,
                /*for_ever=*/true, "/other"};
  disk_.SetPlan(plan);
  ASSERT_TRUE(disk_.Link("/d/f", "/d/g").ok());
  ASSERT_TRUE(disk_.Rename("/d/g", "/d/h").ok());
  EXPECT_FALSE(disk_.fault_struck());
  EXPECT_TRUE(absl::IsResourceExhausted(disk_.Link("/d/f", "/other")));
  EXPECT_TRUE(absl::IsResourceExhausted(disk_.Rename("/d/h", "/other")));
  EXPECT_TRUE(disk_.fault_struck());
}

TEST_F(SimDiskTest, AShortWriteStoresHalfAndWriteAllGoesOn) {
  SimPlan plan;
  plan.fault = {SimFault::Target::kWrites, SimFault::Effect::kShortWrite, 1,
                true};
  disk_.SetPlan(plan);
  EXPECT_EQ(*disk_.Write(file_, "/d/f", 0, "12345678"), 4u);
  Write(0, "abcdefg");
  EXPECT_EQ(Now().substr(0, 8), "abcdefg0");
}

TEST_F(SimDiskTest, TheJournalAppliedToTheStartIsTheDisk) {
  SimState state = disk_.state();
  disk_.KeepJournal();
  Write(100, "hello");
  ASSERT_TRUE(disk_.Rename("/d/f", "/d/g").ok());
  for (const SimOperation& operation : disk_.TakeJournal()) {
    state.Apply(operation);
  }
  EXPECT_EQ(state.Bytes(state.Find("/d/g")), Now());
  EXPECT_EQ(state.Find("/d/f"), kSimNone);
}

TEST_F(SimDiskTest, FilesWrittenAtOnceAreDurableWhereTheySayTheyAre) {
  SimFileSystem files(&disk_);
  const auto folder = files.OpenDirectory("/d", false);
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE((*folder)->CreateZeroed("zeros", 2 * kBlock).ok());
  ASSERT_TRUE(files.WriteSmallFile("/d/small", "text").ok());
  ASSERT_TRUE(files.AppendToFile("/d/grown", "one").ok());
  ASSERT_TRUE(files.AppendToFile("/d/grown", "two").ok());
  ASSERT_TRUE((*folder)->Sync().ok());
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    ASSERT_EQ(AfterCrash(seed, "/d/zeros"), std::string(2 * kBlock, '\0'));
    ASSERT_EQ(AfterCrash(seed, "/d/small"), "text");
    ASSERT_EQ(AfterCrash(seed, "/d/grown"), "onetwo");
  }
}

}  // namespace
}  // namespace engram::io

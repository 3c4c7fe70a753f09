#include "storage/kv/torn_manifest.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "rocksdb/env.h"
#include "storage/base/crc32c.h"
#include "storage/io/sim_disk.h"
#include "storage/kv/fault_file_system.h"
#include "store_harness.h"

namespace engram::kv {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kBlock = size_t{32} << 10;
constexpr char kFull = 1;
constexpr char kFirst = 2;
constexpr char kMiddle = 3;
constexpr char kLast = 4;

// A fragment that ends `bytes` after it begins, as RocksDB writes it.
std::string Fragment(char type, size_t bytes, char fill = 'x') {
  const size_t length = bytes - 7;
  const std::string checked = type + std::string(length, fill);
  uint32_t crc = Crc32c(checked.data(), checked.size());
  crc = ((crc >> 15) | (crc << 17)) + 0xa282ead8;
  std::string fragment(6, '\0');
  for (size_t k = 0; k < 4; ++k) {
    fragment[k] = static_cast<char>(crc >> (8 * k));
  }
  fragment[4] = static_cast<char>(length & 0xff);
  fragment[5] = static_cast<char>(length >> 8);
  return fragment + checked;
}

// A manifest of one change of 1,000 bytes, and one of all that follows up to
// the end of the fourth block and `last` bytes more.
std::string WithLongChange(size_t last) {
  return absl::StrCat(Fragment(kFull, 1'000), Fragment(kFirst, kBlock - 1'000),
                      Fragment(kMiddle, kBlock), Fragment(kMiddle, kBlock),
                      Fragment(kMiddle, kBlock), Fragment(kLast, last));
}

void Zero(size_t begin, size_t end, std::string* bytes) {
  std::fill(bytes->begin() + static_cast<int64_t>(begin),
            bytes->begin() + static_cast<int64_t>(end), '\0');
}

// Where it ends; nothing if it is whole.
std::optional<uint64_t> TornTail(const std::string& bytes) {
  const auto end = FindTornTail(bytes);
  EXPECT_TRUE(end.ok()) << end.status();
  return end.value_or(std::nullopt);
}

void ExpectDamage(const std::string& bytes) {
  const auto end = FindTornTail(bytes);
  EXPECT_TRUE(absl::IsDataLoss(end.status())) << end.status();
}

TEST(FindTornTailTest, WhatHasLostNothingIsWhole) {
  EXPECT_EQ(TornTail(""), std::nullopt);
  EXPECT_EQ(TornTail(Fragment(kFull, 100)), std::nullopt);
  EXPECT_EQ(TornTail(WithLongChange(9'000)), std::nullopt);
  // Zeros that were written, in the middle and at the end.
  const std::string zeros = Fragment(kFull, 2 * kPage, '\0');
  EXPECT_EQ(TornTail(zeros + Fragment(kFull, 100)), std::nullopt);
  EXPECT_EQ(TornTail(zeros).value_or(zeros.size()), zeros.size());
}

TEST(FindTornTailTest, AHoleInTheLastChangeEndsBeforeIt) {
  for (size_t at = kPage; at < 4 * kBlock; at += kPage) {
    std::string bytes = WithLongChange(9'000);
    Zero(at, at + kPage, &bytes);
    EXPECT_EQ(TornTail(bytes), 1'000u) << at;
  }
}

TEST(FindTornTailTest, AChangeOfWhichTheBeginningIsMissingIsTorn) {
  for (size_t end : {2 * kPage, kBlock, kBlock + 7, 3 * kBlock, 4 * kBlock}) {
    std::string bytes = WithLongChange(9'000);
    Zero(1'000, end, &bytes);
    EXPECT_EQ(TornTail(bytes), 1'000u) << end;
  }
}

TEST(FindTornTailTest, AChangeOfWhichTheEndIsMissingIsTorn) {
  std::string bytes = Fragment(kFull, 1'000) + Fragment(kFull, kPage);
  Zero(kPage, bytes.size(), &bytes);  // a part of a page
  EXPECT_EQ(TornTail(bytes), 1'000u);
}

TEST(FindTornTailTest, AHeaderMayBeginBeforeTheHole) {
  for (size_t before = 1; before <= 7; ++before) {
    const size_t begin = kPage - before;
    std::string bytes =
        absl::StrCat(Fragment(kFull, begin), Fragment(kFull, 6'000));
    Zero(kPage, 2 * kPage, &bytes);
    EXPECT_EQ(TornTail(bytes), begin);
  }
}

TEST(FindTornTailTest, AChangeBehindTheHoleMakesItDamage) {
  // A disk that lost what it had synced. In another block:
  std::string bytes = WithLongChange(kBlock) + Fragment(kFull, 100);
  Zero(kBlock, kBlock + kPage, &bytes);
  ExpectDamage(bytes);
  bytes = absl::StrCat(WithLongChange(9'000), Fragment(kFirst, 500));
  Zero(kBlock, kBlock + kPage, &bytes);
  ExpectDamage(bytes);
  // In the same one:
  bytes = absl::StrCat(Fragment(kFull, 1'000), Fragment(kFull, 8'000),
                       Fragment(kFull, 100));
  Zero(kPage, 2 * kPage, &bytes);
  ExpectDamage(bytes);
  // RocksDB would see neither the hole nor what was there.
  bytes = absl::StrCat(Fragment(kFull, kPage), Fragment(kFull, kBlock - kPage),
                       Fragment(kFull, 100));
  Zero(kPage, kBlock, &bytes);
  ExpectDamage(bytes);
}

TEST(FindTornTailTest, SeveralChangesInTheLostPageAreDamage) {
  // The header of the first one is before it, and says where that ended.
  std::string bytes = Fragment(kFull, kPage - 50);
  for (int i = 0; i < 4; ++i) bytes += Fragment(kFull, 200);
  Zero(kPage, bytes.size(), &bytes);
  ExpectDamage(bytes);
  // The end of the lost change is intact, and something stood behind it.
  bytes = WithLongChange(9'000) + Fragment(kFull, 8'000);
  Zero(kBlock, kBlock + kPage, &bytes);
  Zero(4 * kBlock + 9'000, bytes.size(), &bytes);
  ExpectDamage(bytes);
}

TEST(FindTornTailTest, TheEndOfASectorMayBeAllThatIsLost) {
  // The rest of its page was synced before.
  std::string bytes = absl::StrCat(
      Fragment(kFull, kPage - 100), Fragment(kFirst, kBlock - kPage + 100),
      Fragment(kMiddle, kBlock), Fragment(kLast, 100));
  Zero(kPage - 100, kPage, &bytes);
  EXPECT_EQ(TornTail(bytes), kPage - 100);
}

TEST(FindTornTailTest, DamageBeforeTheHoleIsNotHidden) {
  std::string bytes = WithLongChange(9'000);
  Zero(kBlock, kBlock + kPage, &bytes);
  bytes[500] ^= 1;
  ExpectDamage(bytes);
}

TEST(FindTornTailTest, WithoutALostSectorItIsRocksDbsToTell) {
  std::string bytes = WithLongChange(9'000);
  bytes[kBlock + 500] ^= 1;
  EXPECT_EQ(TornTail(bytes), std::nullopt);
  Zero(kBlock + 1, kBlock + 1'023, &bytes);
  EXPECT_EQ(TornTail(bytes), std::nullopt);
}

class TornManifestTest : public StoreHarness {
 protected:
  std::string ManifestPath() const {
    std::ifstream current(absl::StrCat(path(), "/CURRENT"));
    std::string name;
    current >> name;
    return absl::StrCat(path(), "/", name);
  }

  void Append(const std::string& bytes) {
    std::ofstream(ManifestPath(), std::ios::app | std::ios::binary) << bytes;
  }
};

TEST_F(TornManifestTest, AStoreOpensWithWhatItsManifestHeldBefore) {
  for (const bool read_only : {true, false}) {
    OpenWithFamily();
    Commit({{"a", "1"}});
    store_.reset();
    // A change that was lost but for its end.
    const size_t bytes = std::filesystem::file_size(ManifestPath());
    Append(std::string(kBlock - bytes, '\0'));
    Append(Fragment(kMiddle, kBlock) + Fragment(kLast, 100));
    Open(read_only);
    ASSERT_NE(store_, nullptr);
    EXPECT_EQ(Contents(), (std::map<std::string, std::string>{{"a", "1"}}))
        << read_only;
    store_.reset();
    std::filesystem::remove_all(path());
  }
}

TEST_F(TornManifestTest, DamageIsStillDamage) {
  OpenWithFamily();
  Commit({{"a", "1"}});
  store_.reset();
  const size_t bytes = std::filesystem::file_size(ManifestPath());
  Append(std::string(kBlock - bytes, '\0'));
  Append(Fragment(kFull, kBlock));
  for (const bool read_only : {true, false}) {
    const auto store = Store::Open(path(), {read_only});
    EXPECT_TRUE(absl::IsDataLoss(store.status())) << store.status();
    EXPECT_THAT(store.status().message(),
                ::testing::HasSubstr("with later changes behind them"));
  }
}

// Its record in the manifest is of 4 MiB: see expunge.cc.
TEST(TornManifestCrashTest, AStoreOpensAfterAnySyncOfAnExpungeHasFailed) {
  uint64_t struck = 0;
  for (uint64_t nth = 1; nth < 60; ++nth) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
      io::SimDisk disk(io::SimState("kv"));
      ASSERT_TRUE(disk.CreateFolder("/kv").ok());
      ASSERT_TRUE(disk.SyncFolder("/").ok());
      const auto env = NewSimEnv(&disk);
      StoreOptions options;
      options.env = env.get();
      {
        auto store = Store::Open("/kv", options);
        ASSERT_TRUE(store.ok()) << store.status();
        ASSERT_TRUE((*store)->CreateFamily("p000001").ok());
        // What survives depends on how many operations there were before.
        for (uint64_t i = 0; i <= seed; ++i) {
          auto ingest = (*store)->NewIngest("p000001");
          ASSERT_TRUE((*ingest)->Put("a", absl::StrCat(i)).ok());
          ASSERT_TRUE((*ingest)->Commit().ok());
        }
        io::SimPlan plan;
        plan.fault = {io::SimFault::Target::kSyncs,
                      io::SimFault::Effect::kIoError, nth, true};
        disk.SetPlan(plan);
        const Store::KeyRange range = {"b", "b"};
        (*store)->Expunge("p000001", {&range, 1}).IgnoreError();
        if (!disk.fault_struck()) {
          EXPECT_GT(struck, 4u);
          return;
        }
      }
      ++struck;
      io::SimDisk after(disk.AfterCrash(seed));
      const auto env_after = NewSimEnv(&after);
      options.env = env_after.get();
      const auto store = Store::Open("/kv", options);
      ASSERT_TRUE(store.ok()) << nth << " " << seed << ": " << store.status();
      const auto value = (*store)->Get("p000001", "a");
      ASSERT_TRUE(value.ok()) << value.status();
      EXPECT_EQ(*value, absl::StrCat(seed));
    }
  }
}

}  // namespace
}  // namespace engram::kv

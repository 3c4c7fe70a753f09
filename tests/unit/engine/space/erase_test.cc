// Versions that leave the checkpoint for good.

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gtest/gtest.h"
#include "space_harness.h"
#include "tests/support/files_with.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

constexpr uint64_t kSecretSeed = 4'711;

// The number says from how many versions on the space has a graph.
class EraseTest : public SpaceHarness,
                  public ::testing::WithParamInterface<uint32_t> {
 protected:
  void SetUp() override {
    OpenStore();
    Make(GetParam());
    for (int i = 0; i < 150; ++i) Observe(absl::StrCat("id", i), i);
    ServeAll();
  }

  void TidyAll() {
    while (space_->Tidy()) {
    }
  }

  // Removes the id, and everything of it that is in files.
  ErasedRows Erase(const std::string& id) {
    const Lsn lsn = Remove(id);
    ServeAll();
    TidyAll();
    EXPECT_FALSE(space_->HoldsEnded({id}, lsn));
    space_->RequestSave();
    Checkpoint();
    return Expunge(id, lsn);
  }

  ErasedRows Expunge(const std::string& id, Lsn up_to) {
    const absl::StatusOr<ErasedRows> erased =
        space_->Erase(store_.get(), {id}, up_to);
    EXPECT_TRUE(erased.ok()) << erased.status();
    absl::Status status = store_->Expunge(kFamily, erased->ranges);
    if (status.ok()) status = store_->RemoveObsoleteFiles();
    EXPECT_TRUE(status.ok()) << status;
    return *erased;
  }

  size_t CountFilesWith(const std::string& bytes) const {
    return testing::FilesWith(path(), bytes).size();
  }

  static std::string BytesOf(uint64_t seed) {
    const std::vector<float> vector = TestVector(kTestDimension, seed);
    return std::string(reinterpret_cast<const char*>(vector.data()),
                       vector.size() * sizeof(float));
  }
};

TEST_P(EraseTest, NoFileHoldsTheIdItsVectorsOrItsPayloads) {
  Observe("secret", kSecretSeed, "payload of secrets");
  ServeAll();
  Checkpoint();
  Observe("secret", kSecretSeed + 1, "payload of secrets, again");
  Observe("zz", 1'000);
  ServeAll();
  Checkpoint();
  EXPECT_GT(CountFilesWith("payload of secrets"), 0u);
  EXPECT_GT(CountFilesWith(BytesOf(kSecretSeed)), 0u);
  const uint32_t rows = ReadHead().slot_count;
  const ErasedRows erased = Erase("secret");
  EXPECT_EQ(erased.rows, 2u);
  EXPECT_EQ(ReadHead().slot_count, rows);
  EXPECT_EQ(CountFilesWith("secret"), 0u);
  EXPECT_EQ(CountFilesWith(BytesOf(kSecretSeed)), 0u);
  EXPECT_EQ(CountFilesWith(BytesOf(kSecretSeed + 1)), 0u);
  ExpectMatchesModel();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(EraseTest, CheckpointsGoOnBehindIt) {
  std::mt19937 random(1);
  for (int round = 0; round < 12; ++round) {
    const std::string id = absl::StrCat("secret", round);
    Observe(id, random(), "a payload");
    ServeAll();
    Checkpoint();
    Observe(absl::StrCat("id", random() % 150), random());
    ServeAll();
    Checkpoint();
    EXPECT_EQ(Erase(id).rows, 1u);
    EXPECT_EQ(CountFilesWith(id), 0u);
    ExpectMatchesModel();
  }
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

// Parts that were merged are in tables until these are.
TEST_P(EraseTest, PartsThatNoHeadListsAnyMoreAreSearchedToo) {
  Observe("secret", kSecretSeed, "payload");
  ServeAll();
  Checkpoint();
  Remove("secret");
  for (int i = 0; i < 12; ++i) {
    Observe(absl::StrCat("more", i), 1'000 + i);
    ServeAll();
    TidyAll();
    Checkpoint();
  }
  ASSERT_TRUE(space_->Rewrite(store_.get()).ok());  // and leaves the row out
  EXPECT_GT(CountFilesWith(BytesOf(kSecretSeed)), 0u);
  EXPECT_EQ(Erase("secret").rows, 0u);
  EXPECT_EQ(CountFilesWith("secret"), 0u);
  EXPECT_EQ(CountFilesWith(BytesOf(kSecretSeed)), 0u);
  ExpectMatchesModel();
}

TEST_P(EraseTest, AVersionThatASearchMaySeeIsStillHeld) {
  Observe("secret", kSecretSeed);
  ServeAll();
  Checkpoint();
  index::EpochDomain::Guard reader = epochs_.Enter();
  const Lsn lsn = Remove("secret");
  ServeAll();
  space_->Tidy();
  EXPECT_TRUE(space_->HoldsEnded({"secret"}, lsn));
  EXPECT_FALSE(space_->HoldsEnded({"secret"}, lsn - 1));
  EXPECT_FALSE(space_->HoldsEnded({"id1"}, lsn));
  if (GetParam() == 50) {
    Checkpoint();
    const auto erased = space_->Erase(store_.get(), {"secret"}, lsn);
    EXPECT_TRUE(absl::IsUnavailable(erased.status())) << erased.status();
    EXPECT_NE(erased.status().message().find("is still a node"),
              absl::string_view::npos);
    ExpectMatchesModel();
  }
  reader.Leave();
  TidyAll();
  EXPECT_FALSE(space_->HoldsEnded({"secret"}, lsn));
  EXPECT_EQ(Erase("secret").rows, 1u);
}

TEST_P(EraseTest, WhatWasObservedSinceStays) {
  Observe("secret", kSecretSeed, "old");
  ServeAll();
  Checkpoint();
  const Lsn lsn = Remove("secret");
  Observe("secret", kSecretSeed + 1, "new");
  ServeAll();
  TidyAll();
  Checkpoint();
  EXPECT_EQ(Expunge("secret", lsn).rows, 1u);
  EXPECT_EQ(CountFilesWith(BytesOf(kSecretSeed)), 0u);
  EXPECT_GT(CountFilesWith(BytesOf(kSecretSeed + 1)), 0u);
  ExpectMatchesModel();
  ASSERT_TRUE(Reload(GetParam()).ok());
  ExpectMatchesModel();
}

TEST_P(EraseTest, OnlyTheSegmentsThatHoldItAreWritten) {
  std::mt19937 random(2);
  const uint32_t per_segment = schema::VectorSegmentSlots(kTestDimension);
  for (uint32_t i = 0; i < 2 * per_segment; ++i) {
    Observe(absl::StrCat("id", i % 300), random());
    if (i % 500 == 0) ServeAll();
  }
  Observe("secret", kSecretSeed);
  ServeAll();
  TidyAll();
  Checkpoint();
  const schema::Head before = ReadHead();
  Erase("secret");
  const schema::Head after = ReadHead();
  size_t same = 0;
  for (const schema::PartReference& part : after.vector_parts) {
    same += static_cast<size_t>(
        std::count_if(before.vector_parts.begin(), before.vector_parts.end(),
                      [&part](const schema::PartReference& other) {
                        return other.index == part.index &&
                               other.generation == part.generation;
                      }));
  }
  EXPECT_GE(after.vector_parts.size(), 1u);
  EXPECT_EQ(same + 1, after.vector_parts.size());
}

TEST_P(EraseTest, WhatWasNeverThereIsNoError) {
  Checkpoint();
  EXPECT_EQ(Erase("never").rows, 0u);
  EXPECT_EQ(CountFilesWith("never"), 0u);
}

INSTANTIATE_TEST_SUITE_P(, EraseTest, ::testing::Values(100'000u, 50u),
                         [](const auto& param_info) {
                           return param_info.param == 50 ? "Graph" : "Flat";
                         });

}  // namespace
}  // namespace engram::space

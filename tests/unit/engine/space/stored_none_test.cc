// Spaces that keep codes in memory and vectors on disk only.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "schema/key_layout.h"
#include "space_harness.h"
#include "tests/support/damage.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using ::testing::HasSubstr;
using testing::TestVector;

constexpr uint32_t kDimension = 40;

class StoredNoneTest : public SpaceHarness {
 protected:
  void SetUp() override {
    description_.dimension = kDimension;
    description_.quantization = schema::Quantization::kInt8;
    description_.stored = schema::Stored::kNone;
    OpenStore();
    Make(/*flat_records_max=*/100);
  }

  // Each vector bit for bit, and found by itself as far as codes tell.
  void ExpectHoldsModel() {
    for (const auto& [id, expected] : model_) {
      const auto stored = space_->Get(id, store_.get());
      ASSERT_TRUE(stored.ok()) << stored.status();
      ASSERT_EQ(stored->vector, expected.vector) << id;
      ASSERT_EQ(stored->payload, expected.payload) << id;
      const auto hits = Search(expected.vector, 1, 400);
      ASSERT_EQ(hits.size(), 1u);
      EXPECT_EQ(hits[0].id, id);
    }
  }
};

TEST_F(StoredNoneTest, GetReturnsTheVectorWhereverItStands) {
  for (int i = 0; i < 80; ++i) Observe(absl::StrCat(i), i, "flat");
  ServeAll();
  ExpectHoldsModel();
  Checkpoint();
  ExpectHoldsModel();
  for (int i = 80; i < 300; ++i) Observe(absl::StrCat(i), i, "graph");
  ServeAll();
  ASSERT_TRUE(space_->GetStats(0).has_graph);
  EXPECT_EQ(space_->GetStats(0).quantization, Quantization::kInt8);
  ExpectHoldsModel();
  Checkpoint();
  ExpectHoldsModel();
  ASSERT_TRUE(Reload(100).ok());
  ExpectHoldsModel();
}

TEST_F(StoredNoneTest, PartsThatAreMergedAndRowsThatAreGoneDoNotConfuseIt) {
  for (int i = 0; i < 200; ++i) Observe(absl::StrCat(i), i);
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 15; ++i) {
      Observe(absl::StrCat((round * 13 + i) % 200), 1000 * round + i);
    }
    Remove(absl::StrCat(round + 100));
    ServeAll();
    Checkpoint();
    if (round % 5 == 0) {
      ASSERT_TRUE(Reload(100).ok());
    }
    ExpectHoldsModel();
  }
  EXPECT_LT(ReadHead().vector_parts.size(), 10u);
}

TEST_F(StoredNoneTest, MemoryIsThatOfCodes) {
  for (int i = 0; i < 2000; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  const uint64_t without = space_->GetStats(0).memory_bytes;
  description_.stored = schema::Stored::kF32;
  Make(100);
  for (int i = 0; i < 2000; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  const uint64_t with = space_->GetStats(0).memory_bytes;
  EXPECT_GE(with, without + 2000 * kDimension * sizeof(float));
}

TEST_F(StoredNoneTest, ADamagedPartIsDataLossThatNamesIt) {
  for (int i = 0; i < 150; ++i) Observe(absl::StrCat(i), i);
  ServeAll();
  Checkpoint();
  const schema::PartReference part = ReadHead().vector_parts[0];
  const std::string key = schema::VectorPartKey(part.index, part.generation);
  const std::string intact = *store_->Get(kFamily, key);
  auto ingest = *store_->NewIngest(kFamily);
  ASSERT_TRUE(ingest->Put(key, testing::FlipBit(intact, 4000)).ok());
  ASSERT_TRUE(ingest->Commit().ok());
  const absl::Status status = space_->Get("7", store_.get()).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("id \"7\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("key v/0/1"));
  EXPECT_EQ(Search(TestVector(kDimension, 7), 1)[0].id, "7")
      << "codes are in memory";
}

}  // namespace
}  // namespace engram::space

// Several spaces in one ingestion.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

constexpr uint64_t kSpaces = 3;
constexpr uint64_t kIds = 40;

class SavedTogetherTest : public SpaceHarness {
 protected:
  void SetUp() override {
    OpenStore();
    for (uint64_t id = 1; id <= kSpaces; ++id) spaces_.push_back(NewSpace(id));
  }

  static std::string PlaceOf(uint64_t id) {
    return schema::MemberName(kFamily, id);
  }

  std::shared_ptr<SpaceState> NewSpace(uint64_t id,
                                       uint32_t dimension = kTestDimension) {
    schema::SpaceDescription description = TestSpace();
    description.dimension = dimension;
    description.id = id;
    description.name = absl::StrCat("space", id);
    SpaceLimits limits;
    limits.admission = {1000, 1'000'000};
    limits.flat_records_max = 10;
    auto space = std::make_shared<SpaceState>(description, 5, limits, &epochs_);
    space->set_family(PlaceOf(id));
    return space;
  }

  // Number `i` of a space is near nothing else.
  static std::vector<float> VectorOf(const SpaceState& space, uint64_t i) {
    return testing::TestVector(space.description().dimension,
                               space.id() * 1000 + i);
  }

  void Fill(SpaceState* space, uint64_t first) {
    for (uint64_t i = first; i < first + kIds; ++i) {
      const std::vector<float> vector = VectorOf(*space, i);
      schema::RecordDraft draft;
      draft.space_id = space->id();
      const std::string id = absl::StrCat(i);
      draft.id = id;
      draft.vector = vector;
      const auto group = MakeGroup(draft, ++last_lsn_);
      ASSERT_TRUE(space->gate().Admit({1, kAdmitted}, 0).ok());
      space->gate().Publish(1);
      space->Publish(RecordOf(group), group, kAdmitted);
    }
    while (space->gate().records() > 0) space->Serve(1000);
  }

  absl::StatusOr<SavedSpaces> Save() {
    std::vector<SpaceState*> all;
    for (const auto& space : spaces_) all.push_back(space.get());
    return CheckpointSpaces(all, store_.get(),
                            [this](Lsn lsn) { return WaitDurable(lsn); });
  }

  absl::Status WaitDurable(Lsn lsn) {
    waited_for_ = lsn;
    return log_status_;
  }

  // That files alone hold `count` ids of each space.
  void ExpectSaved(uint64_t count) {
    for (const auto& space : spaces_) {
      const auto value = store_->Get(space->family(), schema::kHeadKey);
      ASSERT_TRUE(value.ok()) << value.status();
      const auto head = schema::DecodeHead(space->id(), *value);
      ASSERT_TRUE(head.ok()) << head.status();
      const auto loaded = NewSpace(space->id(), space->description().dimension);
      const absl::Status status = loaded->Load(*store_, *head);
      ASSERT_TRUE(status.ok()) << status;
      for (uint64_t i = 0; i < count; ++i) {
        const auto hits =
            loaded->Search(VectorOf(*space, i), {.ef_search = 500}, nullptr);
        ASSERT_TRUE(hits.ok()) << hits.status();
        ASSERT_FALSE(hits->empty());
        EXPECT_EQ((*hits)[0].id, absl::StrCat(i)) << loaded->name();
      }
    }
  }

  std::vector<std::shared_ptr<SpaceState>> spaces_;
  absl::Status log_status_;
  Lsn waited_for_ = 0;
};

TEST_F(SavedTogetherTest, EachComesBackWithWhatItHad) {
  for (int round = 0; round < 3; ++round) {
    for (const auto& space : spaces_) Fill(space.get(), round * kIds);
    const auto saved = Save();
    ASSERT_TRUE(saved.ok()) << saved.status();
    EXPECT_EQ(saved->spaces, kSpaces);
    EXPECT_GT(saved->bytes, 0u);
    EXPECT_EQ(waited_for_, last_lsn_);
    ExpectSaved((round + 1) * kIds);
  }
}

// Its vectors are written by a thread of their own, and others follow.
TEST_F(SavedTogetherTest, ALargeOneMayComeBeforeOthers) {
  constexpr uint32_t kDimension = 4096;
  constexpr uint64_t kLarge =
      (uint64_t{4} << 20) / (kDimension * sizeof(float)) + 1;
  spaces_[0] = NewSpace(1, kDimension);
  for (uint64_t first = 0; first < kLarge; first += kIds) {
    Fill(spaces_[0].get(), first);
  }
  for (const auto& space : spaces_) {
    if (space != spaces_[0]) Fill(space.get(), 0);
  }
  const auto saved = Save();
  ASSERT_TRUE(saved.ok()) << saved.status();
  EXPECT_EQ(saved->spaces, kSpaces);
  ExpectSaved(kIds);
}

TEST_F(SavedTogetherTest, OnlyThoseWithSomethingToSaveAreCounted) {
  Fill(spaces_[1].get(), 0);
  EXPECT_EQ(Save()->spaces, 1u);
  EXPECT_FALSE(store_->Get(PlaceOf(1), schema::kHeadKey).ok());
  EXPECT_TRUE(store_->Get(PlaceOf(2), schema::kHeadKey).ok());
  EXPECT_EQ(Save()->spaces, 0u);
  EXPECT_EQ(Save()->bytes, 0u);
}

TEST_F(SavedTogetherTest, AFailureSavesNoneAndTheNextAttemptAll) {
  for (const auto& space : spaces_) Fill(space.get(), 0);
  log_status_ = absl::DataLossError("the log is gone");
  EXPECT_EQ(Save().status(), log_status_);
  for (const auto& space : spaces_) {
    EXPECT_TRUE(space->HasUnsaved());
    EXPECT_FALSE(store_->Get(space->family(), schema::kHeadKey).ok());
  }
  log_status_ = absl::OkStatus();
  EXPECT_EQ(Save()->spaces, kSpaces);
  ExpectSaved(kIds);
}

TEST_F(SavedTogetherTest, ADroppedOneIsLeftOut) {
  for (const auto& space : spaces_) Fill(space.get(), 0);
  spaces_[0]->MarkDropped(++last_lsn_);
  EXPECT_EQ(Save()->spaces, kSpaces - 1);
  EXPECT_FALSE(store_->Get(PlaceOf(1), schema::kHeadKey).ok());
}

}  // namespace
}  // namespace engram::space

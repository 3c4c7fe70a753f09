#include "engine/db/family_assigner.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FamilyAssignerTest : public ::testing::Test {
 protected:
  std::string Assign(uint64_t id, uint64_t bytes = 1000) {
    return assigner_.Assign(id, bytes, &next_family_, &made_);
  }

  FamilyAssigner assigner_{2};
  uint64_t next_family_ = 1;
  std::vector<std::string> made_;
};

TEST_F(FamilyAssignerTest, TheFirstSpacesGetOneEachAndOthersShare) {
  EXPECT_EQ(Assign(11), "p000001");
  EXPECT_EQ(Assign(12), "p000002");
  EXPECT_EQ(Assign(13), "p000003/13");
  EXPECT_EQ(Assign(14), "p000003/14");
  EXPECT_THAT(made_, ElementsAre("p000001", "p000002", "p000003"));
  EXPECT_EQ(next_family_, 4u);
}

TEST_F(FamilyAssignerTest, LargeSpacesGetTheirOwnUpToALimit) {
  Assign(1);
  Assign(2);
  EXPECT_EQ(Assign(3), "p000003/3");
  for (uint64_t id = 4; id < 10; ++id) {
    EXPECT_EQ(Assign(id, FamilyAssigner::kLargeBytes).find('/'),
              std::string::npos);
  }
  EXPECT_EQ(Assign(10, FamilyAssigner::kLargeBytes), "p000003/10");
}

TEST_F(FamilyAssignerTest, AFullFamilyIsFollowedByAnother) {
  FamilyAssigner shares_all(0);
  std::vector<std::string> made;
  std::string last;
  for (uint64_t id = 1; id <= FamilyAssigner::kMembersMax + 1; ++id) {
    last = shares_all.Assign(id, 0, &next_family_, &made);
  }
  EXPECT_EQ(last, "p000002/4097");
  EXPECT_THAT(made, ElementsAre("p000001", "p000002"));
}

TEST_F(FamilyAssignerTest, RoomInAnyFamilyIsUsedBeforeANewOneIsMade) {
  FamilyAssigner shares_all(0);
  std::vector<std::string> made;
  for (uint64_t id = 1; id <= FamilyAssigner::kMembersMax + 10; ++id) {
    shares_all.Assign(id, 0, &next_family_, &made);
  }
  shares_all.Remove("p000001/1");
  for (uint64_t id = 5001; id <= 5020; ++id) {
    shares_all.Assign(id, 0, &next_family_, &made);
  }
  EXPECT_THAT(made, ElementsAre("p000001", "p000002"));
}

TEST_F(FamilyAssignerTest, WhatTheCatalogSaysIsCounted) {
  next_family_ = 9;
  assigner_.Add("p000001");
  assigner_.Add("p000002");
  assigner_.Add("p000008/5");
  EXPECT_EQ(Assign(6), "p000008/6");
  EXPECT_THAT(made_, IsEmpty());
}

TEST_F(FamilyAssignerTest, WhatIsDroppedMakesRoom) {
  Assign(1);
  Assign(2);
  assigner_.Remove("p000001");
  EXPECT_EQ(Assign(3), "p000003");
  EXPECT_EQ(Assign(4), "p000004/4");
  assigner_.Remove("p000004/4");
  EXPECT_EQ(Assign(5), "p000004/5");
}

}  // namespace
}  // namespace engram::internal

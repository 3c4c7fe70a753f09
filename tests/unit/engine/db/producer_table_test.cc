#include "engine/db/producer_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Verdict = ProducerTable::Verdict;

TEST(ProducerTableTest, KnowsNobodyAtFirst) {
  const ProducerTable table;
  EXPECT_EQ(table.size(), 0u);
  EXPECT_THAT(table.All(), IsEmpty());
  EXPECT_EQ(table.Find(3), (schema::ProducerState{3, 0, 0}));
  Lsn last_lsn = 0;
  EXPECT_EQ(*table.Judge({3, 1}, &last_lsn), Verdict::kNew);
  EXPECT_EQ(*table.Judge({3, 1, 0}, &last_lsn), Verdict::kNew);
  EXPECT_TRUE(
      absl::IsFailedPrecondition(table.Judge({3, 2, 1}, &last_lsn).status()));
}

TEST(ProducerTableTest, JudgesByTheLastSequence) {
  ProducerTable table;
  table.Accept({3, 10, 100});
  Lsn last_lsn = 0;
  EXPECT_EQ(*table.Judge({3, 11}, &last_lsn), Verdict::kNew);
  EXPECT_EQ(*table.Judge({3, 20, 10}, &last_lsn), Verdict::kNew);
  EXPECT_EQ(*table.Judge({4, 10}, &last_lsn), Verdict::kNew);
  EXPECT_EQ(last_lsn, 0u);
  EXPECT_EQ(*table.Judge({3, 10}, &last_lsn), Verdict::kDuplicate);
  EXPECT_EQ(last_lsn, 100u);
  EXPECT_EQ(*table.Judge({3, 5, 2}, &last_lsn), Verdict::kDuplicate);
}

// A log is read that the catalog knows in part.
TEST(ProducerTableTest, AnOlderWriteChangesNothing) {
  ProducerTable table;
  table.Accept({3, 10, 100});
  table.Accept({3, 8, 80});
  EXPECT_EQ(table.Find(3), (schema::ProducerState{3, 10, 100}));
  table.Accept({3, 11, 101});
  EXPECT_EQ(table.Find(3), (schema::ProducerState{3, 11, 101}));
}

TEST(ProducerTableTest, TellsWhoWroteBetweenTwoLsns) {
  ProducerTable table;
  table.Accept({9, 1, 10});
  table.Accept({5, 1, 20});
  table.Accept({7, 1, 30});
  table.Accept({5, 2, 40});
  EXPECT_THAT(table.Between(10, 40),
              UnorderedElementsAre(schema::ProducerState{7, 1, 30},
                                   schema::ProducerState{5, 2, 40}));
  EXPECT_THAT(table.Between(10, 39),
              ElementsAre(schema::ProducerState{7, 1, 30}));
  EXPECT_THAT(table.All(), ElementsAre(schema::ProducerState{5, 2, 40},
                                       schema::ProducerState{7, 1, 30},
                                       schema::ProducerState{9, 1, 10}));
}

TEST(StampConditionTest, WithoutAStampThereIsNone) {
  ProducerTable table;
  StampCondition condition(std::nullopt, &table);
  EXPECT_EQ(condition.get(), nullptr);
  EXPECT_TRUE(condition.Check().ok());
}

TEST(StampConditionTest, LetsOneOfTwoThrough) {
  ProducerTable table;
  StampCondition first(ProducerStamp{3, 1}, &table);
  StampCondition second(ProducerStamp{3, 1}, &table);
  EXPECT_TRUE(first.Check().ok());
  EXPECT_TRUE(second.Check().ok());  // nothing was logged yet
  first.OnLogged(50);
  EXPECT_TRUE(absl::IsAlreadyExists(second.Check()));
  EXPECT_EQ(first.duplicate_of(), 0u);
  EXPECT_EQ(second.duplicate_of(), 50u);
}

}  // namespace
}  // namespace engram::internal

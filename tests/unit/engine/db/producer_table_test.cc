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

TEST(ProducerTableTest, ListsAllByNumber) {
  ProducerTable table;
  table.Accept({9, 1, 10});
  table.Accept({5, 1, 20});
  table.AcceptSaved({7, 1, 30});
  table.Accept({5, 2, 40});
  EXPECT_THAT(table.All(), ElementsAre(schema::ProducerState{5, 2, 40},
                                       schema::ProducerState{7, 1, 30},
                                       schema::ProducerState{9, 1, 10}));
}

TEST(ProducerTableTest, TellsWhatNoCatalogHolds) {
  ProducerTable table;
  table.AcceptSaved({9, 1, 10});
  table.Accept({9, 1, 10});  // the log still has it
  table.AcceptSaved({8, 1, 15});
  table.Accept({8, 2, 25});
  table.Accept({5, 1, 20});
  table.Accept({7, 1, 30});
  table.Accept({5, 2, 40});
  ProducerTable::Unsaved unsaved = table.FindUnsaved(40);
  EXPECT_THAT(unsaved.states,
              UnorderedElementsAre(schema::ProducerState{8, 2, 25},
                                   schema::ProducerState{7, 1, 30},
                                   schema::ProducerState{5, 2, 40}));
  EXPECT_EQ(unsaved.beyond_lsn, 0u);
  unsaved = table.FindUnsaved(29);
  EXPECT_THAT(unsaved.states, ElementsAre(schema::ProducerState{8, 2, 25}));
  EXPECT_EQ(unsaved.beyond_lsn, 40u);
}

TEST(ProducerTableTest, WhatAProducerWritesDuringACheckpointIsLeftForTheNext) {
  ProducerTable table;
  table.Accept({5, 1, 20});
  table.Accept({7, 1, 30});
  const ProducerTable::Unsaved unsaved = table.FindUnsaved(30);
  EXPECT_EQ(unsaved.states.size(), 2u);
  EXPECT_EQ(table.FindUnsaved(30).states.size(), 2u) << "it was not saved";
  table.Accept({7, 2, 35});
  table.MarkSaved(unsaved.states);
  EXPECT_THAT(table.FindUnsaved(40).states,
              ElementsAre(schema::ProducerState{7, 2, 35}));
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

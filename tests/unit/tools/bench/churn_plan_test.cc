#include "tools/bench/churn_plan.h"

#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::bench {
namespace {

TEST(ChurnPlan, RemovesOnlyWhatLivesAndNeverUsesAnIdTwice) {
  const ChurnPlan plan = MakeChurnPlan(200, 100, 6, 1);
  std::map<uint32_t, uint32_t> live;
  std::set<uint32_t> ids;
  for (const Item& item : plan.initial) {
    live[item.id] = item.row;
    ids.insert(item.id);
  }
  EXPECT_EQ(live.size(), 100u);
  ASSERT_EQ(plan.rounds.size(), 6u);
  for (const ChurnPlan::Round& round : plan.rounds) {
    ASSERT_EQ(round.removed.size(), 25u);
    ASSERT_EQ(round.inserted.size(), 25u);
    for (const uint32_t id : round.removed) EXPECT_EQ(live.erase(id), 1u);
    for (const Item& item : round.inserted) {
      EXPECT_TRUE(ids.insert(item.id).second);
      live[item.id] = item.row;
    }
    std::set<uint32_t> rows;
    for (const auto& [id, row] : live) rows.insert(row);
    EXPECT_EQ(rows.size(), 100u) << "a row lives twice";
  }
  std::map<uint32_t, uint32_t> final_live;
  for (const Item& item : plan.final_live) final_live[item.id] = item.row;
  EXPECT_EQ(final_live, live);
}

TEST(ChurnPlan, IsTheSameForASeed) {
  EXPECT_EQ(MakeChurnPlan(80, 40, 2, 7).rounds[1].removed,
            MakeChurnPlan(80, 40, 2, 7).rounds[1].removed);
  EXPECT_NE(MakeChurnPlan(80, 40, 2, 7).rounds[1].removed,
            MakeChurnPlan(80, 40, 2, 8).rounds[1].removed);
}

}  // namespace
}  // namespace engram::bench

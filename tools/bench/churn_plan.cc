#include "tools/bench/churn_plan.h"

#include <deque>

#include "storage/base/check.h"
#include "tools/bench/row_order.h"

namespace engram::bench {

ChurnPlan MakeChurnPlan(size_t row_count, size_t live, int rounds,
                        uint64_t seed) {
  ENGRAM_CHECK(live >= 4 && live + live / 4 <= row_count);
  RandomBits random(seed);
  std::vector<uint32_t> rows(row_count);
  for (size_t i = 0; i < row_count; ++i) rows[i] = static_cast<uint32_t>(i);
  Shuffle(random, &rows);
  ChurnPlan plan;
  uint32_t next_id = 0;
  for (size_t i = 0; i < live; ++i)
    plan.initial.push_back({next_id++, rows[i]});
  std::deque<uint32_t> pool(rows.begin() + static_cast<ptrdiff_t>(live),
                            rows.end());
  std::vector<Item>& current = plan.final_live;
  current = plan.initial;
  const size_t quarter = live / 4;
  for (int i = 0; i < rounds; ++i) {
    ChurnPlan::Round& round = plan.rounds.emplace_back();
    Shuffle(random, &current);
    for (size_t j = 0; j < quarter; ++j) {
      round.removed.push_back(current[j].id);
      round.inserted.push_back({next_id++, pool.front()});
      pool.pop_front();
    }
    for (size_t j = 0; j < quarter; ++j) {
      pool.push_back(current[j].row);
      current[j] = round.inserted[j];
    }
  }
  return plan;
}

}  // namespace engram::bench

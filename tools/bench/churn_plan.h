// What is removed and inserted when a data set is churned.

#ifndef ENGRAM_TOOLS_BENCH_CHURN_PLAN_H_
#define ENGRAM_TOOLS_BENCH_CHURN_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/bench/subject.h"

namespace engram::bench {

// Every engine goes through the same plan.
struct ChurnPlan {
  struct Round {
    std::vector<uint32_t> removed;  // ids
    std::vector<Item> inserted;     // as many, under ids that were never used
  };

  std::vector<Item> initial;
  std::vector<Round> rounds;
  std::vector<Item> final_live;  // after the last round
};

// Of `row_count` rows, `live` are in the index and the others in a pool. Each
// of `rounds` rounds takes a random quarter of the live ones out and as many
// rows, those that have waited longest, out of the pool; what was taken out
// joins the pool's end. `live` is at least 4, and the pool holds a quarter of
// it. The same plan for the same seed.
ChurnPlan MakeChurnPlan(size_t row_count, size_t live, int rounds,
                        uint64_t seed);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_CHURN_PLAN_H_

// Searches and plans beside the writer, who takes slots away and uses them
// again. Worth most under TSan.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "engine/index/epoch.h"
#include "engine/index/graph.h"
#include "graph_harness.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 8;
constexpr uint32_t kSlotCount = 600;
constexpr size_t kLiveMin = 20;  // a search never meets an empty graph
constexpr uint32_t kSearcherCount = 3;
constexpr int kOperationCount = 6000;

std::vector<float> RandomVector(std::mt19937& random) {
  // Few values, so that there are copies, and heads that are removed.
  std::vector<float> vector(kDimension, 1.0f);
  for (size_t i = 4; i < vector.size(); ++i) {
    vector[i] = static_cast<float>(random() % 5);
  }
  return vector;
}

// When a slot was live: `linked` and `unlinked` are readings of one clock, the
// latter UINT64_MAX while it is.
struct Life {
  std::atomic<uint64_t> linked{UINT64_MAX};
  std::atomic<uint64_t> unlinked{UINT64_MAX};
};

class GraphConcurrencyTest
    : public testing::TestWithParam<schema::Quantization> {
 protected:
  GraphConcurrencyTest()
      : graph_({.dimension = kDimension,
                .M = 3,
                .ef_construction = 16,
                .quantization = GetParam()},
               std::vector<float>(kDimension), simd::BestKernels()),
        lives_(kSlotCount) {}

  // Searches until the writer is done. Each result must have been live at some
  // time between the search's begin and its end. The writer stamps a slot
  // before it links it and after it has unlinked it, so a life looks longer
  // than it was, never shorter; and no slot has a second life while a guard
  // that saw the first one is held.
  void SearchUntilDone(uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<Neighbor> found;
    while (!done_.load()) {
      const EpochDomain::Guard guard = epochs_.Enter();
      const uint64_t begin = clock_.load();
      const bool had_entry = graph_.entry_point().exists;
      const uint32_t refused_share = random() % 3;
      const auto accept = [&](uint32_t slot) {
        return refused_share == 0 || slot % (2 * refused_share) == 0;
      };
      graph_.Search(RandomVector(random), 5, 20, accept, guard.scratch(),
                    &found, nullptr);
      if (had_entry && refused_share == 0) {
        EXPECT_FALSE(found.empty());
      }
      for (size_t i = 0; i < found.size(); ++i) {
        const uint32_t slot = found[i].slot;
        ASSERT_LT(slot, kSlotCount);
        EXPECT_TRUE(accept(slot));
        EXPECT_NE(lives_[slot].linked.load(), UINT64_MAX) << slot;
        EXPECT_GE(lives_[slot].unlinked.load(), begin) << slot;
        if (i > 0) {
          EXPECT_LT(KeyOf(found[i - 1].distance, found[i - 1].slot),
                    KeyOf(found[i].distance, slot));
        }
      }
      searches_.fetch_add(1);
    }
  }

  // Keeps planning the slot that the writer has put out, into the place beside
  // it. The guard of each plan goes to the writer with it: what it names is not
  // reused before it is linked.
  void PlanUntilDone() {
    Scratch scratch;
    while (!done_.load()) {
      // In this order: the writer takes the slot back before it says that it
      // has the plan. The other way round, a slot that it has linked meanwhile
      // would be planned again.
      const bool is_planned = is_planned_.load(std::memory_order_acquire);
      const uint32_t slot = to_plan_.load(std::memory_order_acquire);
      if (is_planned || slot == kNoSlot) {
        std::this_thread::yield();
        continue;
      }
      plan_guard_ = epochs_.Enter();
      plan_ = graph_.Plan(slot, scratch);
      is_planned_.store(true, std::memory_order_release);
    }
  }

  void Link(const InsertPlan& plan) {
    Life& life = lives_[plan.slot];
    life.linked.store(clock_.load());
    graph_.Link(plan);
    live_.push_back(plan.slot);
  }

  void UnlinkAny(std::mt19937& random, Scratch& scratch) {
    std::swap(live_[random() % live_.size()], live_.back());
    const uint32_t slot = live_.back();
    live_.pop_back();
    graph_.Unlink(slot, scratch);
    lives_[slot].unlinked.store(clock_.fetch_add(1));
    retired_.emplace_back(epochs_.Retire(), slot);
  }

  // A slot that nobody looks at any more, filled; or kNoSlot.
  uint32_t TakeSlot(std::mt19937& random, Scratch& scratch) {
    while (!retired_.empty() && epochs_.HasPassed(retired_.front().first)) {
      const uint32_t slot = retired_.front().second;
      retired_.pop_front();
      graph_.Release(slot);
      lives_[slot].linked.store(UINT64_MAX);
      lives_[slot].unlinked.store(UINT64_MAX);
      free_.push_back(slot);
      ++reused_;
    }
    uint32_t slot = graph_.slot_count();
    if (!free_.empty()) {
      slot = free_.back();
      free_.pop_back();
    } else if (slot < kSlotCount) {
      graph_.GrowTo(slot + 1);
    } else {
      return kNoSlot;
    }
    graph_.Fill(slot, RandomVector(random), scratch);
    return slot;
  }

  void Write() {
    std::mt19937 random(1);
    Scratch scratch;
    bool is_planning = false;
    for (int i = 0; i < kOperationCount; ++i) {
      // Now and then for the planner, however the threads are scheduled.
      while (is_planning && i % 100 == 0 && !is_planned_.load()) {
        std::this_thread::yield();
      }
      if (is_planning && is_planned_.load(std::memory_order_acquire)) {
        to_plan_.store(kNoSlot);
        Link(plan_);
        plan_guard_.Leave();
        is_planned_.store(false, std::memory_order_release);
        is_planning = false;
        ++planned_elsewhere_;
      }
      const bool is_growing = i / 1000 % 2 == 0;
      if (live_.size() > kLiveMin &&
          random() % 100 >= (is_growing ? 80u : 20u)) {
        UnlinkAny(random, scratch);
        continue;
      }
      const uint32_t slot = TakeSlot(random, scratch);
      if (slot == kNoSlot) {
        if (live_.size() > kLiveMin) UnlinkAny(random, scratch);
        std::this_thread::yield();
      } else if (!is_planning) {
        is_planning = true;
        to_plan_.store(slot, std::memory_order_release);
      } else {
        Link(graph_.Plan(slot, scratch));
      }
    }
  }

  EpochDomain epochs_;
  Graph graph_;
  std::vector<Life> lives_;
  std::atomic<uint64_t> clock_{1};
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> searches_{0};

  // From the writer to the planner, and back.
  std::atomic<uint32_t> to_plan_{kNoSlot};
  std::atomic<bool> is_planned_{false};
  InsertPlan plan_;
  EpochDomain::Guard plan_guard_;

  // The writer's own.
  std::vector<uint32_t> live_;
  std::vector<uint32_t> free_;
  std::deque<std::pair<uint64_t, uint32_t>> retired_;
  int reused_ = 0;
  int planned_elsewhere_ = 0;
};

TEST_P(GraphConcurrencyTest, EveryResultWasLiveDuringItsSearch) {
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kSearcherCount; ++i) {
    threads.emplace_back([this, i] { SearchUntilDone(100 + i); });
  }
  threads.emplace_back([this] { PlanUntilDone(); });
  Write();
  // However the threads were scheduled.
  while (searches_.load() < 100) std::this_thread::yield();
  done_.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(reused_, 0);
  EXPECT_GT(planned_elsewhere_, 0);
  EXPECT_EQ(graph_.CountUnreachable([](uint32_t) { return true; }), 0u);
  Scratch scratch;
  std::vector<Neighbor> found;
  graph_.Search(
      std::vector<float>(kDimension), kSlotCount, 1,
      [](uint32_t) { return true; }, scratch, &found, nullptr);
  std::vector<uint32_t> slots;
  for (const Neighbor& neighbor : found) slots.push_back(neighbor.slot);
  std::sort(slots.begin(), slots.end());
  std::sort(live_.begin(), live_.end());
  EXPECT_EQ(slots, live_);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, GraphConcurrencyTest,
                         testing::Values(schema::Quantization::kNone,
                                         schema::Quantization::kInt8,
                                         schema::Quantization::kInt2),
                         [](const auto& tested) {
                           return NameOf(tested.param);
                         });

}  // namespace
}  // namespace engram::index

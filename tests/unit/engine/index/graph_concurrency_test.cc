#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "engine/index/graph.h"
#include "gtest/gtest.h"

namespace engram::index {
namespace {

constexpr uint32_t kDimension = 8;
constexpr uint32_t kCount = 3000;
constexpr uint32_t kReaderCount = 3;

bool AcceptEverything(uint32_t) { return true; }

std::vector<float> RandomVector(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> vector(kDimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

// A small M makes lists overflow often; Reattach() rewrites links as well.
TEST(GraphConcurrencyTest, ReadersSeeValidResultsWhileTheWriterInserts) {
  Graph graph({.dimension = kDimension,
               .metric = schema::Metric::kCosine,
               .M = 4,
               .ef_construction = 20},
              simd::BestKernels());
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (uint32_t reader = 0; reader < kReaderCount; ++reader) {
    readers.emplace_back([&graph, &done, reader] {
      std::mt19937 random(100 + reader);
      Scratch scratch;
      std::vector<Neighbor> found;
      while (!done.load()) {
        const bool had_entry = graph.entry_point().exists;
        graph.Search(RandomVector(random), 5, 20, AcceptEverything, scratch,
                     &found);
        if (had_entry) {
          EXPECT_FALSE(found.empty());
        }
        const uint32_t slot_count = graph.slot_count();
        for (size_t i = 0; i < found.size(); ++i) {
          EXPECT_LT(found[i].slot, slot_count);
          EXPECT_LT(found[i].distance, 2.001f);
          if (i > 0) {
            EXPECT_GE(found[i].distance, found[i - 1].distance);
          }
        }
        graph.CountUnreachable(AcceptEverything);
      }
    });
  }
  std::mt19937 random(1);
  Scratch scratch;
  for (uint32_t i = 0; i < kCount; ++i) {
    graph.Link(graph.Plan(graph.AppendSlot(RandomVector(random)), scratch));
    if (i % 500 == 0) graph.Reattach(AcceptEverything, scratch);
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  graph.Reattach(AcceptEverything, scratch);
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
}

// Planning is a reader's work: here another thread does it, a batch ahead.
TEST(GraphConcurrencyTest, PlansMadeBesideTheWriterGiveAWholeGraph) {
  Graph graph({.dimension = kDimension, .M = 8}, simd::BestKernels());
  std::mt19937 random(2);
  for (uint32_t i = 0; i < kCount; ++i) graph.AppendSlot(RandomVector(random));
  std::vector<InsertPlan> plans(kCount);
  std::atomic<uint32_t> planned{0};
  std::thread planner([&graph, &plans, &planned] {
    Scratch scratch;
    std::vector<uint32_t> earlier;
    for (uint32_t slot = 0; slot < kCount; ++slot) {
      plans[slot] = graph.Plan(slot, scratch, earlier);
      planned.store(slot + 1, std::memory_order_release);
      earlier.push_back(slot);
      if (earlier.size() > 100) earlier.erase(earlier.begin());
    }
  });
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    while (planned.load(std::memory_order_acquire) <= slot) {
      std::this_thread::yield();
    }
    graph.Link(plans[slot]);
  }
  planner.join();

  Scratch scratch;
  graph.Reattach(AcceptEverything, scratch);
  EXPECT_EQ(graph.CountUnreachable(AcceptEverything), 0u);
  uint32_t found_itself = 0;
  for (uint32_t slot = 0; slot < kCount; ++slot) {
    std::vector<Neighbor> found;
    graph.Search(graph.row(slot), 1, 100, AcceptEverything, scratch, &found);
    found_itself += !found.empty() && found[0].slot == slot;
  }
  EXPECT_GE(found_itself, 0.99 * kCount);
}

}  // namespace
}  // namespace engram::index

#include "engine/db/operation_gate.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram::internal {
namespace {

TEST(OperationGateTest, LetsInUntilItIsClosed) {
  OperationGate gate;
  EXPECT_FALSE(gate.closed());
  {
    const Operation first(gate);
    const Operation second(gate);
    EXPECT_TRUE(first.entered());
    EXPECT_TRUE(second.entered());
  }
  EXPECT_TRUE(gate.Close());
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(Operation(gate).entered());
  EXPECT_FALSE(gate.Close()) << "only the first call closes it";
  gate.WaitEmpty();
}

TEST(OperationGateTest, WhoIsInsideMayFinishAfterItIsClosed) {
  OperationGate gate;
  std::atomic<bool> empty{false};
  std::thread waiter;
  {
    const Operation inside(gate);
    EXPECT_TRUE(gate.Close());
    // Those that are turned away do not count.
    EXPECT_FALSE(Operation(gate).entered());
    waiter = std::thread([&] {
      gate.WaitEmpty();
      empty = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_FALSE(empty);
  }
  waiter.join();
  EXPECT_TRUE(empty);
}

// Whatever a call changed inside is seen by whoever waited, and no call begins
// afterwards. The counter is not atomic: ThreadSanitizer would see a missing
// order.
TEST(OperationGateTest, NothingHappensInsideAfterWaitEmpty) {
  for (int round = 0; round < 300; ++round) {
    OperationGate gate;
    std::vector<int> counters(4, 0);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < counters.size(); ++i) {
      threads.emplace_back([&gate, &counter = counters[i]] {
        while (true) {
          const Operation operation(gate);
          if (!operation.entered()) return;
          ++counter;
        }
      });
    }
    if (round % 2 == 0) std::this_thread::yield();
    ASSERT_TRUE(gate.Close());
    gate.WaitEmpty();
    const std::vector<int> after = counters;
    std::this_thread::yield();
    EXPECT_EQ(counters, after);
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace engram::internal

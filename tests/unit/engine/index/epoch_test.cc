#include "engine/index/epoch.h"

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace engram::index {
namespace {

TEST(EpochTest, ATicketPassesAtOnceWhereNobodyReads) {
  EpochDomain epochs;
  const uint64_t first = epochs.Retire();
  EXPECT_TRUE(epochs.HasPassed(first));
  const uint64_t second = epochs.Retire();
  EXPECT_GT(second, first);
  EXPECT_TRUE(epochs.HasPassed(second));
  EXPECT_TRUE(epochs.HasPassed(first));
}

TEST(EpochTest, AReaderHoldsTheTicketsGivenAfterItEntered) {
  EpochDomain epochs;
  const uint64_t before = epochs.Retire();
  EpochDomain::Guard guard = epochs.Enter();
  const uint64_t after = epochs.Retire();
  const uint64_t later = epochs.Retire();
  EXPECT_TRUE(epochs.HasPassed(before));
  EXPECT_FALSE(epochs.HasPassed(after));
  EXPECT_FALSE(epochs.HasPassed(later));
  {
    // One that came later does not stand in for the first.
    const EpochDomain::Guard other = epochs.Enter();
    guard.Leave();
    EXPECT_TRUE(epochs.HasPassed(after));
    EXPECT_TRUE(epochs.HasPassed(later));
  }
  EXPECT_TRUE(epochs.HasPassed(later));
}

TEST(EpochTest, ATicketThatNobodyHasGivenHasNotPassed) {
  EpochDomain epochs;
  EXPECT_FALSE(epochs.HasPassed(1'000'000));
}

TEST(EpochTest, AMovedGuardIsStillInside) {
  EpochDomain epochs;
  EpochDomain::Guard guard = epochs.Enter();
  Scratch* const scratch = &guard.scratch();
  const uint64_t ticket = epochs.Retire();
  EpochDomain::Guard moved = std::move(guard);
  EXPECT_FALSE(guard.held());
  EXPECT_TRUE(moved.held());
  EXPECT_EQ(&moved.scratch(), scratch);
  EXPECT_FALSE(epochs.HasPassed(ticket));
  EpochDomain::Guard target = epochs.Enter();
  target = std::move(moved);
  EXPECT_FALSE(epochs.HasPassed(ticket));
  target = EpochDomain::Guard();
  EXPECT_TRUE(epochs.HasPassed(ticket));
}

TEST(EpochTest, AThreadGetsItsScratchAgain) {
  EpochDomain epochs;
  Scratch* const first = &epochs.Enter().scratch();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(&epochs.Enter().scratch(), first);
  const EpochDomain::Guard guard = epochs.Enter();
  EXPECT_NE(&epochs.Enter().scratch(), &guard.scratch()) << "two at a time";
}

TEST(EpochTest, WhoFindsNoPlaceWaitsForOne) {
  EpochDomain epochs;
  std::vector<EpochDomain::Guard> guards;
  for (size_t i = 0; i < EpochDomain::kPlaces; ++i) {
    guards.push_back(epochs.Enter());
  }
  std::atomic<bool> entered{false};
  std::thread waiter([&] {
    const EpochDomain::Guard guard = epochs.Enter();
    entered = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(entered);
  guards[100].Leave();
  waiter.join();
  EXPECT_TRUE(entered);
}

// A value that is taken away and destroyed as soon as its ticket has passed.
// Destroying early is a wrong value here and a race under a sanitizer.
TEST(EpochTest, NothingIsReclaimedUnderAReader) {
  constexpr int kReaders = 3;
  constexpr int kRounds = 20'000;
  struct Value {
    uint64_t a;
    uint64_t b;
  };
  EpochDomain epochs;
  // Two of them by turns: the one that is not current waits for its ticket.
  Value values[2] = {{1, 1}, {0, 0}};
  std::atomic<int> current{0};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const EpochDomain::Guard guard = epochs.Enter();
        const Value& value = values[current.load(std::memory_order_acquire)];
        for (int look = 0; look < 20; ++look) {
          if (value.a == 0 || value.a != value.b) ++wrong;
        }
        ++reads;
      }
    });
  }
  // On a busy machine the readers may start late.
  for (uint64_t round = 2; round < kRounds || reads == 0; ++round) {
    const int old = current.load();
    Value& next = values[1 - old];
    next = {round, round};
    current.store(1 - old, std::memory_order_release);
    const uint64_t ticket = epochs.Retire();
    while (!epochs.HasPassed(ticket)) std::this_thread::yield();
    values[old] = {0, 0};
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(reads, 0u);
}

// The same place is left and taken again all the time, by different threads.
TEST(EpochTest, PlacesAndScratchesChangeHandsSafely) {
  EpochDomain epochs;
  std::vector<EpochDomain::Guard> held;
  for (size_t i = 0; i + 2 < EpochDomain::kPlaces; ++i) {
    held.push_back(epochs.Enter());
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&epochs] {
      for (int i = 0; i < 2'000; ++i) {
        const EpochDomain::Guard guard = epochs.Enter();
        guard.scratch().pool.assign(3, {1.0f, 7});
        ASSERT_EQ(guard.scratch().pool.size(), 3u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  held.clear();
  EXPECT_TRUE(epochs.HasPassed(epochs.Retire()));
}

}  // namespace
}  // namespace engram::index

#include "storage/base/mutex.h"

#include <unistd.h>

#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "storage/base/clock.h"

namespace engram {
namespace {

int64_t Now() { return Clock::System().MonotonicMicros(); }

TEST(MutexTest, ExcludesOtherThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 20'000;
  Mutex mutex;
  int64_t count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        MutexLock lock(mutex);
        ++count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, kThreads * kRounds);
}

bool TryFromAnotherThread(Mutex& mutex) {
  bool taken = false;
  std::thread([&] {
    if (!mutex.TryLock()) return;
    mutex.Unlock();
    taken = true;
  }).join();
  return taken;
}

TEST(MutexTest, TryLockFailsWhileAnotherThreadHoldsIt) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    EXPECT_FALSE(TryFromAnotherThread(mutex));
  }
  EXPECT_TRUE(TryFromAnotherThread(mutex));
}

TEST(MutexLockTest, GapReleasesTheMutexAndEndsInTheDestructor) {
  Mutex mutex;
  {
    MutexLock lock(mutex);
    lock.Unlock();
    EXPECT_TRUE(TryFromAnotherThread(mutex));
    lock.Lock();
    EXPECT_FALSE(TryFromAnotherThread(mutex));
  }
  EXPECT_TRUE(TryFromAnotherThread(mutex));
  {
    MutexLock lock(mutex);
    lock.Unlock();
  }
  EXPECT_TRUE(TryFromAnotherThread(mutex));
}

TEST(CondVarTest, WaitForEndsAfterItsTimeWithTheMutexHeld) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(mutex);
  const int64_t deadline = Now() + 20'000;
  while (Now() < deadline) never.WaitFor(mutex, deadline - Now());
  EXPECT_LT(Now(), deadline + 10'000'000);
  EXPECT_FALSE(TryFromAnotherThread(mutex));
}

TEST(CondVarTest, WaitForDoesNotWaitForATimeThatHasPassed) {
  Mutex mutex;
  CondVar never;
  MutexLock lock(mutex);
  const int64_t start = Now();
  never.WaitFor(mutex, 0);
  never.WaitFor(mutex, -5'000'000);
  EXPECT_LT(Now() - start, 2'000'000);
}

// A deadline that overflowed would have passed already, and the loop would
// spin.
TEST(CondVarTest, WaitForWithTheLongestTimeWaits) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  int waits = 0;
  std::thread thread([&] {
    ::usleep(50'000);
    MutexLock lock(mutex);
    ready = true;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (!ready) {
      changed.WaitFor(mutex, std::numeric_limits<int64_t>::max());
      ++waits;
    }
  }
  thread.join();
  EXPECT_LT(waits, 10);
}

TEST(CondVarTest, NotifyWakesAWaiter) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread waiter([&] {
    MutexLock lock(mutex);
    while (!ready) changed.Wait(mutex);
  });
  {
    MutexLock lock(mutex);
    ready = true;
  }
  changed.NotifyOne();
  waiter.join();
}

}  // namespace
}  // namespace engram

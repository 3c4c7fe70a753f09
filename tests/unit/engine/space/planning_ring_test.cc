#include "engine/space/planning_ring.h"

#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "gmock/gmock.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PlanningRingTest : public ::testing::Test {
 protected:
  uint64_t Take() {
    ring_.Enter([] { return size_t{100}; });
    return ring_.TakeTicket();
  }

  static std::unique_ptr<IndexBatch> Batch(uint64_t ticket) {
    auto batch = std::make_unique<IndexBatch>();
    batch->ticket = ticket;
    return batch;
  }

  std::vector<uint32_t> SlotsBelow(uint64_t ticket) const {
    std::vector<uint32_t> slots;
    ring_.CollectSlots(ticket, &slots);
    return slots;
  }

  PlanningRing ring_;
};

TEST_F(PlanningRingTest, TicketsRiseAndTheLowestHasTheTurn) {
  EXPECT_EQ(Take(), 0u);
  EXPECT_EQ(Take(), 1u);
  EXPECT_EQ(ring_.turn(), 0u);
  auto first = Batch(0);
  EXPECT_FALSE(ring_.Park(&first)) << "its turn";
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(ring_.PassTurn(), nullptr) << "the next is being planned";
  EXPECT_EQ(ring_.turn(), 1u);
  auto second = Batch(1);
  EXPECT_FALSE(ring_.Park(&second));
  EXPECT_EQ(ring_.PassTurn(), nullptr);
  EXPECT_EQ(Take(), 2u);
  EXPECT_EQ(ring_.turn(), 2u) << "at once, where nothing is in flight";
}

TEST_F(PlanningRingTest, WhoPassesTheTurnGetsWhatIsParked) {
  for (int i = 0; i < 4; ++i) Take();
  auto third = Batch(2);
  auto second = Batch(1);
  EXPECT_TRUE(ring_.Park(&third));
  EXPECT_EQ(third, nullptr);
  EXPECT_TRUE(ring_.Park(&second));
  auto next = ring_.PassTurn();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->ticket, 1u);
  next = ring_.PassTurn();
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->ticket, 2u);
  EXPECT_EQ(ring_.PassTurn(), nullptr);
  EXPECT_EQ(ring_.turn(), 3u);
}

TEST_F(PlanningRingTest, SlotsOfLowerTicketsAreCollectedInOrder) {
  for (int i = 0; i < 3; ++i) Take();
  ring_.AnnounceFilled(1, {4, 5});
  ring_.AnnounceFilled(0, {9, 1});
  EXPECT_THAT(SlotsBelow(0), IsEmpty());
  EXPECT_THAT(SlotsBelow(1), ElementsAre(9, 1));
  EXPECT_THAT(SlotsBelow(2), ElementsAre(9, 1, 4, 5));
  ring_.PassTurn();
  EXPECT_THAT(SlotsBelow(2), ElementsAre(4, 5)) << "the others are linked";
}

TEST_F(PlanningRingTest, OnlyTheLastTicketCanBeShortened) {
  Take();
  ring_.AnnounceFilled(0, {1, 2, 3});
  EXPECT_TRUE(ring_.Shorten(0, {1}));
  Take();
  EXPECT_THAT(SlotsBelow(1), ElementsAre(1));
  EXPECT_FALSE(ring_.Shorten(0, {})) << "one behind it knows the slots";
}

TEST_F(PlanningRingTest, AwaitFilledWaitsForAllLowerTickets) {
  for (int i = 0; i < 3; ++i) Take();
  std::atomic<bool> done{false};
  std::thread waiter([&] {
    ring_.AwaitFilled(2);
    done = true;
  });
  ring_.AnnounceFilled(1, {});
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(done);
  ring_.AnnounceFilled(0, {});
  waiter.join();
  ring_.AwaitFilled(0);
}

TEST_F(PlanningRingTest, NoMoreThanAllowedAreInFlight) {
  const auto two = [] { return size_t{2}; };
  ring_.Enter(two);
  ring_.TakeTicket();
  ring_.Enter(two);
  std::atomic<int> entered{0};
  std::thread waiter([&] {
    ring_.Enter(two);
    ++entered;
    ring_.Enter(two);
    ++entered;
    ring_.Leave();
    ring_.Leave();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(entered, 0);
  ring_.Leave();
  while (entered < 1) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(entered, 1);
  ring_.PassTurn();
  waiter.join();
}

// Every batch is linked once, in order, by somebody, whoever is late.
TEST_F(PlanningRingTest, ManyThreadsLinkEachBatchOnceAndInOrder) {
  constexpr int kThreads = 4;
  constexpr uint64_t kBatches = 4000;
  Mutex take_mutex;
  uint64_t taken = 0;
  std::vector<uint64_t> linked;  // by the turn's holder alone
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      while (true) {
        ring_.Enter([] { return size_t{kThreads + 2}; });
        std::unique_ptr<IndexBatch> batch;
        {
          MutexLock lock(take_mutex);
          if (taken == kBatches) {
            ring_.Leave();
            return;
          }
          ++taken;
          batch = Batch(ring_.TakeTicket());
        }
        const auto slot = static_cast<uint32_t>(batch->ticket);
        ring_.AnnounceFilled(batch->ticket, {slot});
        ring_.AwaitFilled(batch->ticket);
        std::vector<uint32_t> below;
        ring_.CollectSlots(batch->ticket, &below);
        for (size_t i = 1; i < below.size(); ++i) {
          ASSERT_EQ(below[i], below[i - 1] + 1);
        }
        ASSERT_TRUE(below.empty() || below.back() + 1 == slot);
        for (uint32_t spin = random() % 3; spin > 0; --spin) {
          std::this_thread::yield();
        }
        if (ring_.Park(&batch)) continue;
        while (batch != nullptr) {
          linked.push_back(batch->ticket);
          batch = ring_.PassTurn();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(linked.size(), kBatches);
  for (uint64_t i = 0; i < kBatches; ++i) ASSERT_EQ(linked[i], i);
}

}  // namespace
}  // namespace engram::space

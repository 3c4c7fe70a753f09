// A node that stays is found, also by a walk that runs while others are linked
// and unlinked around it, and their writer may be interrupted anywhere. Every
// walk here is wide enough to visit all nodes: it misses one only if no links
// led there when it looked.

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "engine/index/epoch.h"
#include "engine/index/graph.h"
#include "gtest/gtest.h"
#include "tests/support/slow_build.h"

namespace engram::index {
namespace {

// Few links, so that a node often hangs on a single one.
constexpr uint32_t kM = 2;
constexpr uint32_t kDimension = 8;
constexpr uint32_t kStayingCount = 60;
constexpr uint32_t kPassingCountMax = 16;
constexpr uint32_t kSlotCount = 512;
constexpr int kOperationCount = 200'000 / testing::kSlowdown;
constexpr int kSearcherCount = 3;

// A walk that is overtaken by several changes may see the one list before and
// the other after a link went from this to that: about one in a million here.
// The next walk sees it.
constexpr int kWalks = 3;

// Keeps interrupting the calling thread for moments that are longer than a
// walk, wherever it is.
class Interruptions {
 public:
  Interruptions() {
    struct sigaction action = {};
    action.sa_handler = [](int) {
      const timespec pause = {.tv_sec = 0, .tv_nsec = 20'000};
      ::nanosleep(&pause, nullptr);
    };
    action.sa_flags = SA_RESTART;
    EXPECT_EQ(::sigaction(SIGUSR1, &action, &before_), 0);
    sigevent event = {};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = ::gettid();
    EXPECT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer_), 0);
    const itimerspec interval = {.it_interval = {0, 200'000},
                                 .it_value = {0, 200'000}};
    EXPECT_EQ(::timer_settime(timer_, 0, &interval, nullptr), 0);
  }
  ~Interruptions() {
    ::timer_delete(timer_);
    // Ignored first: one may be on its way.
    ::signal(SIGUSR1, SIG_IGN);
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  Interruptions(const Interruptions&) = delete;
  Interruptions& operator=(const Interruptions&) = delete;

 private:
  struct sigaction before_ = {};
  timer_t timer_ = {};
};

class GraphFindableTest : public ::testing::Test {
 protected:
  GraphFindableTest()
      : graph_({.dimension = kDimension,
                .M = kM,
                .ef_construction = 20,
                .quantization = schema::Quantization::kNone},
               std::vector<float>(kDimension), simd::BestKernels()) {}

  static std::vector<float> RandomVector(std::mt19937& random) {
    std::normal_distribution<float> normal;
    std::vector<float> vector(kDimension);
    for (float& value : vector) value = normal(random);
    return vector;
  }

  void LinkNew(uint32_t slot, const std::vector<float>& vector) {
    graph_.Fill(slot, vector, scratch_);
    graph_.Link(graph_.Plan(slot, scratch_));
  }

  void SearchUntilDone(uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<Neighbor> found;
    while (!done_.load()) {
      const EpochDomain::Guard guard = epochs_.Enter();
      const uint32_t slot = random() % kStayingCount;
      bool is_found = false;
      for (int walk = 0; walk < kWalks && !is_found; ++walk) {
        graph_.Search(
            vectors_[slot], 1, kSlotCount, [](uint32_t) { return true; },
            guard.scratch(), &found, nullptr);
        is_found = found.size() == 1 && found[0].slot == slot;
      }
      if (!is_found) missed_.fetch_add(1);
      searches_.fetch_add(1);
    }
  }

  // Links and unlinks those that pass, one operation after the other.
  void Churn() {
    std::mt19937 random(1);
    std::vector<uint32_t> passing;
    std::vector<uint32_t> free;
    std::deque<std::pair<uint64_t, uint32_t>> retired;
    for (uint32_t slot = kStayingCount; slot < kSlotCount; ++slot) {
      free.push_back(slot);
    }
    for (int i = 0; i < kOperationCount;) {
      while (!retired.empty() && epochs_.HasPassed(retired.front().first)) {
        graph_.Release(retired.front().second);
        free.push_back(retired.front().second);
        retired.pop_front();
      }
      const bool links = !free.empty() && passing.size() < kPassingCountMax &&
                         (passing.empty() || random() % 2 == 0);
      if (links) {
        passing.push_back(free.back());
        free.pop_back();
        ++i;
        LinkNew(passing.back(), RandomVector(random));
      } else if (!passing.empty()) {
        ++i;
        std::swap(passing[random() % passing.size()], passing.back());
        graph_.Unlink(passing.back(), scratch_);
        retired.emplace_back(epochs_.Retire(), passing.back());
        passing.pop_back();
      } else {
        std::this_thread::yield();
      }
    }
  }

  EpochDomain epochs_;
  Graph graph_;
  Scratch scratch_;
  std::vector<std::vector<float>> vectors_;
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> searches_{0};
  std::atomic<uint64_t> missed_{0};
};

TEST_F(GraphFindableTest, ANodeThatStaysIsFoundWhileOthersComeAndGo) {
  std::mt19937 random(2);
  graph_.GrowTo(kSlotCount);
  for (uint32_t slot = 0; slot < kStayingCount; ++slot) {
    vectors_.push_back(RandomVector(random));
    LinkNew(slot, vectors_[slot]);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < kSearcherCount; ++i) {
    threads.emplace_back(
        [this, i] { SearchUntilDone(static_cast<uint32_t>(i)); });
  }
  {
    const Interruptions interruptions;
    Churn();
  }
  while (searches_.load() < 1000) std::this_thread::yield();
  done_.store(true);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(missed_.load(), 0u) << "of " << searches_.load() << " searches";
}

}  // namespace
}  // namespace engram::index

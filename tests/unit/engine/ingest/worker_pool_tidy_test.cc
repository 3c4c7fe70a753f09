// What a worker does when there are no records: see BacklogOwner::Tidy().

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "engine/ingest/worker_pool.h"
#include "gtest/gtest.h"
#include "scripted_owner.h"

namespace engram::ingest {
namespace {

// Has something to tidy after each record, for three calls.
class UntidyOwner : public BacklogOwner {
 public:
  Served Serve(size_t records_max) override {
    left_.store(3);
    return {records_max, records_max, true};
  }
  bool Tidy() override {
    const bool more = --left_ > 0;
    ++calls_;  // last: it is what the test waits for
    return more;
  }

  int left() const { return left_.load(); }
  int calls() const { return calls_.load(); }

 private:
  std::atomic<int> left_{0};
  std::atomic<int> calls_{0};
};

TEST(WorkerPoolTidyTest, AnIdleWorkerTidiesUntilNothingIsLeft) {
  const auto owner = std::make_shared<UntidyOwner>();
  WorkerPool pool(2);
  const auto backlog = pool.Add(1, owner);
  for (int round = 1; round <= 2; ++round) {
    pool.Enqueue(backlog, 1);
    while (owner->calls() < 3 * round) std::this_thread::yield();
    EXPECT_EQ(owner->left(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(owner->calls(), 3 * round) << "not once it said there is no more";
  }
}

TEST(WorkerPoolTidyTest, RecordsAreServedBesideAnOwnerThatIsNeverTidy) {
  class Hopeless : public UntidyOwner {
    bool Tidy() override {
      UntidyOwner::Tidy();
      return true;
    }
  };
  const auto owner = std::make_shared<Hopeless>();
  WorkerPool pool(1);
  const auto backlog = pool.Add(1, owner);
  const auto other = std::make_shared<ScriptedOwner>();
  const auto other_backlog = pool.Add(2, other);
  pool.Enqueue(backlog, 1);
  for (uint64_t i = 0; i < 5; ++i) {
    const int calls = owner->calls();
    while (owner->calls() == calls) std::this_thread::yield();
    other->Push(i);
    pool.Enqueue(other_backlog, 1);
    pool.Drain();
  }
}

}  // namespace
}  // namespace engram::ingest

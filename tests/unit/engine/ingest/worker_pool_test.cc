#include "engine/ingest/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "engine/ingest/batch_policy.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scripted_owner.h"

namespace engram::ingest {
namespace {

using ::testing::ElementsAre;

using OwnerPtr = std::shared_ptr<ScriptedOwner>;

// An owner with its place in a pool.
struct Member {
  explicit Member(WorkerPool* pool, uint64_t key = 1)
      : owner(std::make_shared<ScriptedOwner>()),
        backlog(pool->Add(key, owner)) {}

  void Push(WorkerPool* pool, uint64_t number) {
    owner->Push(number);
    pool->Enqueue(backlog, 1);
  }

  OwnerPtr owner;
  std::shared_ptr<Backlog> backlog;
};

uint64_t RecordsTaken(const WorkerPool& pool) {
  uint64_t records = 0;
  for (const WorkerCounters& worker : pool.counters())
    records += worker.records;
  return records;
}

// Keeps a worker busy until Open().
class Plug {
 public:
  explicit Plug(WorkerPool* pool) : member_(pool) {
    member_.owner->set_before_serve([this] { barrier_.Wait(); });
    member_.Push(pool, 0);
    barrier_.AwaitArrival();
  }
  void Open() { barrier_.Open(); }

 private:
  Barrier barrier_;
  Member member_;
};

TEST(WorkerPoolTest, TheHomeOfAKeyIsTheSameInEveryPoolOfTheSameSize) {
  WorkerPool first(7);
  WorkerPool second(7);
  std::set<size_t> homes;
  for (uint64_t key = 1; key <= 200; ++key) {
    const size_t home = first.Add(key, nullptr)->home;
    EXPECT_EQ(home, second.Add(key, nullptr)->home);
    EXPECT_LT(home, 7u);
    homes.insert(home);
  }
  EXPECT_EQ(homes.size(), 7u) << "every worker is home to some";
}

// XXH3 of the key's eight bytes, modulo the workers: part of what users see as
// the assignment of spaces, so it is not to change from release to release.
TEST(WorkerPoolTest, TheHomeOfAKeyIsTheSameInEveryProcess) {
  WorkerPool pool(100);
  std::vector<size_t> homes;
  for (uint64_t key = 1; key <= 4; ++key) {
    homes.push_back(pool.Add(key, nullptr)->home);
  }
  EXPECT_THAT(homes, ElementsAre(78, 47, 89, 56));
}

TEST(WorkerPoolTest, EverythingIsServedOnceAndInOrderPerOwner) {
  constexpr int kOwners = 12;
  constexpr int kProducers = 6;
  constexpr int kRecords = 3000;
  WorkerPool pool(3);
  std::vector<Member> members;
  for (int i = 0; i < kOwners; ++i) members.emplace_back(&pool, i);
  // Pushing and enqueuing happens under a lock of the owner's, as in a space.
  std::vector<Mutex> locks(kOwners);
  std::vector<uint64_t> next(kOwners, 0);
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kRecords; ++i) {
        const int m = (i * 7 + p) % kOwners;
        MutexLock lock(locks[m]);
        members[m].Push(&pool, next[m]++);
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
  pool.Drain();
  for (int m = 0; m < kOwners; ++m) {
    const std::vector<uint64_t> served = members[m].owner->served();
    ASSERT_EQ(served.size(), next[m]);
    for (uint64_t i = 0; i < served.size(); ++i) ASSERT_EQ(served[i], i);
    EXPECT_FALSE(members[m].owner->overlapped()) << "two workers at once";
  }
  EXPECT_EQ(RecordsTaken(pool), uint64_t{kProducers * kRecords});
}

// False if an owner was stolen: a worker that does not get the processor for
// 10 ms has a surplus, however little there is to do.
bool ExpectServedAtHome() {
  WorkerPool pool(4);
  std::vector<Member> members;
  for (uint64_t key = 1; key <= 20; ++key) members.emplace_back(&pool, key);
  std::vector<std::set<std::thread::id>> threads(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    members[i].owner->set_before_serve(
        [&threads, i] { threads[i].insert(std::this_thread::get_id()); });
  }
  for (int round = 0; round < 50; ++round) {
    for (Member& member : members) member.Push(&pool, round);
  }
  pool.Drain();
  for (const WorkerCounters& worker : pool.counters()) {
    if (worker.moves > 0) return false;
  }
  std::vector<std::thread::id> of_home(4);
  for (size_t i = 0; i < members.size(); ++i) {
    EXPECT_EQ(threads[i].size(), 1u);
    std::thread::id& id = of_home[members[i].backlog->home];
    if (id == std::thread::id()) id = *threads[i].begin();
    EXPECT_EQ(*threads[i].begin(), id);
  }
  return true;
}

TEST(WorkerPoolTest, AnOwnerIsServedByItsHomeWorkerUnlessItIsStolen) {
  constexpr int kAttempts = 20;
  int attempt = 1;
  while (!ExpectServedAtHome()) ASSERT_LT(attempt++, kAttempts);
}

TEST(WorkerPoolTest, ALongBacklogIsTakenInLargeBatches) {
  WorkerPool pool(1);
  Member member(&pool);
  Plug plug(&pool);
  for (uint64_t i = 0; i < 1600; ++i) member.Push(&pool, i);
  plug.Open();
  pool.Drain();
  EXPECT_THAT(member.owner->batches(), ElementsAre(500, 500, 500, 100));
}

TEST(WorkerPoolTest, AShortBacklogIsTakenAtOnce) {
  WorkerPool pool(1);
  Member member(&pool);
  Plug plug(&pool);
  for (uint64_t i = 0; i < 35; ++i) member.Push(&pool, i);
  plug.Open();
  pool.Drain();
  EXPECT_THAT(member.owner->batches(), ElementsAre(35));
}

TEST(WorkerPoolTest, AnOwnerThatServesLessThanItIsAskedForIsServedAgain) {
  WorkerPool pool(1);
  Member member(&pool);
  member.owner->set_batch_max(3);
  Plug plug(&pool);
  for (uint64_t i = 0; i < 20; ++i) member.Push(&pool, i);
  plug.Open();
  pool.Drain();
  EXPECT_EQ(member.owner->served().size(), 20u);
  EXPECT_EQ(member.owner->batches().size(), 7u);
}

TEST(WorkerPoolTest, OwnersOfOneWorkerTakeTurns) {
  WorkerPool pool(1);
  Member a(&pool);
  Member b(&pool);
  a.owner->set_batch_max(10);
  b.owner->set_batch_max(10);
  std::vector<char> turns;
  a.owner->set_before_serve([&] { turns.push_back('a'); });
  b.owner->set_before_serve([&] { turns.push_back('b'); });
  Plug plug(&pool);
  for (uint64_t i = 0; i < 50; ++i) {
    a.Push(&pool, i);
    b.Push(&pool, i);
  }
  plug.Open();
  pool.Drain();
  EXPECT_EQ(std::string(turns.begin(), turns.end()), "ababababab");
}

TEST(WorkerPoolTest, ALongBacklogDelaysAShortOneByABatchAtMost) {
  WorkerPool pool(1);
  Member flood(&pool);
  Member trickle(&pool);
  size_t served_before = 0;
  trickle.owner->set_before_serve(
      [&] { served_before = flood.owner->served().size(); });
  Plug plug(&pool);
  for (uint64_t i = 0; i < 5000; ++i) flood.Push(&pool, i);
  trickle.Push(&pool, 0);
  plug.Open();
  pool.Drain();
  EXPECT_LE(served_before, 500u);
  EXPECT_EQ(trickle.owner->served().size(), 1u);
}

TEST(WorkerPoolTest, ABusyWorkerDoesNotDelayOwnersOfAnother) {
  WorkerPool pool(2);
  Plug plug(&pool);
  const size_t busy = pool.Add(1, nullptr)->home;
  uint64_t key = 2;
  while (pool.Add(key, nullptr)->home == busy) ++key;
  Barrier served;
  Member other(&pool, key);
  other.owner->set_before_serve([&] { served.Open(); });
  other.Push(&pool, 7);
  served.Wait();
  plug.Open();
  pool.Drain();
}

TEST(WorkerPoolTest, DrainWaitsForWhatWasEnqueuedBefore) {
  WorkerPool pool(2);
  std::vector<Member> members;
  for (uint64_t key = 0; key < 8; ++key) members.emplace_back(&pool, key);
  for (uint64_t round = 1; round <= 30; ++round) {
    for (Member& member : members) member.Push(&pool, round);
    pool.Drain();
    for (const Member& member : members) {
      ASSERT_EQ(member.owner->served().size(), round);
    }
  }
}

// What comes in later, for others, is no substitute.
TEST(WorkerPoolTest, DrainIsNotFooledByRecordsThatWereEnqueuedLater) {
  WorkerPool pool(1);
  Member slow(&pool);
  slow.owner->set_batch_max(1);
  Member other(&pool);
  Barrier started;
  size_t slow_served = 0;
  {
    Plug plug(&pool);
    for (uint64_t i = 0; i < 50; ++i) slow.Push(&pool, i);
    std::thread drainer([&] {
      started.Open();
      pool.Drain();
      slow_served = slow.owner->served().size();
    });
    started.Wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    // Served ten at a time, between single ones of the slow owner.
    slow.owner->set_before_serve(
        [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
    for (uint64_t i = 0; i < 2000; ++i) other.Push(&pool, i);
    plug.Open();
    drainer.join();
    pool.Drain();
  }
  EXPECT_EQ(slow_served, 50u);
}

TEST(WorkerPoolTest, DrainOfAnIdlePoolReturns) {
  WorkerPool pool(3);
  pool.Drain();
  Member member(&pool);
  member.Push(&pool, 1);
  pool.Drain();
  pool.Drain();
  EXPECT_THAT(member.owner->served(), ElementsAre(1));
}

TEST(WorkerPoolTest, TheDestructorServesWhatIsWaiting) {
  std::vector<OwnerPtr> owners;
  {
    WorkerPool pool(2);
    for (uint64_t key = 0; key < 5; ++key) {
      Member member(&pool, key);
      member.owner->set_before_serve(
          [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); });
      for (uint64_t i = 0; i < 100; ++i) member.Push(&pool, i);
      owners.push_back(member.owner);
    }
  }
  for (const OwnerPtr& owner : owners) {
    EXPECT_EQ(owner->served().size(), 100u);
  }
}

TEST(WorkerPoolTest, AnOwnerLivesUntilItsBacklogIsServed) {
  WorkerPool pool(1);
  std::weak_ptr<ScriptedOwner> weak;
  Plug plug(&pool);
  {
    Member member(&pool);
    weak = member.owner;
    member.Push(&pool, 1);
  }
  EXPECT_FALSE(weak.expired()) << "it is in the run list";
  plug.Open();
  pool.Drain();
  // The worker lets go of it a moment after Drain() returned.
  for (int i = 0; i < 1000 && !weak.expired(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(weak.expired());
}

// --- Idle workers join -------------------------------------------------------

// An owner that several workers may serve. What is taken is finished in order:
// by the call that took it, or by one that took earlier records.
class SharedOwner final : public BacklogOwner {
 public:
  void Push(size_t records) {
    MutexLock lock(mutex_);
    waiting_ += records;
  }

  Served Serve(size_t records_max) override {
    size_t number = 0;
    size_t taken = 0;
    {
      MutexLock lock(mutex_);
      taken = std::min({records_max, waiting_, batch_max_.load()});
      waiting_ -= taken;
      number = batches_.size();
      batches_.push_back({taken, false});
      servers_.insert(std::this_thread::get_id());
      most_at_once_ = std::max(most_at_once_, ++at_once_);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(pause_micros_));
    MutexLock lock(mutex_);
    --at_once_;
    batches_[number].planned = true;
    Served served{taken, 0};
    while (next_ < batches_.size() && batches_[next_].planned) {
      served.finished += batches_[next_++].records;
    }
    finished_ += served.finished;
    return served;
  }

  bool CanShare() const override { return can_share_; }
  void set_can_share(bool can_share) { can_share_ = can_share; }
  void set_batch_max(size_t records) { batch_max_ = records; }
  void set_pause(int64_t micros) { pause_micros_ = micros; }

  size_t finished() const {
    MutexLock lock(mutex_);
    return finished_;
  }
  size_t servers() const {
    MutexLock lock(mutex_);
    return servers_.size();
  }
  size_t most_at_once() const {
    MutexLock lock(mutex_);
    return most_at_once_;
  }

 private:
  struct Batch {
    size_t records;
    bool planned;
  };

  std::atomic<bool> can_share_{true};
  std::atomic<size_t> batch_max_{SIZE_MAX};
  std::atomic<int64_t> pause_micros_{300};
  mutable Mutex mutex_;
  size_t waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Batch> batches_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;  // to be finished
  size_t finished_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t most_at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<std::thread::id> servers_ ABSL_GUARDED_BY(mutex_);
};

struct SharedMember {
  explicit SharedMember(WorkerPool* pool)
      : owner(std::make_shared<SharedOwner>()), backlog(pool->Add(1, owner)) {}

  void Push(WorkerPool* pool, size_t records) {
    owner->Push(records);
    pool->Enqueue(backlog, records);
  }

  std::shared_ptr<SharedOwner> owner;
  std::shared_ptr<Backlog> backlog;
};

TEST(WorkerPoolTest, IdleWorkersJoinALongBacklog) {
  WorkerPool pool(3);
  SharedMember member(&pool);
  for (int i = 0; i < 200; ++i) member.Push(&pool, 50);
  pool.Drain();
  EXPECT_EQ(member.owner->finished(), 10'000u);
  EXPECT_GE(member.owner->servers(), 2u);
  EXPECT_GE(member.owner->most_at_once(), 2u);
  EXPECT_EQ(RecordsTaken(pool), 10'000u);
}

// Enqueued as one: nobody is invited later on, so they must have looked.
TEST(WorkerPoolTest, WorkersThatBecomeIdleFindALongBacklog) {
  WorkerPool pool(2);
  SharedMember member(&pool);
  uint64_t key = 2;
  while (pool.Add(key, nullptr)->home == member.backlog->home) ++key;
  Barrier busy;
  Member elsewhere(&pool, key);
  elsewhere.owner->set_before_serve([&busy] { busy.Wait(); });
  elsewhere.Push(&pool, 1);
  busy.AwaitArrival();
  member.owner->set_pause(2000);
  member.Push(&pool, 5000);
  busy.Open();
  pool.Drain();
  EXPECT_EQ(member.owner->finished(), 5000u);
  EXPECT_EQ(member.owner->servers(), 2u);
}

TEST(WorkerPoolTest, NobodyJoinsAShortBacklogOrOneThatCannotBeShared) {
  WorkerPool pool(3);
  SharedMember member(&pool);
  for (int i = 0; i < 50; ++i) {
    member.Push(&pool, kJoinDepth / 2 - 1);
    pool.Drain();
  }
  EXPECT_EQ(member.owner->servers(), 1u);
  SharedMember single(&pool);
  single.owner->set_can_share(false);
  single.Push(&pool, 5000);
  single.Push(&pool, 5000);
  pool.Drain();
  EXPECT_EQ(single.owner->servers(), 1u);
}

// What a helper gives back may be all that is left.
TEST(WorkerPoolTest, RecordsThatAreGivenBackAreServed) {
  WorkerPool pool(4);
  SharedMember member(&pool);
  member.owner->set_batch_max(7);
  member.owner->set_pause(20);
  for (int round = 0; round < 20; ++round) {
    member.Push(&pool, 600);
    member.Push(&pool, 600);
    pool.Drain();
    ASSERT_EQ(member.owner->finished(), 1200u * (round + 1));
  }
}

TEST(WorkerPoolTest, AHelperGoesHomeWhenItHasWorkOfItsOwn) {
  WorkerPool pool(2);
  SharedMember member(&pool);
  uint64_t key = 2;
  while (pool.Add(key, nullptr)->home == member.backlog->home) ++key;
  Member own(&pool, key);
  Barrier served;
  own.owner->set_before_serve([&served] { served.Open(); });
  member.owner->set_pause(500);
  member.owner->set_batch_max(10);
  for (int i = 0; i < 100; ++i) member.Push(&pool, 100);
  while (member.owner->servers() < 2) std::this_thread::yield();
  own.Push(&pool, 1);
  served.Wait();
  EXPECT_LT(member.owner->finished(), 10'000u) << "not after all the others";
  pool.Drain();
}

TEST(WorkerPoolTest, TheDestructorWaitsForHelpers) {
  std::shared_ptr<SharedOwner> owner;
  {
    WorkerPool pool(3);
    SharedMember member(&pool);
    owner = member.owner;
    for (int i = 0; i < 20; ++i) member.Push(&pool, 300);
  }
  EXPECT_EQ(owner->finished(), 6000u);
}

}  // namespace
}  // namespace engram::ingest

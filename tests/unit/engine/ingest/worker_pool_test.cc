#include "engine/ingest/worker_pool.h"

#include <chrono>
#include <numeric>
#include <set>
#include <thread>

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
  const std::vector<uint64_t> processed = pool.processed();
  EXPECT_EQ(std::accumulate(processed.begin(), processed.end(), uint64_t{0}),
            uint64_t{kProducers * kRecords});
}

TEST(WorkerPoolTest, AnOwnerIsServedByItsHomeWorkerAlone) {
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
  std::vector<std::thread::id> of_home(4);
  for (size_t i = 0; i < members.size(); ++i) {
    ASSERT_EQ(threads[i].size(), 1u);
    std::thread::id& id = of_home[members[i].backlog->home];
    if (id == std::thread::id()) id = *threads[i].begin();
    EXPECT_EQ(*threads[i].begin(), id);
  }
}

TEST(WorkerPoolTest, TheBatchFollowsTheDepth) {
  WorkerPool pool(1);
  Member member(&pool);
  Plug plug(&pool);
  for (uint64_t i = 0; i < 1600; ++i) member.Push(&pool, i);
  plug.Open();
  pool.Drain();
  // 1,600 and 1,100 are deep; 600 to 100 are middling; below is small.
  EXPECT_THAT(member.owner->batches(),
              ElementsAre(500, 500, 100, 100, 100, 100, 100, 100));
}

TEST(WorkerPoolTest, AShortBacklogIsTakenInSmallBatches) {
  WorkerPool pool(1);
  Member member(&pool);
  Plug plug(&pool);
  for (uint64_t i = 0; i < 35; ++i) member.Push(&pool, i);
  plug.Open();
  pool.Drain();
  EXPECT_THAT(member.owner->batches(), ElementsAre(10, 10, 10, 5));
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

}  // namespace
}  // namespace engram::ingest

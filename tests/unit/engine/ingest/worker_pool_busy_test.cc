#include <memory>
#include <thread>

#include "engine/ingest/worker_pool.h"
#include "gtest/gtest.h"
#include "scripted_owner.h"

namespace engram::ingest {
namespace {

// Keeps the home worker of a key in a batch until Open().
class Busy {
 public:
  Busy(WorkerPool* pool, uint64_t key)
      : owner_(std::make_shared<ScriptedOwner>()) {
    owner_->set_before_serve([this] { barrier_.Wait(); });
    owner_->Push(0);
    backlog_ = pool->Add(key, owner_);
    pool->Enqueue(backlog_, 1);
    barrier_.AwaitArrival();
  }

  size_t home() const { return backlog_->home; }
  void Open() { barrier_.Open(); }

 private:
  Barrier barrier_;
  const std::shared_ptr<ScriptedOwner> owner_;
  BacklogPtr backlog_;
};

void Await(const WorkerPool& pool, bool busy) {
  while (pool.IsBusy() != busy) std::this_thread::yield();
}

TEST(WorkerPoolBusyTest, APoolIsBusyWhileNoWorkerIsIdle) {
  WorkerPool pool(2);
  Await(pool, false);
  Busy first(&pool, 1);
  Await(pool, false);  // the other one has nothing to do
  Busy second(&pool, 2);
  ASSERT_NE(first.home(), second.home());
  Await(pool, true);
  second.Open();
  Await(pool, false);
  first.Open();
  pool.Drain();
}

}  // namespace
}  // namespace engram::ingest

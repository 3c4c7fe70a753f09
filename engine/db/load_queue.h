// Loads spaces that nobody waits for but their own records.

#ifndef ENGRAM_ENGINE_DB_LOAD_QUEUE_H_
#define ENGRAM_ENGINE_DB_LOAD_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "engine/space/registry.h"
#include "engine/space/space_state.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// Thread safety: all methods may be called concurrently, but for Stop(), which
// comes last.
class LoadQueue {
 public:
  // Has up to `threads_max` threads, once there is something to load. Each asks
  // `has_room` before a space, and waits a moment where there is none.
  LoadQueue(size_t threads_max, std::function<bool()> has_room)
      : threads_max_(threads_max), has_room_(std::move(has_room)) {}
  ~LoadQueue() { Stop(); }

  LoadQueue(const LoadQueue&) = delete;
  LoadQueue& operator=(const LoadQueue&) = delete;

  // Loads the space soon, after Start(). One that cannot be loaded stays cold;
  // its load_status() says why. Its backlog lives until then.
  void Request(space::SpaceEntry entry) ABSL_LOCKS_EXCLUDED(mutex_);

  // Before, what is requested only waits.
  void Start() ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when all that was requested is done.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Finishes what is being loaded, and forgets the rest.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  void AwaitRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddThreads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t threads_max_;
  const std::function<bool()> has_room_;

  Mutex mutex_;
  CondVar work_;
  CondVar idle_;
  std::deque<space::SpaceEntry> queue_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<uint64_t> queued_ids_ ABSL_GUARDED_BY(mutex_);
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  size_t loading_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_LOAD_QUEUE_H_

// Loads spaces that nobody waits for but their own records.

#ifndef ENGRAM_ENGINE_DB_LOAD_QUEUE_H_
#define ENGRAM_ENGINE_DB_LOAD_QUEUE_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "engine/space/space_state.h"
#include "storage/base/mutex.h"

namespace engram::internal {

// Thread safety: all methods may be called concurrently, but for Stop(), which
// comes last.
class LoadQueue {
 public:
  // Has up to `threads_max` threads, once there is something to load.
  explicit LoadQueue(size_t threads_max) : threads_max_(threads_max) {}
  ~LoadQueue() { Stop(); }

  LoadQueue(const LoadQueue&) = delete;
  LoadQueue& operator=(const LoadQueue&) = delete;

  // Loads the space soon. A space that cannot be loaded stays cold; its
  // load_status() says why.
  void Request(std::shared_ptr<space::SpaceState> space)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns when all that was requested is done.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // Finishes what is being loaded, and forgets the rest.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  const size_t threads_max_;

  Mutex mutex_;
  CondVar work_;
  CondVar idle_;
  std::deque<std::shared_ptr<space::SpaceState>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t loading_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_LOAD_QUEUE_H_

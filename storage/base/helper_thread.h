// A thread beside the one that waits for it.

#ifndef ENGRAM_STORAGE_BASE_HELPER_THREAD_H_
#define ENGRAM_STORAGE_BASE_HELPER_THREAD_H_

#include <functional>
#include <system_error>
#include <thread>
#include <utility>

namespace engram {

// Does `work` on a thread of its own; where the system gives none, Join() does
// it. So a process at its limit of threads is slower, and no worse.
//
// Thread safety: none; what `work` does is seen after Join().
class HelperThread {
 public:
  explicit HelperThread(std::function<void()> work) : work_(std::move(work)) {
    try {
      thread_ = std::thread(work_);
    } catch (const std::system_error&) {
      // It is joinable only where it was started.
    }
  }

  ~HelperThread() { Join(); }

  HelperThread(const HelperThread&) = delete;
  HelperThread& operator=(const HelperThread&) = delete;

  void Join() {
    const std::function<void()> work = std::exchange(work_, nullptr);
    if (thread_.joinable()) {
      thread_.join();
    } else if (work != nullptr) {
      work();
    }
  }

 private:
  std::function<void()> work_;  // null after Join()
  std::thread thread_;
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_HELPER_THREAD_H_

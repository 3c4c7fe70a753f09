// A log's queue whose requests complete when the test says so.

#ifndef ENGRAM_TESTS_UNIT_STORAGE_WAL_STEP_QUEUE_H_
#define ENGRAM_TESTS_UNIT_STORAGE_WAL_STEP_QUEUE_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "storage/base/mutex.h"
#include "storage/io/io_queue.h"

namespace engram::wal {

// What the test and the queue share.
//
// Thread safety: all methods may be called concurrently.
class Steps {
 public:
  // Waits until `count` requests have been submitted since the start.
  void WaitSubmitted(size_t count) {
    MutexLock lock(mutex_);
    while (requests_.size() < count) changed_.Wait(mutex_);
  }

  size_t submitted() const {
    MutexLock lock(mutex_);
    return requests_.size();
  }

  // Does what the stage stands for and reports it. With a failed status it only
  // reports.
  void Complete(size_t request, io::Completion::Stage stage,
                const absl::Status& status = {}) {
    {
      MutexLock lock(mutex_);
      const io::WriteRequest& write = requests_[request];
      // A copy that shares nothing: ThreadSanitizer cannot see into Debian's
      // Abseil, which counts those who share.
      absl::Status result(status.code(), status.message());
      if (result.ok()) {
        result = stage == io::Completion::Stage::kWritten
                     ? write.file->Write(write.offset, write.data)
                     : write.file->SyncData();
      }
      completions_.push_back({write.tag, stage, std::move(result)});
    }
    changed_.NotifyAll();
  }

 private:
  friend class StepQueue;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<io::WriteRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::deque<io::Completion> completions_ ABSL_GUARDED_BY(mutex_);
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

class StepQueue final : public io::IoQueue {
 public:
  explicit StepQueue(std::shared_ptr<Steps> steps) : steps_(std::move(steps)) {}

  absl::string_view name() const override { return "steps"; }
  uint32_t depth() const override { return kDepth; }

  absl::Status Submit(const io::WriteRequest& request) override {
    {
      MutexLock lock(steps_->mutex_);
      steps_->requests_.push_back(request);
    }
    steps_->changed_.NotifyAll();
    return absl::OkStatus();
  }

  std::optional<io::Completion> Wait(int64_t timeout_micros) override {
    MutexLock lock(steps_->mutex_);
    while (steps_->completions_.empty()) {
      if (steps_->woken_) {
        steps_->woken_ = false;
        return std::nullopt;
      }
      if (timeout_micros < 0) {
        steps_->changed_.Wait(steps_->mutex_);
        continue;
      }
      steps_->changed_.WaitFor(steps_->mutex_, timeout_micros);
      return std::nullopt;
    }
    io::Completion completion = std::move(steps_->completions_.front());
    steps_->completions_.pop_front();
    return completion;
  }

  void Wake() override {
    {
      MutexLock lock(steps_->mutex_);
      steps_->woken_ = true;
    }
    steps_->changed_.NotifyAll();
  }

 private:
  const std::shared_ptr<Steps> steps_;
};

}  // namespace engram::wal

#endif  // ENGRAM_TESTS_UNIT_STORAGE_WAL_STEP_QUEUE_H_

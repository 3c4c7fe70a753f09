#include <deque>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutant.h"
#include "storage/base/mutex.h"
#include "storage/io/io_queue.h"

namespace engram::io {
namespace {

class PwriteQueue final : public IoQueue {
 public:
  absl::string_view name() const override { return "pwrite"; }
  uint32_t depth() const override { return 1; }

  absl::Status Submit(const WriteRequest& request) override {
    ENGRAM_CHECK(requests_.size() < kDepth);
    requests_.push_back({request, false});
    return absl::OkStatus();
  }

  std::optional<Completion> Wait(int64_t timeout_micros) override {
    if (requests_.empty()) {
      WaitForWake(timeout_micros);
      return std::nullopt;
    }
    Entry& entry = requests_.front();
    const WriteRequest& request = entry.request;
    Completion completion;
    completion.tag = request.tag;
    if constexpr (Mutant("ack_before_sync")) {
      completion.stage = Completion::Stage::kDurable;
      completion.status =
          request.file->WriteDurable(request.offset, request.data);
      requests_.pop_front();
      return completion;
    }
    if (!entry.written) {
      entry.written = true;
      completion.stage = Completion::Stage::kWritten;
      completion.status = request.file->Write(request.offset, request.data);
    } else {
      completion.stage = Completion::Stage::kDurable;
      if constexpr (!Mutant("skip_wal_sync")) {
        completion.status = request.file->SyncData();
      }
      if (Mutant("retry_failed_sync") && !completion.status.ok()) {
        completion.status = request.file->SyncData();
      }
    }
    if (completion.last()) requests_.pop_front();
    return completion;
  }

  void Wake() override {
    {
      MutexLock lock(mutex_);
      woken_ = true;
    }
    wake_.NotifyOne();
  }

 private:
  struct Entry {
    WriteRequest request;
    bool written = false;
  };

  void WaitForWake(int64_t timeout_micros) {
    const int64_t deadline = Clock::System().MonotonicMicros() + timeout_micros;
    MutexLock lock(mutex_);
    while (!woken_) {
      if (timeout_micros < 0) {
        wake_.Wait(mutex_);
        continue;
      }
      const int64_t left = deadline - Clock::System().MonotonicMicros();
      if (left <= 0) return;
      wake_.WaitFor(mutex_, left);
    }
    woken_ = false;
  }

  std::deque<Entry> requests_;

  Mutex mutex_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<IoQueue> CreatePwriteQueue() {
  return std::make_unique<PwriteQueue>();
}

}  // namespace engram::io

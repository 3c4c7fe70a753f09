#include "storage/io/sim_queue.h"

#include <map>
#include <optional>
#include <random>
#include <vector>

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutant.h"
#include "storage/base/mutex.h"

namespace engram::io {
namespace {

class SimQueue final : public IoQueue {
 public:
  explicit SimQueue(uint64_t seed) : random_(seed) {}

  absl::string_view name() const override { return "simulated"; }
  uint32_t depth() const override { return kDepth; }

  absl::Status Submit(const WriteRequest& request) override {
    ENGRAM_CHECK(requests_.size() < kDepth);
    requests_.push_back({request, State::kWriting, {}});
    return absl::OkStatus();
  }

  std::optional<Completion> Wait(int64_t timeout_micros) override {
    if (requests_.empty()) {
      WaitForWake(timeout_micros);
      return std::nullopt;
    }
    if (random_() % 4 == 0) return std::nullopt;
    const size_t chosen = random_() % requests_.size();
    if (requests_[chosen].state == State::kWritten) SyncWritten();
    Entry& entry = requests_[chosen];
    Completion completion{entry.request.tag, Completion::Stage::kDurable,
                          entry.sync_status};
    if (entry.state == State::kWriting) {
      entry.state = State::kWritten;
      completion.stage = Completion::Stage::kWritten;
      completion.status =
          entry.request.file->Write(entry.request.offset, entry.request.data);
    }
    if (completion.last()) {
      requests_.erase(requests_.begin() + static_cast<int64_t>(chosen));
    }
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
  enum class State { kWriting, kWritten, kSynced };
  struct Entry {
    WriteRequest request;
    State state = State::kWriting;
    absl::Status sync_status;
  };

  // One sync for all that is written.
  void SyncWritten() {
    std::map<File*, absl::Status> synced;
    for (Entry& entry : requests_) {
      if (entry.state != State::kWritten) continue;
      File* const file = entry.request.file;
      if (synced.count(file) == 0) synced[file] = file->SyncData();
      if (Mutant("retry_failed_sync") && !synced[file].ok()) {
        synced[file] = file->SyncData();
      }
      entry.state = State::kSynced;
      entry.sync_status = synced[file];
    }
  }

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

  std::mt19937_64 random_;
  std::vector<Entry> requests_;

  Mutex mutex_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::unique_ptr<IoQueue> CreateSimQueue(uint64_t seed) {
  return std::make_unique<SimQueue>(seed);
}

}  // namespace engram::io

// A group on its way from its first append to its acknowledgement.

#ifndef ENGRAM_STORAGE_WAL_PENDING_GROUP_H_
#define ENGRAM_STORAGE_WAL_PENDING_GROUP_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "storage/wal/group.h"

namespace engram::wal {

// When an append is acknowledged.
enum class Durability {
  kSync,     // its sync has returned: it survives a power cut
  kProcess,  // it is written: it survives the end of this process, not of the
             // system
};

// Is told what became of the append whose last record is `lsn`, once.
using AppendCallback = std::function<void(Lsn lsn, const absl::Status& status)>;

// A signal that is given in steps and waited for without a mutex: those who
// wait for a group come at the same moment, and would queue up for it.
class StepSignal {
 public:
  // Released by Raise(), acquired by WaitFor(): whoever waited sees what was
  // written before.
  void Raise(int step) {
    step_.store(step, std::memory_order_release);
    step_.notify_all();
  }

  void WaitFor(int step) const {
    int now = step_.load(std::memory_order_acquire);
    while (now < step) {
      step_.wait(now, std::memory_order_acquire);
      now = step_.load(std::memory_order_acquire);
    }
  }

  int step() const { return step_.load(std::memory_order_acquire); }

 private:
  std::atomic<int> step_{0};
};

// Guarded by the writer's mutex while it is in the queue; then of whoever took
// it from there. The signals are anyone's.
struct PendingGroup {
  struct Callback {
    Lsn lsn = 0;  // of the append's last record
    Durability durability = Durability::kSync;
    AppendCallback call;
  };

  explicit PendingGroup(std::shared_ptr<Group> group_in)
      : group(std::move(group_in)) {}

  // Calls the callbacks that are due and have not been called, in order: all of
  // them if `finished`, with `failure` unless that is OK; else those that wait
  // for the write only, up to the first that does not. Returns whether none is
  // left.
  bool CallBack(bool finished, const absl::Status& failure) {
    for (; callbacks_called < callbacks.size(); ++callbacks_called) {
      Callback& next = callbacks[callbacks_called];
      if (!finished && next.durability == Durability::kSync) return false;
      next.call(next.lsn, failure);
      next.call = nullptr;  // what it holds may be waited for
    }
    return true;
  }

  const std::shared_ptr<Group> group;

  bool closed = false;  // takes no more appends, and its place is planned
  bool rolls = false;   // goes into the next segment; a spare is reserved

  // An append waits for the write only.
  bool has_process = false;
  std::vector<Callback> callbacks;
  size_t callbacks_called = 0;

  // A thread that appended to it waits to be asked to write it.
  bool has_leader = false;
  enum LeadStep { kAsked = 1, kNotNeeded = 2 };
  StepSignal lead;
  int64_t asked_micros = 0;  // when, set before kAsked

  enum Step { kWritten = 1, kFinished = 2 };
  StepSignal progress;
  absl::Status status;  // set before kFinished
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_PENDING_GROUP_H_

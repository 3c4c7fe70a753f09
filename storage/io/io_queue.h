// Durable writes, asynchronously: each request is a write followed by an
// fdatasync that covers it, and completes twice.
//
//   queue->Submit({&file, offset, data, tag});
//   queue->Wait(-1);  // {tag, kWritten}: survives the end of this process
//   queue->Wait(-1);  // {tag, kDurable}: survives a power cut

#ifndef ENGRAM_STORAGE_IO_IO_QUEUE_H_
#define ENGRAM_STORAGE_IO_IO_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/io/directory.h"

namespace engram::io {

struct WriteRequest {
  File* file = nullptr;  // stays open until the last completion
  uint64_t offset = 0;
  absl::Span<const char> data;  // stays as it is until the last completion
  uint64_t tag = 0;             // comes back with the completions
};

struct Completion {
  enum class Stage {
    kWritten,  // all of it is written, and its sync goes on
    kDurable,  // its sync has returned
  };

  uint64_t tag = 0;
  Stage stage = Stage::kWritten;
  // A failure ends the request: it is its last completion, whatever the stage.
  // Short writes and interruptions have been dealt with; what is reported here
  // is final, a failed sync above all.
  absl::Status status;

  bool last() const { return stage == Stage::kDurable || !status.ok(); }
};

// Requests may overtake each other; a request's own completions do not.
//
// At most one sync is under way: it covers every request whose write was
// complete when it started, and fails them all if it fails. With two, the one
// that fails may be heard of only after the other has returned 0, though what
// the device has lost belongs to both.
//
// Thread safety: one thread owns a queue and has created it. Only Wake() and
// what is constant may be called by others.
class IoQueue {
 public:
  // Upper bound of depth().
  static constexpr uint32_t kDepth = 8;

  virtual ~IoQueue() = default;

  // "io_uring" or "pwrite".
  virtual absl::string_view name() const = 0;

  // Requests that are worth having under way at once; kDepth may be. 1 where
  // nothing is asynchronous.
  virtual uint32_t depth() const = 0;

  // Starts a request; at most kDepth may be under way. An error means that it
  // was not started and will not complete.
  virtual absl::Status Submit(const WriteRequest& request) = 0;

  // Waits for the next completion, for Wake(), or until `timeout_micros` have
  // passed (negative: no limit); the latter two return nothing. May return
  // nothing for no reason.
  virtual std::optional<Completion> Wait(int64_t timeout_micros) = 0;

  // Ends the Wait() of the queue's thread, or its next one if it is not
  // waiting. Called by any thread.
  virtual void Wake() = 0;
};

// A queue on io_uring. A lone request is a write linked to its fdatasync
// (IOSQE_IO_LINK: a short write cancels the sync). `lock_fd`, if not negative,
// is registered with the ring (see DirectoryLock). Fails where the system
// refuses io_uring, as container runtimes do by default, or where it lacks an
// operation.
absl::StatusOr<std::unique_ptr<IoQueue>> CreateUringQueue(int lock_fd);

// A queue of blocking pwrite and fdatasync calls, made by Wait(). It looks at
// Wake() only while no request is under way.
std::unique_ptr<IoQueue> CreatePwriteQueue();

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_IO_QUEUE_H_

// Durable writes, asynchronously: each request is a write followed by the
// fdatasync that covers it.
//
//   queue->Submit({&file, offset, data, tag});
//   WriteCompletion done = queue->WaitOne();

#ifndef ENGRAM_STORAGE_IO_IO_QUEUE_H_
#define ENGRAM_STORAGE_IO_IO_QUEUE_H_

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/io/directory.h"

namespace engram::io {

struct WriteRequest {
  File* file = nullptr;  // stays open until the completion
  uint64_t offset = 0;
  absl::Span<const char> data;  // stays as it is until the completion
  uint64_t tag = 0;             // comes back with the completion
};

struct WriteCompletion {
  uint64_t tag = 0;
  // OK: the data is durable. Short writes and interruptions have been dealt
  // with; what is reported here is final, a failed sync above all.
  absl::Status status;
};

// Thread safety: none; one thread owns a queue and has created it.
class IoQueue {
 public:
  // Requests that may be under way at once.
  static constexpr uint32_t kDepth = 8;

  virtual ~IoQueue() = default;

  // "io_uring" or "pwrite".
  virtual absl::string_view name() const = 0;

  // Starts a request; at most kDepth may be under way. An error means that it
  // was not started and will not complete.
  virtual absl::Status Submit(const WriteRequest& request) = 0;

  // Waits for any request to complete. At least one must be under way.
  virtual WriteCompletion WaitOne() = 0;
};

// A queue on io_uring: O_DIRECT write linked (IOSQE_IO_LINK: a short write
// cancels the sync) to an fdatasync. `lock_fd`, if not negative, is registered
// with the ring (see DirectoryLock). Fails where the system refuses io_uring,
// as container runtimes do by default, or where it lacks an operation.
absl::StatusOr<std::unique_ptr<IoQueue>> CreateUringQueue(int lock_fd);

// A queue of blocking pwrite and fdatasync calls.
std::unique_ptr<IoQueue> CreatePwriteQueue();

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_IO_QUEUE_H_

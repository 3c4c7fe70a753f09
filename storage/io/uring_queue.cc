// The only file that includes liburing.h.

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "storage/base/aligned_buffer.h"
#include "storage/base/check.h"
#include "storage/base/errno_status.h"
#include "storage/io/io_queue.h"

namespace engram::io {
namespace {

// -EINTR and -EAGAIN are retried this often, then they are errors.
constexpr int kRetriesMax = 3;

// Not IORING_SETUP_R_DISABLED: Debian's liburing 2.3 does not export
// io_uring_enable_rings. Not SQPOLL: on a busy machine its thread competes
// with the workers (measured: 360 to 680 acknowledgements a second).
constexpr std::array<unsigned, 3> kSetupFlags = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_COOP_TASKRUN, 0};

class UringQueue final : public IoQueue {
 public:
  UringQueue() = default;
  ~UringQueue() override {
    if (initialised_) ::io_uring_queue_exit(&ring_);
  }

  UringQueue(const UringQueue&) = delete;
  UringQueue& operator=(const UringQueue&) = delete;

  absl::Status Init(int lock_fd);

  absl::string_view name() const override { return "io_uring"; }
  absl::Status Submit(const WriteRequest& request) override;
  WriteCompletion WaitOne() override;

 private:
  // A request under way takes one slot; user_data is slot * 2, + 1 for its
  // sync.
  struct Slot {
    WriteRequest request;
    size_t written = 0;
    int results_due = 0;
    int retries = 0;
    int write_result = 0;
    int sync_result = 0;
    bool used = false;
  };

  void Start(uint64_t slot_index);
  absl::Status SubmitAll();

  // Both results of the slot are in. Returns true, with the request's final
  // status, unless the rest of it was started again.
  bool Finish(uint64_t slot_index, absl::Status* status);

  io_uring ring_;
  bool initialised_ = false;
  std::array<Slot, kDepth> slots_;
};

absl::Status UringQueue::Init(int lock_fd) {
  int result = -EINVAL;
  for (const unsigned flags : kSetupFlags) {
    result = ::io_uring_queue_init(2 * kDepth, &ring_, flags);
    if (result != -EINVAL) break;
  }
  if (result != 0) return ErrnoStatus(-result, "set up", "io_uring");
  initialised_ = true;

  io_uring_probe* probe = ::io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) {
    return absl::UnimplementedError("io_uring: the kernel answers no probe");
  }
  const bool supported =
      ::io_uring_opcode_supported(probe, IORING_OP_WRITE) != 0 &&
      ::io_uring_opcode_supported(probe, IORING_OP_FSYNC) != 0;
  ::io_uring_free_probe(probe);
  if (!supported) {
    return absl::UnimplementedError("io_uring: WRITE or FSYNC is missing");
  }
  if (lock_fd >= 0) {
    result = ::io_uring_register_files(&ring_, &lock_fd, 1);
    if (result != 0) {
      return ErrnoStatus(-result, "register the lock with", "io_uring");
    }
  }
  return absl::OkStatus();
}

absl::Status UringQueue::Submit(const WriteRequest& request) {
  for (uint64_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].used) continue;
    slots_[i] = Slot{};
    slots_[i].used = true;
    slots_[i].request = request;
    Start(i);
    const absl::Status status = SubmitAll();
    if (!status.ok()) slots_[i].used = false;
    return status;
  }
  ENGRAM_CHECK(false && "more than kDepth requests under way");
  return absl::OkStatus();
}

void UringQueue::Start(uint64_t slot_index) {
  Slot& slot = slots_[slot_index];
  const WriteRequest& request = slot.request;
  slot.results_due = 2;

  // The ring has 2 * kDepth entries and each slot uses two of them.
  io_uring_sqe* write = ::io_uring_get_sqe(&ring_);
  ENGRAM_CHECK(write != nullptr);
  ::io_uring_prep_write(
      write, request.file->fd(), request.data.data() + slot.written,
      static_cast<unsigned>(request.data.size() - slot.written),
      request.offset + slot.written);
  write->flags |= IOSQE_IO_LINK;
  write->user_data = slot_index * 2;

  io_uring_sqe* sync = ::io_uring_get_sqe(&ring_);
  ENGRAM_CHECK(sync != nullptr);
  ::io_uring_prep_fsync(sync, request.file->fd(), IORING_FSYNC_DATASYNC);
  sync->user_data = slot_index * 2 + 1;
}

absl::Status UringQueue::SubmitAll() {
  for (int attempt = 0;; ++attempt) {
    const int result = ::io_uring_submit(&ring_);
    // The kernel may take fewer than it was offered.
    if (result >= 0 && ::io_uring_sq_ready(&ring_) == 0) {
      return absl::OkStatus();
    }
    if (result > 0) continue;
    if (result == 0 && attempt == kRetriesMax) {
      return ErrnoStatus(EBUSY, "submit to", "io_uring");
    }
    if (result == 0) continue;
    if ((result != -EINTR && result != -EAGAIN) || attempt == kRetriesMax) {
      return ErrnoStatus(-result, "submit to", "io_uring");
    }
  }
}

WriteCompletion UringQueue::WaitOne() {
  while (true) {
    io_uring_cqe* cqe = nullptr;
    const int result = ::io_uring_wait_cqe(&ring_, &cqe);
    if (result == -EINTR || result == -EAGAIN) continue;
    ENGRAM_CHECK(result == 0);  // only a broken ring fails here otherwise
    const uint64_t slot_index = cqe->user_data / 2;
    const bool is_sync = cqe->user_data % 2 == 1;
    Slot& slot = slots_[slot_index];
    ENGRAM_CHECK(slot.used && slot.results_due > 0);
    (is_sync ? slot.sync_result : slot.write_result) = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    if (--slot.results_due > 0) continue;

    WriteCompletion completion;
    completion.tag = slot.request.tag;
    if (Finish(slot_index, &completion.status)) {
      slot.used = false;
      return completion;
    }
  }
}

bool UringQueue::Finish(uint64_t slot_index, absl::Status* status) {
  Slot& slot = slots_[slot_index];
  const std::string& path = slot.request.file->path();
  const size_t left = slot.request.data.size() - slot.written;
  bool again = false;
  if (slot.write_result < 0) {
    const bool transient =
        slot.write_result == -EINTR || slot.write_result == -EAGAIN;
    again = transient && slot.retries++ < kRetriesMax;
    if (!again) *status = ErrnoStatus(-slot.write_result, "write", path);
  } else if (static_cast<size_t>(slot.write_result) < left) {
    // A short write; its sync was cancelled. The remainder must start on a
    // block again.
    const size_t progress = static_cast<size_t>(slot.write_result) /
                            AlignedBuffer::kAlignment *
                            AlignedBuffer::kAlignment;
    again = progress > 0 || slot.retries++ < kRetriesMax;
    slot.written += progress;
    if (!again) *status = ErrnoStatus(EIO, "write nothing to", path);
  } else if (slot.sync_result < 0) {
    *status = ErrnoStatus(-slot.sync_result, "sync", path);
  } else {
    *status = absl::OkStatus();
  }
  if (!again) return true;
  Start(slot_index);
  *status = SubmitAll();
  return !status->ok();
}

}  // namespace

absl::StatusOr<std::unique_ptr<IoQueue>> CreateUringQueue(int lock_fd) {
  auto queue = std::make_unique<UringQueue>();
  const absl::Status status = queue->Init(lock_fd);
  if (!status.ok()) return status;
  return std::unique_ptr<IoQueue>(std::move(queue));
}

}  // namespace engram::io

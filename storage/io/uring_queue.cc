// The only file that includes liburing.h.

#include <liburing.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "storage/base/aligned_buffer.h"
#include "storage/base/check.h"
#include "storage/base/errno_status.h"
#include "storage/base/unique_fd.h"
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

// user_data of the read that waits for Wake(); those of requests are smaller.
constexpr uint64_t kWakeTag = ~uint64_t{0};

constexpr int64_t kMicrosPerSecond = 1'000'000;

// A write and a sync for each request, and the read that waits for Wake().
constexpr unsigned kRingEntries = 4 * IoQueue::kDepth;

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
  uint32_t depth() const override { return kDepth; }
  absl::Status Submit(const WriteRequest& request) override;
  std::optional<Completion> Wait(int64_t timeout_micros) override;
  void Wake() override;

 private:
  // A request under way takes one slot; user_data is slot * 2, + 1 for its
  // sync.
  struct Slot {
    WriteRequest request;
    size_t written = 0;
    int results_due = 0;
    int retries = 0;
    int write_result = 0;
    bool used = false;
  };

  absl::Status CheckKernel();
  void Start(uint64_t slot_index);
  absl::Status SubmitAll();
  void ArmWake();

  // A result of the slot is in. Nothing if it completes no stage.
  std::optional<Completion> OnWritten(Slot* slot, int result);
  std::optional<Completion> OnSynced(Slot* slot, int result);

  // The remainder of a write that was cut short, or could not be made now.
  // Returns false, with the final status, if it is not worth trying.
  bool Continue(Slot* slot, absl::Status* status);

  io_uring ring_;
  bool initialised_ = false;
  UniqueFd wake_fd_;
  uint64_t wakes_ = 0;  // what was read from it
  bool wake_armed_ = false;
  std::array<Slot, kDepth> slots_;
};

absl::Status UringQueue::Init(int lock_fd) {
  int result = -EINVAL;
  for (const unsigned flags : kSetupFlags) {
    result = ::io_uring_queue_init(kRingEntries, &ring_, flags);
    if (result != -EINVAL) break;
  }
  if (result != 0) return ErrnoStatus(-result, "set up", "io_uring");
  initialised_ = true;
  const absl::Status status = CheckKernel();
  if (!status.ok()) return status;
  if (lock_fd >= 0) {
    result = ::io_uring_register_files(&ring_, &lock_fd, 1);
    if (result != 0) {
      return ErrnoStatus(-result, "register the lock with", "io_uring");
    }
  }
  // Not EFD_NONBLOCK: the ring would answer EAGAIN where it should wait.
  wake_fd_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!wake_fd_.valid()) return ErrnoStatus(errno, "create", "eventfd");
  return absl::OkStatus();
}

absl::Status UringQueue::CheckKernel() {
  io_uring_probe* probe = ::io_uring_get_probe_ring(&ring_);
  if (probe == nullptr) {
    return absl::UnimplementedError("io_uring: the kernel answers no probe");
  }
  bool supported = true;
  for (const int opcode : {IORING_OP_WRITE, IORING_OP_FSYNC, IORING_OP_READ}) {
    supported &= ::io_uring_opcode_supported(probe, opcode) != 0;
  }
  ::io_uring_free_probe(probe);
  if (!supported) {
    return absl::UnimplementedError(
        "io_uring: WRITE, FSYNC or READ is missing");
  }
  // Without it, liburing would make requests of its own for timeouts.
  if ((ring_.features & IORING_FEAT_EXT_ARG) == 0) {
    return absl::UnimplementedError("io_uring: waits know no timeout");
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

void UringQueue::ArmWake() {
  io_uring_sqe* read = ::io_uring_get_sqe(&ring_);
  ENGRAM_CHECK(read != nullptr);
  ::io_uring_prep_read(read, wake_fd_.get(), &wakes_, sizeof(wakes_), 0);
  read->user_data = kWakeTag;
  wake_armed_ = true;
}

void UringQueue::Wake() {
  constexpr uint64_t kOne = 1;
  // It would take 2^64 - 1 wakes that nobody reads to fail.
  ENGRAM_CHECK(::write(wake_fd_.get(), &kOne, sizeof(kOne)) == sizeof(kOne));
}

std::optional<Completion> UringQueue::Wait(int64_t timeout_micros) {
  // At least what one call has waited for; a caller with a deadline looks
  // again.
  while (true) {
    if (!wake_armed_) ArmWake();
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec timeout = {};
    timeout.tv_sec = timeout_micros / kMicrosPerSecond;
    timeout.tv_nsec = timeout_micros % kMicrosPerSecond * 1000;
    const int result = ::io_uring_submit_and_wait_timeout(
        &ring_, &cqe, 1, timeout_micros < 0 ? nullptr : &timeout, nullptr);
    if (cqe == nullptr) {
      if (result == -ETIME) return std::nullopt;
      // Only a broken ring fails here otherwise.
      ENGRAM_CHECK(result >= 0 || result == -EINTR || result == -EAGAIN);
      continue;
    }
    const uint64_t tag = cqe->user_data;
    const int outcome = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    if (tag == kWakeTag) {
      wake_armed_ = false;
      return std::nullopt;
    }
    Slot& slot = slots_[tag / 2];
    ENGRAM_CHECK(slot.used && slot.results_due > 0);
    --slot.results_due;
    const std::optional<Completion> completion =
        tag % 2 == 0 ? OnWritten(&slot, outcome) : OnSynced(&slot, outcome);
    if (!completion.has_value()) continue;
    if (completion->last()) slot.used = false;
    return completion;
  }
}

std::optional<Completion> UringQueue::OnWritten(Slot* slot, int result) {
  slot->write_result = result;
  const size_t left = slot->request.data.size() - slot->written;
  // Else its sync was cancelled, and what that returns decides.
  if (result < 0 || static_cast<size_t>(result) < left) return std::nullopt;
  return Completion{slot->request.tag, Completion::Stage::kWritten, {}};
}

std::optional<Completion> UringQueue::OnSynced(Slot* slot, int result) {
  ENGRAM_CHECK(slot->results_due == 0);  // linked: the write came before
  Completion completion;
  completion.tag = slot->request.tag;
  const size_t left = slot->request.data.size() - slot->written;
  if (slot->write_result >= 0 &&
      static_cast<size_t>(slot->write_result) == left) {
    completion.stage = Completion::Stage::kDurable;
    if (result < 0) {
      completion.status =
          ErrnoStatus(-result, "sync", slot->request.file->path());
    }
    return completion;
  }
  if (Continue(slot, &completion.status)) return std::nullopt;
  return completion;
}

bool UringQueue::Continue(Slot* slot, absl::Status* status) {
  const std::string& path = slot->request.file->path();
  const int result = slot->write_result;
  if (result < 0) {
    const bool transient = result == -EINTR || result == -EAGAIN;
    if (!transient || slot->retries++ >= kRetriesMax) {
      *status = ErrnoStatus(-result, "write", path);
      return false;
    }
  } else {
    // The remainder must start on a block again.
    const size_t progress = static_cast<size_t>(result) /
                            AlignedBuffer::kAlignment *
                            AlignedBuffer::kAlignment;
    if (progress == 0 && slot->retries++ >= kRetriesMax) {
      *status = ErrnoStatus(EIO, "write nothing to", path);
      return false;
    }
    slot->written += progress;
  }
  Start(static_cast<uint64_t>(slot - slots_.data()));
  *status = SubmitAll();
  return status->ok();
}

}  // namespace

absl::StatusOr<std::unique_ptr<IoQueue>> CreateUringQueue(int lock_fd) {
  auto queue = std::make_unique<UringQueue>();
  const absl::Status status = queue->Init(lock_fd);
  if (!status.ok()) return status;
  return std::unique_ptr<IoQueue>(std::move(queue));
}

}  // namespace engram::io

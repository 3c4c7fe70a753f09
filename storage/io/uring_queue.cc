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

// user_data of the read that waits for Wake() and of the sync; that of a write
// is the index of its slot.
constexpr uint64_t kWakeTag = ~uint64_t{0};
constexpr uint64_t kSyncTag = kWakeTag - 1;

constexpr int64_t kMicrosPerSecond = 1'000'000;

// A write for each request, a sync, and the read that waits for Wake().
constexpr unsigned kRingEntries = 2 * IoQueue::kDepth;

// What a later call may not meet again: an interruption, or no memory for the
// request. Anything else is a broken ring.
bool IsTransient(int result) {
  return result == -EINTR || result == -EAGAIN || result == -EBUSY;
}

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
  enum class State {
    kFree,
    kWriting,
    kWritten,  // waits for a sync
    kSyncing,  // the sync under way covers it
    kSynced,   // its last completion is due
  };

  // Of a request under way.
  struct Slot {
    State state = State::kFree;
    WriteRequest request;
    size_t written = 0;
    int retries = 0;
    bool linked = false;  // the sync under way starts when it is written
  };

  absl::Status CheckKernel();
  io_uring_sqe* NextEntry();
  io_uring_sqe* PrepareWrite(uint64_t slot_index);
  void PrepareSync(const File& file);
  void SubmitAll();
  void ArmWake();

  // A result is in. Nothing if it completes no stage.
  std::optional<Completion> OnWritten(uint64_t slot_index, int result);
  void OnSynced(int result);

  // A request that a sync has completed, and that was not returned yet.
  std::optional<Completion> TakeSynced();

  // Whether to try again what is left of a write that was cut short, or could
  // not be made now; else the status is final.
  static absl::Status CanContinue(int result, Slot* slot);

  // Syncs what is written, unless a sync is under way.
  void SyncWritten();

  io_uring ring_;
  bool initialised_ = false;
  UniqueFd wake_fd_;
  uint64_t wakes_ = 0;  // what was read from it
  bool wake_armed_ = false;
  std::array<Slot, kDepth> slots_;
  size_t used_ = 0;  // of slots_
  bool sync_under_way_ = false;
  int sync_result_ = 0;  // of the last one
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
  ENGRAM_CHECK(used_ < kDepth);
  uint64_t index = 0;
  while (slots_[index].state != State::kFree) ++index;
  Slot& slot = slots_[index];
  slot = Slot{};
  slot.state = State::kWriting;
  slot.request = request;
  io_uring_sqe* write = PrepareWrite(index);
  if (used_++ == 0 && !sync_under_way_) {
    slot.linked = true;
    write->flags |= IOSQE_IO_LINK;
    PrepareSync(*request.file);
  }
  SubmitAll();
  return absl::OkStatus();
}

io_uring_sqe* UringQueue::NextEntry() {
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
  ENGRAM_CHECK(entry != nullptr);
  return entry;
}

io_uring_sqe* UringQueue::PrepareWrite(uint64_t slot_index) {
  const Slot& slot = slots_[slot_index];
  const WriteRequest& request = slot.request;
  io_uring_sqe* write = NextEntry();
  ::io_uring_prep_write(
      write, request.file->fd(), request.data.data() + slot.written,
      static_cast<unsigned>(request.data.size() - slot.written),
      request.offset + slot.written);
  write->user_data = slot_index;
  return write;
}

void UringQueue::PrepareSync(const File& file) {
  io_uring_sqe* sync = NextEntry();
  ::io_uring_prep_fsync(sync, file.fd(), IORING_FSYNC_DATASYNC);
  sync->user_data = kSyncTag;
  sync_under_way_ = true;
}

// What the kernel does not take now, Wait() offers it again.
void UringQueue::SubmitAll() {
  for (int attempt = 0; attempt <= kRetriesMax; ++attempt) {
    const int result = ::io_uring_submit(&ring_);
    ENGRAM_CHECK(result >= 0 || IsTransient(result));
    if (::io_uring_sq_ready(&ring_) == 0) return;
  }
}

void UringQueue::ArmWake() {
  io_uring_sqe* read = NextEntry();
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
    std::optional<Completion> completion = TakeSynced();
    if (completion.has_value()) return completion;
    if (!wake_armed_) ArmWake();
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec timeout = {};
    timeout.tv_sec = timeout_micros / kMicrosPerSecond;
    timeout.tv_nsec = timeout_micros % kMicrosPerSecond * 1000;
    const int result = ::io_uring_submit_and_wait_timeout(
        &ring_, &cqe, 1, timeout_micros < 0 ? nullptr : &timeout, nullptr);
    if (cqe == nullptr) {
      if (result == -ETIME) return std::nullopt;
      ENGRAM_CHECK(result >= 0 || IsTransient(result));
      continue;
    }
    const uint64_t tag = cqe->user_data;
    const int outcome = cqe->res;
    ::io_uring_cqe_seen(&ring_, cqe);
    if (tag == kWakeTag) {
      wake_armed_ = false;
      return std::nullopt;
    }
    if (tag == kSyncTag) {
      OnSynced(outcome);
      continue;
    }
    completion = OnWritten(tag, outcome);
    if (completion.has_value()) return completion;
  }
}

std::optional<Completion> UringQueue::OnWritten(uint64_t slot_index,
                                                int result) {
  Slot& slot = slots_[slot_index];
  ENGRAM_CHECK(slot.state == State::kWriting);
  Completion completion{slot.request.tag, Completion::Stage::kWritten, {}};
  const size_t left = slot.request.data.size() - slot.written;
  if (result >= 0 && static_cast<size_t>(result) == left) {
    slot.state = slot.linked ? State::kSyncing : State::kWritten;
    SyncWritten();
    return completion;
  }
  slot.linked = false;  // the kernel cancels its sync
  completion.status = CanContinue(result, &slot);
  if (completion.status.ok()) {
    PrepareWrite(slot_index);
    SubmitAll();
    return std::nullopt;
  }
  slot.state = State::kFree;
  --used_;
  return completion;
}

absl::Status UringQueue::CanContinue(int result, Slot* slot) {
  const std::string& path = slot->request.file->path();
  if (result < 0) {
    const bool transient = result == -EINTR || result == -EAGAIN;
    if (transient && slot->retries++ < kRetriesMax) return absl::OkStatus();
    return ErrnoStatus(-result, "write", path);
  }
  // The remainder must start on a block again.
  const size_t progress = static_cast<size_t>(result) /
                          AlignedBuffer::kAlignment * AlignedBuffer::kAlignment;
  if (progress == 0 && slot->retries++ >= kRetriesMax) {
    return ErrnoStatus(EIO, "write nothing to", path);
  }
  slot->written += progress;
  return absl::OkStatus();
}

void UringQueue::SyncWritten() {
  if (sync_under_way_) return;
  const File* file = nullptr;
  for (Slot& slot : slots_) {
    if (slot.state != State::kWritten) continue;
    if (file == nullptr) file = slot.request.file;
    if (slot.request.file == file) slot.state = State::kSyncing;
  }
  if (file == nullptr) return;
  PrepareSync(*file);
  SubmitAll();
}

void UringQueue::OnSynced(int result) {
  sync_under_way_ = false;
  sync_result_ = result;
  // None, if it was cancelled with the write that it was linked to.
  for (Slot& slot : slots_) {
    if (slot.state == State::kSyncing) slot.state = State::kSynced;
  }
  SyncWritten();
}

std::optional<Completion> UringQueue::TakeSynced() {
  for (Slot& slot : slots_) {
    if (slot.state != State::kSynced) continue;
    Completion completion{slot.request.tag, Completion::Stage::kDurable, {}};
    if (sync_result_ < 0) {
      completion.status =
          ErrnoStatus(-sync_result_, "sync", slot.request.file->path());
    }
    slot.state = State::kFree;
    --used_;
    return completion;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<IoQueue>> CreateUringQueue(int lock_fd) {
  auto queue = std::make_unique<UringQueue>();
  const absl::Status status = queue->Init(lock_fd);
  if (!status.ok()) return status;
  return std::unique_ptr<IoQueue>(std::move(queue));
}

}  // namespace engram::io

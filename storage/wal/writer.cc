#include "storage/wal/writer.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::wal {
namespace {

using schema::kGroupsOffset;
using schema::kWalBlockBytes;

// A group is closed to further appends at this size: beyond it, one write is
// as fast as the device, and those who wait for it wait longer.
constexpr size_t kGroupRecordBytesTarget = size_t{4} << 20;
constexpr size_t kGroupBytesMin = 4096;

// How long the log is idle before a marker says so. The marker carries the
// durable_lsn of the last group, which nothing else on disk would vouch for.
constexpr int64_t kIdleMicros = 2000;

// What every group of records leaves free behind it: a block for the marker
// that vouches for it, and one for the seal.
constexpr size_t kReservedBytes = 2 * kWalBlockBytes;

// Longer waits would overflow when they are added to the time.
constexpr int64_t kTimeoutMicrosMax = int64_t{1} << 60;

// A failed log has one code whatever made it fail: RESOURCE_EXHAUSTED, say,
// promises that nothing was written and that it may be tried again.
absl::Status LogFailure(const absl::Status& status) {
  if (status.ok() || absl::IsInternal(status)) return status;
  return absl::InternalError(absl::StrCat(
      "the log has failed, reopen the database: ", status.message()));
}

uint64_t RandomEpoch() {
  std::random_device random;
  uint64_t epoch = 0;
  while (epoch == 0) {
    epoch = (uint64_t{random()} << 32) | random();
  }
  return epoch;
}

}  // namespace

Writer::Writer(const WriterOptions& options, const LogPosition& position,
               Segments* segments, GroupSink* sink)
    : options_(options),
      segments_(segments),
      sink_(sink),
      predecessor_(position.predecessor),
      predecessor_groups_(position.predecessor_groups),
      next_segment_(position.next_segment),
      written_lsn_(position.next_lsn - 1),
      next_lsn_(position.next_lsn),
      durable_lsn_(position.next_lsn - 1),
      complete_(position.complete) {}

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(
    const WriterOptions& options, const LogPosition& position,
    Segments* segments, GroupSink* sink) {
  ENGRAM_CHECK(options.segment_bytes == segments->segment_bytes());
  std::unique_ptr<Writer> writer(new Writer(options, position, segments, sink));
  writer->thread_ = std::thread([w = writer.get()] { w->Run(); });
  absl::Status status;
  {
    MutexLock lock(writer->mutex_);
    while (!writer->started_) writer->changed_.Wait(writer->mutex_);
    status = writer->stats_.status;
  }
  if (!status.ok()) return status;
  return writer;
}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

size_t Writer::record_bytes_max() const {
  return options_.segment_bytes - kGroupsOffset - kReservedBytes -
         sizeof(schema::GroupHeader);
}

// --- Appenders ---------------------------------------------------------------

absl::StatusOr<Lsn> Writer::Append(absl::Span<const schema::RecordDraft> drafts,
                                   int64_t room_timeout_micros) {
  ENGRAM_CHECK(!drafts.empty());
  size_t bytes = 0;
  for (const schema::RecordDraft& draft : drafts) {
    bytes += schema::RecordBytes(draft);
  }
  if (bytes > record_bytes_max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("write of ", bytes, " bytes, a log segment holds ",
                     record_bytes_max()));
  }
  const int64_t deadline = Clock::System().MonotonicMicros() +
                           std::min(room_timeout_micros, kTimeoutMicrosMax);
  MutexLock lock(mutex_);
  ENGRAM_RETURN_IF_ERROR(WaitForRoom(bytes, deadline));
  if (pending_ == nullptr) {
    // What the last group held is the best guess for this one.
    pending_ = std::make_shared<Pending>(
        std::max({bytes, kGroupBytesMin, last_group_bytes_}));
  }
  const std::shared_ptr<Pending> joined = pending_;
  for (const schema::RecordDraft& draft : drafts) {
    joined->group->Add(draft, next_lsn_++);
  }
  const Lsn last = next_lsn_ - 1;
  work_.NotifyOne();
  while (!joined->done) joined->finished.Wait(mutex_);
  if (!joined->status.ok()) return joined->status;
  return last;
}

absl::Status Writer::WaitForRoom(size_t bytes, int64_t deadline) {
  while (true) {
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    if (stopping_) return absl::FailedPreconditionError("the log is closed");
    const size_t joined =
        pending_ == nullptr ? 0 : pending_->group->record_bytes();
    const size_t group_max =
        std::min(kGroupRecordBytesTarget, record_bytes_max());
    if (joined != 0 && joined + bytes > group_max) {
      changed_.Wait(mutex_);  // the log's thread takes the group any moment
      continue;
    }
    const size_t end =
        planned_offset_ + schema::GroupBytes(joined + bytes) + kReservedBytes;
    const int spares_needed = spares_claimed_ + 1;
    if (end <= options_.segment_bytes || segments_->ready() >= spares_needed) {
      return absl::OkStatus();
    }
    mutex_.Unlock();
    const absl::Status status = segments_->WaitReady(
        spares_needed, deadline - Clock::System().MonotonicMicros());
    mutex_.Lock();
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    ENGRAM_RETURN_IF_ERROR(status);
  }
}

Lsn Writer::last_lsn() const {
  MutexLock lock(mutex_);
  return next_lsn_ - 1;
}

Lsn Writer::durable_lsn() const {
  MutexLock lock(mutex_);
  return durable_lsn_;
}

absl::Status Writer::WaitDurable(Lsn lsn) const {
  MutexLock lock(mutex_);
  while (durable_lsn_ < lsn) {
    ENGRAM_RETURN_IF_ERROR(stats_.status);
    if (ended_) return absl::FailedPreconditionError("the log is closed");
    changed_.Wait(mutex_);
  }
  return absl::OkStatus();
}

absl::Status Writer::Close() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    clean_close_ = true;
  }
  work_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  MutexLock lock(mutex_);
  return stats_.status;
}

WriterStats Writer::GetStats() const {
  MutexLock lock(mutex_);
  WriterStats stats = stats_;
  stats.last_lsn = next_lsn_ - 1;
  stats.durable_lsn = durable_lsn_;
  return stats;
}

absl::Status Writer::Recycle(Lsn low_water_lsn) {
  // One at a time: what is left on disk must be a chain without holes, also
  // if one of the steps fails.
  MutexLock recycling(recycle_mutex_);
  while (true) {
    uint64_t number = 0;
    {
      MutexLock lock(mutex_);
      if (complete_.empty() || complete_.begin()->second > low_water_lsn) {
        return absl::OkStatus();
      }
      number = complete_.begin()->first;
    }
    ENGRAM_RETURN_IF_ERROR(segments_->Recycle(number));
    MutexLock lock(mutex_);
    complete_.erase(number);
  }
}

// --- The log's thread --------------------------------------------------------

absl::StatusOr<std::unique_ptr<io::IoQueue>> Writer::CreateQueue() const {
  if (options_.create_queue) return options_.create_queue();
  if (options_.queue != QueueChoice::kPwrite) {
    absl::StatusOr<std::unique_ptr<io::IoQueue>> queue =
        io::CreateUringQueue(options_.lock_fd);
    if (queue.ok() || options_.queue == QueueChoice::kUring) return queue;
  }
  return io::CreatePwriteQueue();
}

absl::Status Writer::Start() {
  // Created here: the ring belongs to the thread that submits to it.
  ENGRAM_ASSIGN_OR_RETURN(queue_, CreateQueue());
  ENGRAM_RETURN_IF_ERROR(StartSegment());
  if (predecessor_.number == 0) return absl::OkStatus();
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                          segments_->OpenForWrite(predecessor_.number));
  return SealPredecessor(file.get(), predecessor_groups_);
}

void Writer::Run() {
  const absl::Status start = Start();
  MutexLock lock(mutex_);
  stats_.status = start;
  started_ = true;
  if (start.ok()) {
    stats_.queue_name = std::string(queue_->name());
    stats_.direct_io = file_->direct();
    stats_.current_segment = header_.number;
    planned_offset_ = offset_;
  }
  changed_.NotifyAll();
  while (start.ok()) {
    if (pending_ != nullptr) {
      CommitPending();
    } else if (stopping_) {
      break;
    } else if (idle_marked_ || !stats_.status.ok()) {
      work_.Wait(mutex_);
    } else {
      const int64_t idle_at = Clock::System().MonotonicMicros() + kIdleMicros;
      int64_t left = kIdleMicros;
      while (pending_ == nullptr && !stopping_ && left > 0) {
        work_.WaitFor(mutex_, left);
        left = idle_at - Clock::System().MonotonicMicros();
      }
      if (pending_ == nullptr && !stopping_) WriteIdleMarker();
    }
  }
  if (clean_close_ && stats_.status.ok()) {
    lock.Unlock();
    const absl::Status status =
        Fits(kWalBlockBytes, kWalBlockBytes)
            ? WriteMarker(schema::RecordType::kCleanClose)
            : absl::OkStatus();
    lock.Lock();
    stats_.status = LogFailure(status);
  }
  ended_ = true;
  changed_.NotifyAll();
}

void Writer::CommitPending() {
  const std::shared_ptr<Pending> taken = std::move(pending_);
  pending_ = nullptr;
  const size_t group_bytes = schema::GroupBytes(taken->group->record_bytes());
  const bool rolls =
      planned_offset_ + group_bytes + kReservedBytes > options_.segment_bytes;
  if (rolls) {
    spares_claimed_ = 1;
    planned_offset_ = kGroupsOffset;
  }
  planned_offset_ += group_bytes;
  last_group_bytes_ = taken->group->record_bytes();
  absl::Status status = stats_.status;
  changed_.NotifyAll();
  mutex_.Unlock();

  if (status.ok()) status = WriteRecords(taken->group.get());
  if (status.ok()) sink_->OnDurable(taken->group);

  mutex_.Lock();
  spares_claimed_ = 0;
  if (status.ok()) {
    ENGRAM_CHECK(taken->group->last_lsn() > durable_lsn_);
    durable_lsn_ = taken->group->last_lsn();
    stats_.current_segment = header_.number;
    ++stats_.groups;
    stats_.bytes_written += group_bytes;
    planned_offset_ = offset_;
    idle_marked_ = false;
  } else {
    stats_.status = LogFailure(status);
  }
  taken->done = true;
  taken->status = stats_.status;
  taken->finished.NotifyAll();
  changed_.NotifyAll();
}

void Writer::WriteIdleMarker() {
  idle_marked_ = true;
  // Not after another marker that took the room: that one says the same.
  if (!Fits(kWalBlockBytes, kWalBlockBytes)) return;
  planned_offset_ += kWalBlockBytes;
  mutex_.Unlock();
  const absl::Status status = WriteMarker(schema::RecordType::kIdleMarker);
  mutex_.Lock();
  planned_offset_ = offset_;
  if (status.ok()) return;
  stats_.status = LogFailure(status);
  changed_.NotifyAll();
}

absl::Status Writer::WriteRecords(Group* group) {
  const size_t bytes = schema::GroupBytes(group->record_bytes());
  if (!Fits(bytes, kReservedBytes)) ENGRAM_RETURN_IF_ERROR(Roll());
  ENGRAM_CHECK(Fits(bytes, kReservedBytes));
  ENGRAM_CHECK(group->first_lsn() == written_lsn_ + 1);
  ENGRAM_RETURN_IF_ERROR(WriteGroup(group));
  written_lsn_ = group->last_lsn();
  return absl::OkStatus();
}

bool Writer::Fits(size_t group_bytes, size_t reserved_bytes) const {
  return offset_ + group_bytes + reserved_bytes <= options_.segment_bytes;
}

absl::Status Writer::WriteMarker(schema::RecordType type) {
  Group group(sizeof(schema::RecordHeader));
  schema::RecordDraft draft;
  draft.type = type;
  group.Add(draft, written_lsn_);
  group.set_first_lsn(written_lsn_ + 1);
  return WriteGroup(&group);
}

absl::Status Writer::WriteGroup(Group* group) {
  // One group is under way at a time, so all before it are durable.
  group->Seal(header_.epoch, sequence_, written_lsn_);
  io::WriteRequest request;
  request.file = file_.get();
  request.offset = offset_;
  request.data = group->bytes();
  ENGRAM_RETURN_IF_ERROR(queue_->Submit(request));
  std::optional<io::Completion> completion;
  while (!completion.has_value() || !completion->last()) {
    completion = queue_->Wait(-1);
  }
  ENGRAM_RETURN_IF_ERROR(completion->status);
  schema::GroupHeader header;
  std::memcpy(&header, group->bytes().data(), sizeof(header));
  chain_crc_ = schema::ChainCrc(chain_crc_, header);
  offset_ += group->bytes().size();
  ++sequence_;
  return absl::OkStatus();
}

absl::Status Writer::Roll() {
  const std::unique_ptr<io::File> full = std::move(file_);
  const uint64_t groups = sequence_;
  predecessor_ = {};
  predecessor_.number = header_.number;
  predecessor_.epoch = header_.epoch;
  predecessor_.last_lsn = written_lsn_;
  predecessor_.end_offset = offset_;
  predecessor_.chain_crc = chain_crc_;
  ENGRAM_RETURN_IF_ERROR(StartSegment());
  ENGRAM_RETURN_IF_ERROR(SealPredecessor(full.get(), groups));
  MutexLock lock(mutex_);
  complete_[predecessor_.number] = predecessor_.last_lsn;
  return absl::OkStatus();
}

absl::Status Writer::StartSegment() {
  header_ = {};
  header_.database_id = options_.database_id;
  header_.number = next_segment_++;
  header_.epoch = RandomEpoch();
  header_.first_lsn = written_lsn_ + 1;
  header_.segment_bytes = options_.segment_bytes;
  header_.predecessor = predecessor_;
  ENGRAM_ASSIGN_OR_RETURN(file_, segments_->Take(header_));
  offset_ = kGroupsOffset;
  sequence_ = 0;
  chain_crc_ = 0;
  return absl::OkStatus();
}

// A sealed segment whose successor is missing is a loss that recovery can see.
absl::Status Writer::SealPredecessor(io::File* file, uint64_t groups) {
  Group seal(sizeof(schema::RecordHeader) + sizeof(schema::SealBody));
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kSeal;
  draft.next_segment = header_.number;
  seal.Add(draft, predecessor_.last_lsn);
  seal.set_first_lsn(predecessor_.last_lsn + 1);
  seal.Seal(predecessor_.epoch, groups, predecessor_.last_lsn);
  ENGRAM_RETURN_IF_ERROR(file->Write(predecessor_.end_offset, seal.bytes()));
  return file->Sync();
}

}  // namespace engram::wal

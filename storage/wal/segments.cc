#include "storage/wal/segments.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "schema/wal_codec.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutant.h"
#include "storage/base/status_macros.h"

namespace engram::wal {
namespace {

constexpr absl::string_view kSegmentSuffix = ".log";
constexpr absl::string_view kSparePrefix = "spare-";
constexpr size_t kNumberDigits = 16;

// How long the preparer rests after it could not make a spare.
constexpr int64_t kRetryMicros = 200'000;

// What is zero-filled with one write.
constexpr size_t kEraseBytes = size_t{1} << 20;

}  // namespace

std::string SegmentFileName(uint64_t number) {
  return absl::StrFormat("%016x%s", number, kSegmentSuffix);
}

uint64_t SegmentFileNumber(absl::string_view name) {
  if (name.size() != kNumberDigits + kSegmentSuffix.size() ||
      !absl::EndsWith(name, kSegmentSuffix)) {
    return 0;
  }
  uint64_t number = 0;
  for (const char c : name.substr(0, kNumberDigits)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'a' && c <= 'f')) return 0;
    number =
        number * 16 + static_cast<uint64_t>(digit ? c - '0' : c - 'a' + 10);
  }
  // No segment has a larger one; whoever made the file, we did not.
  if (number > schema::kWalNumberMax) return 0;
  return number;
}

bool IsSpareFileName(absl::string_view name) {
  return absl::StartsWith(name, kSparePrefix);
}

Segments::Segments(io::Directory* directory, const SegmentsOptions& options)
    : directory_(directory), options_(options) {}

absl::StatusOr<std::unique_ptr<Segments>> Segments::Open(
    io::Directory* directory, const SegmentsOptions& options,
    absl::Span<const uint64_t> live) {
  std::unique_ptr<Segments> segments(new Segments(directory, options));
  {
    MutexLock lock(segments->mutex_);
    segments->live_.assign(live.begin(), live.end());
    // Nothing can be recycled before the log is open, and opening it takes a
    // segment: a log that has reached its limit may exceed it by that one.
    segments->segments_max_ =
        std::max<uint64_t>(options.segments_max, live.size() + 1);
  }
  ENGRAM_RETURN_IF_ERROR(segments->AdoptLeftovers());
  segments->preparer_ = std::thread([s = segments.get()] { s->PrepareLoop(); });
  return segments;
}

Segments::~Segments() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  if (preparer_.joinable()) preparer_.join();
}

// To remove a spare of 64 MiB takes ext4 9 ms, and to write another one 40.
absl::Status Segments::AdoptLeftovers() {
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          directory_->List());
  MutexLock lock(mutex_);
  for (const std::string& name : names) {
    if (!IsSpareFileName(name)) continue;
    uint32_t number = 0;
    const bool is_ours =
        absl::SimpleAtoi(name.substr(kSparePrefix.size()), &number);
    if (is_ours) next_spare_ = std::max(next_spare_, uint64_t{number} + 1);
    if (is_ours && spares_.size() < kSparesKept &&
        spares_.size() + live_.size() < segments_max_ && IsWhole(name)) {
      spares_.push_back({name, /*used=*/true});  // who knows
    } else {
      ENGRAM_RETURN_IF_ERROR(directory_->Remove(name));
    }
  }
  return absl::OkStatus();
}

// Whether a file has the size of a segment, and room for all of it. What it
// holds does not matter: each use of it has an epoch of its own.
bool Segments::IsWhole(const std::string& name) const {
  const auto file = directory_->Open(name, io::OpenMode::kWrite);
  if (!file.ok()) return false;
  const absl::StatusOr<uint64_t> bytes = (*file)->Size();
  if (!bytes.ok() || *bytes != options_.segment_bytes) return false;
  const absl::StatusOr<bool> holes = (*file)->HasHoles();
  return holes.ok() && !*holes && (*file)->Sync().ok();
}

int Segments::ready() const {
  MutexLock lock(mutex_);
  return static_cast<int>(spares_.size());
}

bool Segments::WantsSpare() const {
  return spares_.size() < kSpares &&
         spares_.size() + to_erase_.size() + live_.size() < segments_max_;
}

absl::Status Segments::WaitReady(int count, int64_t timeout_micros) {
  const int64_t deadline = DeadlineAfter(timeout_micros);
  MutexLock lock(mutex_);
  while (static_cast<int>(spares_.size()) - reserved_ < count) {
    if (waiting_stopped_) {
      return absl::FailedPreconditionError("the log is being closed");
    }
    const int64_t left = deadline - Clock::System().MonotonicMicros();
    if (left <= 0) {
      if (!prepare_status_.ok()) {
        return absl::ResourceExhaustedError(
            absl::StrCat("the log cannot grow: ", prepare_status_.message()));
      }
      return absl::ResourceExhaustedError(absl::StrCat(
          "the log has ", live_.size(), " segments of ", options_.segment_bytes,
          " bytes, allowed are ", segments_max_,
          " with spares; waiting for a checkpoint"));
    }
    changed_.WaitFor(mutex_, left);
  }
  return absl::OkStatus();
}

bool Segments::Reserve() {
  MutexLock lock(mutex_);
  if (static_cast<int>(spares_.size()) == reserved_) return false;
  ++reserved_;
  return true;
}

void Segments::StopWaiting() {
  {
    MutexLock lock(mutex_);
    waiting_stopped_ = true;
  }
  changed_.NotifyAll();
}

void Segments::PrepareLoop() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    const int64_t until_retry =
        erase_retry_micros_ - Clock::System().MonotonicMicros();
    // First: someone waits for it. One that fails must not keep writers
    // waiting.
    if (!to_erase_.empty() && until_retry <= 0) {
      EraseOne();
    } else if (WantsSpare()) {
      MakeSpare();
    } else if (!to_erase_.empty()) {
      changed_.WaitFor(mutex_, until_retry);
    } else {
      changed_.Wait(mutex_);
    }
  }
}

void Segments::MakeSpare() {
  const std::string name = absl::StrCat(kSparePrefix, next_spare_++);
  mutex_.Unlock();
  const absl::Status status =
      directory_->CreateZeroed(name, options_.segment_bytes).status();
  if (!status.ok()) {
    // What was written of it would keep the disk full. That it cannot be
    // removed either is not worth another message.
    directory_->Remove(name).IgnoreError();
  }
  mutex_.Lock();
  prepare_status_ = status;
  if (status.ok()) spares_.push_back({name});
  changed_.NotifyAll();
  if (!status.ok()) changed_.WaitFor(mutex_, kRetryMicros);
}

// Over what is there, so that the blocks of the disk hold nothing else.
absl::Status Segments::ZeroFill(const std::string& name) const {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                          directory_->Open(name, io::OpenMode::kWrite));
  AlignedBuffer zeros(kEraseBytes);
  std::memset(zeros.data(), 0, zeros.size());
  for (uint64_t offset = 0; offset < options_.segment_bytes;) {
    const size_t bytes =
        std::min<uint64_t>(zeros.size(), options_.segment_bytes - offset);
    ENGRAM_RETURN_IF_ERROR(
        file->Write(offset, absl::MakeConstSpan(zeros.data(), bytes)));
    offset += bytes;
  }
  return file->Sync();
}

void Segments::EraseOne() {
  const std::string name = to_erase_.front();
  const bool keep = spares_.size() < kSparesKept;
  mutex_.Unlock();
  absl::Status status = ZeroFill(name);
  const bool zeroed = status.ok();
  bool gone = false;
  if (!zeroed || !keep) {
    // A file that is gone holds nothing either.
    status = directory_->Remove(name);
    gone = status.ok() || absl::IsNotFound(status);
    if (gone) status = directory_->Sync();
  }
  // With zeros in it, it may stay, or be back after a power cut.
  if (zeroed) status = absl::OkStatus();
  mutex_.Lock();
  erase_status_ = status;
  to_erase_.pop_front();
  if (!status.ok()) {
    to_erase_.push_back(name);
    erase_retry_micros_ = Clock::System().MonotonicMicros() + kRetryMicros;
  } else if (!gone) {
    spares_.push_back({name});
  }
  changed_.NotifyAll();
}

void Segments::StartErasing() {
  {
    MutexLock lock(mutex_);
    ++erasing_;
    // Those that are taken next stay, for who has reserved them.
    std::stable_partition(spares_.begin(), spares_.end(),
                          [](const Spare& spare) { return !spare.used; });
    while (static_cast<int>(spares_.size()) > reserved_ &&
           spares_.back().used) {
      to_erase_.push_back(std::move(spares_.back().name));
      spares_.pop_back();
    }
  }
  changed_.NotifyAll();
}

void Segments::StopErasing() {
  MutexLock lock(mutex_);
  --erasing_;
}

absl::Status Segments::WaitErased(int64_t timeout_micros) {
  const int64_t deadline = DeadlineAfter(timeout_micros);
  MutexLock lock(mutex_);
  // What others add later is not waited for.
  const std::set<std::string> mine(to_erase_.begin(), to_erase_.end());
  const auto is_left = [&mine](const std::string& name) {
    return mine.contains(name);
  };
  while (std::any_of(to_erase_.begin(), to_erase_.end(), is_left)) {
    if (waiting_stopped_) {
      return absl::FailedPreconditionError("the log is being closed");
    }
    const int64_t left = deadline - Clock::System().MonotonicMicros();
    if (left <= 0) {
      return absl::DeadlineExceededError(absl::StrCat(
          to_erase_.size(), " segments of the log are still to be zero-filled",
          erase_status_.ok() ? "" : ": ", erase_status_.message()));
    }
    changed_.WaitFor(mutex_, left);
  }
  return absl::OkStatus();
}

// Both copies.
absl::StatusOr<std::unique_ptr<io::File>> Segments::WriteHeader(
    const std::string& spare, const schema::SegmentHeader& header) {
  ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<io::File> file,
                          directory_->Open(spare, io::OpenMode::kWrite));
  AlignedBuffer blocks(schema::kGroupsOffset);
  schema::EncodeSegmentHeader(header, blocks.data());
  schema::EncodeSegmentHeader(header, blocks.data() + schema::kWalBlockBytes);
  // The file was written in full before, so its size does not change.
  ENGRAM_RETURN_IF_ERROR(
      file->WriteDurable(0, absl::MakeConstSpan(blocks.data(), blocks.size())));
  return file;
}

absl::StatusOr<std::unique_ptr<io::File>> Segments::Take(
    const schema::SegmentHeader& header) {
  if (header.number > schema::kWalNumberMax) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory_->path(), ": the log would go on in segment ", header.number,
        ", allowed are up to ", schema::kWalNumberMax,
        "; a file that is none of the log's may have that number"));
  }
  std::string spare;
  {
    MutexLock lock(mutex_);
    // Appends are admitted only while a spare is ready, so this waits at most
    // when the log is opened. There, failing to make one is final.
    while (spares_.empty() && prepare_status_.ok() && WantsSpare()) {
      changed_.Wait(mutex_);
    }
    if (spares_.empty()) {
      if (!prepare_status_.ok()) return prepare_status_;
      return absl::ResourceExhaustedError(
          absl::StrCat("the log has ", live_.size(),
                       " segments and its limit allows ", segments_max_));
    }
    // One that holds what was logged once, if there is any: see StartErasing().
    const auto used = std::find_if(spares_.begin(), spares_.end(),
                                   [](const Spare& s) { return s.used; });
    const auto taken = used != spares_.end() ? used : spares_.end() - 1;
    spare = taken->name;
    spares_.erase(taken);
    if (reserved_ > 0) --reserved_;
    live_.push_back(header.number);
  }
  changed_.NotifyAll();

  absl::StatusOr<std::unique_ptr<io::File>> written =
      WriteHeader(spare, header);
  if (!written.ok()) {
    // The next owner would try the same file. It is no segment yet.
    directory_->Remove(spare).IgnoreError();
    return written.status();
  }
  std::unique_ptr<io::File> file = *std::move(written);
  const std::string name = SegmentFileName(header.number);
  ENGRAM_RETURN_IF_ERROR(directory_->Rename(spare, name));
  file->set_path(absl::StrCat(directory_->path(), "/", name));
  if constexpr (Mutant("skip_directory_sync")) return file;
  ENGRAM_RETURN_IF_ERROR(directory_->Sync());
  return file;
}

absl::Status Segments::Recycle(uint64_t number) {
  const std::string name = SegmentFileName(number);
  bool keep = false;
  std::string spare;
  {
    MutexLock lock(mutex_);
    const bool live =
        std::find(live_.begin(), live_.end(), number) != live_.end();
    // Tried before: only the sync is left to do.
    if (!live) return directory_->Sync();
    keep = spares_.size() < kSparesKept || erasing_ > 0;
    if (keep) spare = absl::StrCat(kSparePrefix, next_spare_++);
  }
  std::unique_ptr<io::File> file;  // open until it has another name
  if (keep) {
    ENGRAM_ASSIGN_OR_RETURN(file, directory_->Open(name, io::OpenMode::kRead));
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t bytes, file->Size());
    const bool held = file->IsHeldForReading();
    MutexLock lock(mutex_);
    // A file of another size, from an owner with other options, is no spare.
    // One that a reader has open is what that reader needs; but where something
    // is erased, the reader has to start over.
    keep = bytes == options_.segment_bytes && (erasing_ > 0 || !held);
  }
  ENGRAM_RETURN_IF_ERROR(keep ? directory_->Rename(name, spare)
                              : directory_->Remove(name));
  // The name is gone, whatever becomes of the sync.
  const absl::Status status = directory_->Sync();
  {
    MutexLock lock(mutex_);
    live_.erase(std::find(live_.begin(), live_.end(), number));
    if (keep && erasing_ > 0) {
      to_erase_.push_back(spare);
    } else if (keep) {
      spares_.push_back({spare, /*used=*/true});
    }
  }
  changed_.NotifyAll();
  return status;
}

absl::StatusOr<std::unique_ptr<io::File>> Segments::OpenForWrite(
    uint64_t number) {
  return directory_->Open(SegmentFileName(number), io::OpenMode::kWrite);
}

size_t Segments::live_count() const {
  MutexLock lock(mutex_);
  return live_.size();
}

std::vector<uint64_t> Segments::live() const {
  MutexLock lock(mutex_);
  std::vector<uint64_t> numbers = live_;
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace engram::wal

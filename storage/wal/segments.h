// The segment files of the log: made ahead of time, taken, recycled.

#ifndef ENGRAM_STORAGE_WAL_SEGMENTS_H_
#define ENGRAM_STORAGE_WAL_SEGMENTS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/wal_layout.h"
#include "storage/base/mutex.h"
#include "storage/io/directory.h"

namespace engram::wal {

// The name of a segment's file, and the number in such a name (0: another
// file).
std::string SegmentFileName(uint64_t number);
uint64_t SegmentFileNumber(absl::string_view name);
bool IsSpareFileName(absl::string_view name);

struct SegmentsOptions {
  uint64_t segment_bytes = 0;
  uint64_t segments_max = 0;  // live ones and spares together
};

// Keeps kSpares zero-filled files ready, so that no append ever waits for the
// file system to allocate, and none that was accepted can find the disk full.
//
// Thread safety: all methods may be called concurrently.
class Segments {
 public:
  static constexpr int kSpares = 2;

  // Of segments that are given back, this many are kept as spares: those that a
  // checkpoint frees by default, and kSpares. With fewer, each segment of a log
  // that is written fast would be zero-filled anew, which takes as much of the
  // disk as the log itself (measured: 1.4 GB/s in place of 2.5).
  static constexpr int kSparesKept = 6;

  // `directory` outlives the object. `live` are the segments that recovery
  // found. Spares that an earlier owner left serve again, as ones that may hold
  // what was logged once, if they have the size of a segment and no holes. The
  // others are removed. More are made meanwhile.
  static absl::StatusOr<std::unique_ptr<Segments>> Open(
      io::Directory* directory, const SegmentsOptions& options,
      absl::Span<const uint64_t> live);

  ~Segments();

  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;

  // Number of spares, reserved ones included.
  int ready() const;

  // Waits until there are `count` spares that nobody has reserved.
  // RESOURCE_EXHAUSTED after `timeout_micros`: the disk is full, or the log has
  // reached its limit; the message says which.
  absl::Status WaitReady(int count, int64_t timeout_micros);

  // Reserves a spare for a Take() to come; false if there is none.
  bool Reserve();

  // WaitReady() and WaitErased() then fail with FAILED_PRECONDITION instead of
  // waiting.
  void StopWaiting();

  // Turns a spare into the segment that `header` describes: writes and syncs
  // its header blocks, renames it, syncs the folder. Uses up a reservation if
  // there is any; else waits for a spare if there is none yet.
  absl::StatusOr<std::unique_ptr<io::File>> Take(
      const schema::SegmentHeader& header);

  // Gives back a segment that is no longer needed: it becomes a spare, or is
  // removed where there are enough. If that fails, it stays in use.
  absl::Status Recycle(uint64_t number);

  // From now on, and until as many StopErasing(), what is given back is
  // zero-filled before it is a spare. So are the spares that hold what was
  // logged once; those of them that are reserved are the next ones to be taken.
  void StartErasing();
  void StopErasing();

  // Waits until nothing is left of what is to be zero-filled now.
  // DEADLINE_EXCEEDED after `timeout_micros`; the message says what stands in
  // the way, if anything does. FAILED_PRECONDITION after StopWaiting().
  absl::Status WaitErased(int64_t timeout_micros);

  // Opens a segment that is in use, to write to it.
  absl::StatusOr<std::unique_ptr<io::File>> OpenForWrite(uint64_t number);

  size_t live_count() const;

  uint64_t segment_bytes() const { return options_.segment_bytes; }

  // Segments that are in use, in ascending order.
  std::vector<uint64_t> live() const;

 private:
  Segments(io::Directory* directory, const SegmentsOptions& options);

  struct Spare {
    std::string name;
    bool used = false;  // may hold what was logged once
  };

  void PrepareLoop();
  void MakeSpare() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AdoptLeftovers();
  bool IsWhole(const std::string& name) const;
  absl::StatusOr<std::unique_ptr<io::File>> WriteHeader(
      const std::string& spare, const schema::SegmentHeader& header);
  absl::Status ZeroFill(const std::string& name) const;
  bool WantsSpare() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  io::Directory* const directory_;
  const SegmentsOptions options_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Spare> spares_ ABSL_GUARDED_BY(mutex_);
  // Files to be zero-filled; the preparer works on the first one.
  std::deque<std::string> to_erase_ ABSL_GUARDED_BY(mutex_);
  int64_t erase_retry_micros_ ABSL_GUARDED_BY(mutex_) = 0;  // not before
  int erasing_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status erase_status_ ABSL_GUARDED_BY(mutex_);  // of the last try
  int reserved_ ABSL_GUARDED_BY(mutex_) = 0;           // at most spares_.size()
  std::vector<uint64_t> live_ ABSL_GUARDED_BY(mutex_);
  absl::Status prepare_status_ ABSL_GUARDED_BY(mutex_);
  uint64_t segments_max_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t next_spare_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread preparer_;
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_SEGMENTS_H_

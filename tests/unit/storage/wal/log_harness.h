// What the tests of the log share: a log that can be opened, killed, damaged
// and read again.

#ifndef ENGRAM_TESTS_UNIT_STORAGE_WAL_LOG_HARNESS_H_
#define ENGRAM_TESTS_UNIT_STORAGE_WAL_LOG_HARNESS_H_

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/base/mutex.h"
#include "storage/io/directory.h"
#include "storage/wal/reader.h"
#include "storage/wal/segments.h"
#include "storage/wal/writer.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {

inline constexpr schema::DatabaseId kDatabase = {{1, 2, 3}};
inline constexpr uint64_t kSegmentBytes = uint64_t{256} << 10;
inline constexpr int64_t kNoWait = 0;
inline constexpr int64_t kLongMicros = 60'000'000;

struct LoggedRecord {
  Lsn lsn = 0;
  std::string payload;

  friend bool operator==(const LoggedRecord&, const LoggedRecord&) = default;
};

// An observation with this payload.
schema::RecordDraft DraftOf(const std::string& payload);

// Of the segment with this number, the first in the log.
schema::SegmentHeader HeaderOf(uint64_t number);

// Keeps what it is given; fails the test if LSNs do not rise one by one.
class RecordingSink final : public GroupSink {
 public:
  void Publish(const std::shared_ptr<const Group>& group) override;
  void OnDurable(Lsn lsn) override;
  bool IsBusy() const override { return busy_; }

  void set_busy(bool busy) { busy_ = busy; }

  void OnCalledBack() override { ++called_back_; }
  int called_back() const { return called_back_; }

  Lsn last_lsn() const;
  std::vector<LoggedRecord> records() const;

 private:
  std::atomic<bool> busy_{false};
  std::atomic<int> called_back_{0};
  mutable Mutex mutex_;
  std::vector<LoggedRecord> records_ ABSL_GUARDED_BY(mutex_);
};

struct Recovered {
  RecoveredLog log;
  std::vector<LoggedRecord> records;
};

absl::StatusOr<Recovered> RecoverAll(io::Directory* directory,
                                     RecoveryOptions options = {});

// A group as it stands in a segment file.
struct PlacedGroup {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  schema::GroupHeader header = {};
  bool marker = false;
};

// The intact groups at the start of a segment.
std::vector<PlacedGroup> GroupsOf(io::Directory* directory, uint64_t segment);

// A log that is open.
class OpenLog {
 public:
  struct Options {
    uint64_t segments_max = 1000;
    QueueChoice queue = QueueChoice::kPwrite;
    RecoveryOptions recovery;
    QueueFactory create_queue;            // in place of `queue`
    int64_t gather_micros = kLongMicros;  // matters while the sink is busy
  };

  // Recovers what is in `directory` and goes on behind it.
  static absl::StatusOr<std::unique_ptr<OpenLog>> Open(io::Directory* directory,
                                                       Options options);
  static absl::StatusOr<std::unique_ptr<OpenLog>> Open(
      io::Directory* directory) {
    return Open(directory, Options());
  }

  // One append, so one group at least in part.
  absl::StatusOr<Lsn> Append(const std::vector<std::string>& payloads,
                             int64_t room_timeout_micros = kLongMicros);

  // Waits until the idle marker of the last group has been written.
  void WaitIdle();

  Writer& writer() { return *writer_; }
  Segments& segments() { return *segments_; }
  RecordingSink& sink() { return sink_; }
  const Recovered& recovered() const { return recovered_; }

 private:
  OpenLog() = default;

  RecordingSink sink_;
  Recovered recovered_;
  std::unique_ptr<Segments> segments_;
  std::unique_ptr<Writer> writer_;  // before segments_ goes
  io::Directory* directory_ = nullptr;
};

// Writes groups of one record each, closes the log and returns the records.
std::vector<LoggedRecord> WriteClosedLog(io::Directory* directory, int groups,
                                         size_t payload_bytes);

}  // namespace engram::wal

#endif  // ENGRAM_TESTS_UNIT_STORAGE_WAL_LOG_HARNESS_H_

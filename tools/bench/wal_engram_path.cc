#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "schema/wal_codec.h"
#include "storage/base/check.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "storage/io/posix_directory.h"
#include "storage/wal/segments.h"
#include "storage/wal/writer.h"
#include "tools/bench/stopwatch.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {
namespace {

constexpr uint64_t kSegmentBytes = uint64_t{64} << 20;
constexpr uint64_t kSegmentsMax = 8;
constexpr int64_t kRoomTimeoutMicros = 60'000'000;

// How often segments are given back; at 2.6 GB/s one lasts 25 ms.
constexpr auto kRecycleInterval = std::chrono::milliseconds(2);

// After as many segments each file has been written at least twice.
constexpr uint64_t kWarmUpSegments = 4;

class NoSink final : public wal::GroupSink {
 public:
  void Publish(const std::shared_ptr<const wal::Group>&) override {}
  void OnDurable(Lsn) override {}
};

// An observation that takes exactly so many bytes in the log.
class SampleRecord {
 public:
  explicit SampleRecord(size_t bytes)
      : vector_((bytes - kOtherBytes) / sizeof(float) / 8 * 8, 0.5f),
        payload_(kPayloadMin, 'p') {
    draft_.space_id = 1;
    draft_.id = "observation-id-1";
    draft_.vector = vector_;
    draft_.payload = payload_;
    payload_.resize(payload_.size() + bytes - schema::RecordBytes(draft_), 'p');
    draft_.payload = payload_;
    ENGRAM_CHECK(schema::RecordBytes(draft_) ==
                 schema::RoundUp(bytes, schema::kRecordAlignment));
  }

  const schema::RecordDraft& draft() const { return draft_; }

 private:
  // Headers, id, and a payload at least so long.
  static constexpr size_t kPayloadMin = 8;
  static constexpr size_t kOtherBytes = sizeof(schema::RecordHeader) +
                                        sizeof(schema::ObserveBody) + 16 +
                                        kPayloadMin;

  std::vector<float> vector_;
  std::string payload_;
  schema::RecordDraft draft_;
};

// Lets so many appends of one thread be under way, and keeps how long each of
// them took. Callbacks come in the order of the appends, one at a time.
class Window {
 public:
  explicit Window(size_t places) : began_s_(places) {}

  // Waits for a place.
  void Enter() {
    WaitFor(began_s_.size() - 1);
    began_s_[entered_.load(std::memory_order_relaxed) % began_s_.size()] =
        SecondsOf(CLOCK_MONOTONIC);
    // Released to Leave(), which reads when it began.
    entered_.fetch_add(1, std::memory_order_release);
  }

  // What entered last was not appended.
  void Withdraw() { entered_.fetch_sub(1, std::memory_order_relaxed); }

  void Leave(const absl::Status& status) {
    status_.Update(status);
    const uint64_t left = left_.load(std::memory_order_relaxed);
    const uint64_t under_way =
        entered_.load(std::memory_order_acquire) - left - 1;
    ack_us_.push_back(static_cast<float>(
        (SecondsOf(CLOCK_MONOTONIC) - began_s_[left % began_s_.size()]) * 1e6));
    // Released to Enter() and WaitEmpty(), which use what was written here.
    left_.store(left + 1, std::memory_order_release);
    // Half of the window at once: a thread that is woken for each place costs
    // more than the append.
    if (under_way == 0 || under_way == began_s_.size() / 2) left_.notify_one();
  }

  absl::StatusOr<std::vector<float>> WaitEmpty() {
    WaitFor(0);
    if (!status_.ok()) return status_;
    return std::move(ack_us_);
  }

 private:
  // Until at most `under_way_max` appends are under way.
  void WaitFor(uint64_t under_way_max) const {
    const uint64_t entered = entered_.load(std::memory_order_relaxed);
    uint64_t left = left_.load(std::memory_order_acquire);
    while (entered - left > under_way_max) {
      left_.wait(left, std::memory_order_acquire);
      left = left_.load(std::memory_order_acquire);
    }
  }

  std::vector<double> began_s_;
  std::atomic<uint64_t> entered_{0};  // written by the appending thread
  std::atomic<uint64_t> left_{0};     // written by the callbacks
  std::vector<float> ack_us_;         // of the callbacks, until all have left
  absl::Status status_;               // likewise
};

// A log of its own, whose segments are given back as soon as they are full.
class OpenLog {
 public:
  static absl::StatusOr<std::unique_ptr<OpenLog>> Open(
      const std::string& folder, wal::QueueChoice queue) {
    std::unique_ptr<OpenLog> log(new OpenLog);
    ENGRAM_ASSIGN_OR_RETURN(log->directory_,
                            io::OpenPosixDirectory(folder, /*create=*/true));
    wal::SegmentsOptions segments_options;
    segments_options.segment_bytes = kSegmentBytes;
    segments_options.segments_max = kSegmentsMax;
    ENGRAM_ASSIGN_OR_RETURN(
        log->segments_,
        wal::Segments::Open(log->directory_.get(), segments_options, {}));
    wal::WriterOptions options;
    options.database_id = {{1}};
    options.segment_bytes = kSegmentBytes;
    options.queue = queue;
    ENGRAM_ASSIGN_OR_RETURN(
        log->writer_,
        wal::Writer::Open(options, {}, log->segments_.get(), &log->sink_));
    log->recycler_ = std::thread([l = log.get()] { l->RecycleLoop(); });
    ENGRAM_RETURN_IF_ERROR(log->WarmUp());
    return log;
  }

  ~OpenLog() {
    stop_.store(true, std::memory_order_relaxed);
    if (recycler_.joinable()) recycler_.join();
  }

  wal::Writer& writer() { return *writer_; }

 private:
  OpenLog() = default;

  void RecycleLoop() {
    while (!stop_.load(std::memory_order_relaxed)) {
      // A failure shows when there is no room left.
      writer_->Recycle(writer_->durable_lsn()).IgnoreError();
      std::this_thread::sleep_for(kRecycleInterval);
    }
  }

  absl::Status WarmUp() {
    const SampleRecord record(4096);
    const std::vector<schema::RecordDraft> drafts(256, record.draft());
    while (writer_->GetStats().current_segment <= kWarmUpSegments) {
      ENGRAM_RETURN_IF_ERROR(
          writer_->Append(drafts, kRoomTimeoutMicros).status());
    }
    return segments_->WaitReady(wal::Segments::kSpares, kRoomTimeoutMicros);
  }

  NoSink sink_;
  std::unique_ptr<io::Directory> directory_;
  std::unique_ptr<wal::Segments> segments_;
  std::unique_ptr<wal::Writer> writer_;
  std::atomic<bool> stop_{false};  // relaxed: only asked to end
  std::thread recycler_;
};

class EngramPath final : public WalPath {
 public:
  EngramPath(bool uring, std::string folder)
      : uring_(uring), folder_(std::move(folder)) {}

  const char* name() const override {
    return uring_ ? kEngramUring : kEngramPwrite;
  }
  bool Supports(const WalSetting&) const override { return true; }

  absl::StatusOr<WalResult> Run(const WalSetting& setting) override {
    if (log_ == nullptr) {
      ENGRAM_ASSIGN_OR_RETURN(
          log_, OpenLog::Open(folder_, uring_ ? wal::QueueChoice::kUring
                                              : wal::QueueChoice::kPwrite));
    }
    const SampleRecord record(static_cast<size_t>(setting.record_bytes));
    if (setting.window > 0) return RunWindow(setting, record);
    return RunAppenders(setting, [&](int) {
      return log_->writer()
          .Append(absl::MakeConstSpan(&record.draft(), 1), kRoomTimeoutMicros)
          .status();
    });
  }

 private:
  absl::StatusOr<WalResult> RunWindow(const WalSetting& setting,
                                      const SampleRecord& record) {
    Window window(static_cast<size_t>(setting.window));
    WalResult result;
    absl::Status status;
    const Stopwatch stopwatch;
    while (status.ok() && stopwatch.ReadWall() < setting.seconds) {
      window.Enter();
      status = log_->writer()
                   .AppendAsync(absl::MakeConstSpan(&record.draft(), 1),
                                kRoomTimeoutMicros, wal::Durability::kSync,
                                [&window](Lsn, const absl::Status& ended) {
                                  window.Leave(ended);
                                })
                   .status();
      if (!status.ok()) window.Withdraw();
    }
    ENGRAM_ASSIGN_OR_RETURN(result.ack_us, window.WaitEmpty());
    ENGRAM_RETURN_IF_ERROR(status);
    result.seconds = stopwatch.ReadWall();
    result.records = result.ack_us.size();
    return result;
  }

  const bool uring_;
  const std::string folder_;
  std::unique_ptr<OpenLog> log_;
};

}  // namespace

std::unique_ptr<WalPath> NewEngramPath(bool uring, const std::string& folder) {
  return std::make_unique<EngramPath>(uring, folder);
}

}  // namespace engram::bench

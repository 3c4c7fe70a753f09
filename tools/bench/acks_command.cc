#include "tools/bench/acks_command.h"

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "tools/bench/dataset.h"
#include "tools/bench/noisy_rows.h"
#include "tools/bench/patience.h"
#include "tools/bench/run_header.h"
#include "tools/bench/samples.h"
#include "tools/bench/scratch_folder.h"

namespace engram::bench {
namespace {

constexpr absl::Duration kSettling = absl::Seconds(2);
constexpr size_t kFillBatch = 256;
constexpr uint64_t kSavedBytes = uint64_t{32} << 20;
constexpr int kWriters[] = {1, 8};
// So small that indexing them takes nothing from what is measured.
constexpr uint32_t kSmallDimension = 16;
constexpr int kSmallIds = 500;  // of each writer

// Threads that write to `space` at their rate until they are stopped.
class Writers {
 public:
  Writers(Space space, int count, uint32_t rate) : space_(std::move(space)) {
    for (int number = 0; number < count; ++number) {
      threads_.emplace_back([this, number, rate] { Write(number, rate); });
    }
  }

  ~Writers() { Join(); }

  // Adds what they waited for.
  absl::Status Stop(std::vector<double>* ack_micros) {
    Join();
    MutexLock lock(mutex_);
    ack_micros->insert(ack_micros->end(), ack_micros_.begin(),
                       ack_micros_.end());
    return status_;
  }

 private:
  void Join() {
    // Relaxed: the threads are joined before anything else is looked at.
    stop_.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  // A write that comes late because of the one before it waits since it was to
  // come.
  void Write(int number, uint32_t rate) {
    const std::vector<float> vector(kSmallDimension,
                                    static_cast<float>(number + 1));
    std::vector<double> micros;
    absl::Status status;
    absl::Time due = absl::Now();
    for (int i = 0; !stop_.load(std::memory_order_relaxed); ++i) {
      absl::Time begin = due;
      if (absl::Now() < due) {
        absl::SleepFor(due - absl::Now());
        begin = absl::Now();
      }
      const std::string id = absl::StrCat(number, "-", i % kSmallIds);
      status.Update(space_.Observe({id, vector, ""}).status());
      if (!status.ok()) break;
      micros.push_back(absl::ToDoubleMicroseconds(absl::Now() - begin));
      due += absl::Seconds(1) / rate;
    }
    MutexLock lock(mutex_);
    status_.Update(status);
    ack_micros_.insert(ack_micros_.end(), micros.begin(), micros.end());
  }

  Space space_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::vector<double> ack_micros_ ABSL_GUARDED_BY(mutex_);
};

class AcksMeasurement {
 public:
  AcksMeasurement(const AcksOptions& options, const Dataset& dataset,
                  ScratchFolder* scratch)
      : options_(options),
        dimension_(dataset.base.dimension()),
        rows_(dataset.base, options.seed),
        path_(scratch->Next()) {}

  absl::Status Run() {
    ENGRAM_RETURN_IF_ERROR(Open());
    ENGRAM_RETURN_IF_ERROR(Fill(options_.observations));
    for (const int writers : kWriters) {
      ENGRAM_RETURN_IF_ERROR(MeasureQuiet(writers));
      ENGRAM_RETURN_IF_ERROR(MeasureCheckpoints(writers));
      ENGRAM_RETURN_IF_ERROR(Measure("compaction of all", writers, 1,
                                     [this] { return db_->Compact(); }));
    }
    for (const std::string& line : AcksTable(done_)) {
      if (!options_.json) PrintLine(line);
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Open() {
    Options options;
    // Nothing is saved but when it is asked for.
    options.checkpoint_wal_bytes = uint64_t{1} << 40;
    options.checkpoint_interval = absl::InfiniteDuration();
    options.recovery_time_target = absl::InfiniteDuration();
    options.wal_limit_bytes = uint64_t{16} << 30;
    options.checkpoint_bytes_per_second = options_.limit;
    ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, options));
    SpaceOptions space_options;
    space_options.dimension = dimension_;
    space_options.metric = options_.metric;
    ENGRAM_ASSIGN_OR_RETURN(large_, db_->OpenSpace("large", space_options));
    space_options.dimension = kSmallDimension;
    ENGRAM_ASSIGN_OR_RETURN(small_, db_->OpenSpace("small", space_options));
    return absl::OkStatus();
  }

  absl::Status Fill(uint64_t records) {
    WriteOptions write;
    write.admission_timeout = kPatience;
    Lsn last = 0;
    for (uint64_t written = 0; written < records;) {
      WriteBatch batch;
      for (size_t i = 0; i < kFillBatch && written < records; ++i, ++written) {
        const std::string id = absl::StrCat("observation-", ids_++);
        batch.Observe(large_,
                      {.id = id, .vector = rows_.Next(), .payload = {}});
      }
      ENGRAM_ASSIGN_OR_RETURN(last, db_->Write(batch, write));
    }
    return db_->Wait(last, Stage::kIndexed, kPatience);
  }

  absl::Status MeasureQuiet(int writers) {
    // What was written before goes to the disk meanwhile.
    absl::SleepFor(kSettling);
    return Measure("nothing", writers, 1, [this] {
      absl::SleepFor(absl::Seconds(options_.seconds));
      return absl::OkStatus();
    });
  }

  absl::Status MeasureCheckpoints(int writers) {
    const auto checkpoint = [this] { return db_->Checkpoint(); };
    if (writers == kWriters[0]) {
      // All of it, for which there is one chance.
      ENGRAM_RETURN_IF_ERROR(
          Measure("checkpoint of all", kWriters[1], 1, checkpoint));
    }
    return Measure("checkpoint of 32 MiB", writers, options_.runs, checkpoint,
                   kSavedBytes / (dimension_ * sizeof(float)));
  }

  // Each run begins with so many observations of the large space.
  absl::Status Measure(const std::string& name, int writers, int runs,
                       const std::function<absl::Status()>& call,
                       uint64_t observations = 0) {
    AcksRow row;
    row.name = name;
    row.writers = writers;
    std::vector<double> millis;
    for (int run = 0; run < runs; ++run) {
      ENGRAM_RETURN_IF_ERROR(Fill(observations));
      Writers threads(small_, writers, options_.rate);
      const absl::Time begin = absl::Now();
      ENGRAM_RETURN_IF_ERROR(call());
      millis.push_back(absl::ToDoubleMilliseconds(absl::Now() - begin));
      ENGRAM_RETURN_IF_ERROR(threads.Stop(&row.ack_micros));
    }
    row.millis = Median(millis);
    if (options_.json) PrintLine(AcksRowJson(row));
    done_.push_back(std::move(row));
    return absl::OkStatus();
  }

  const AcksOptions& options_;
  const uint32_t dimension_;
  NoisyRows rows_;
  const std::string path_;
  std::unique_ptr<Db> db_;
  Space large_;
  Space small_;
  uint64_t ids_ = 0;
  std::vector<AcksRow> done_;
};

}  // namespace

absl::Status RunAcksCommand(const AcksOptions& options) {
  // Before any thread is started.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(const Dataset dataset,
                          LoadVectors(options.dataset, options.metric, 0));
  PrintRunHeader(
      options.json, options.commit, dataset,
      {{"observations", options.observations},
       {"rate", options.rate},
       {"limit", options.limit},
       {"runs", options.runs},
       {"seed", options.seed}},
      absl::StrFormat("%d observations, %d writes/s of each writer, limit %d "
                      "bytes/s, seed %d\n",
                      options.observations, options.rate, options.limit,
                      options.seed));
  return AcksMeasurement(options, dataset, scratch.get()).Run();
}

}  // namespace engram::bench

#include "tools/bench/concurrent_measure.h"

#include <atomic>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

constexpr uint32_t kReaderEf = 64;
// What is acknowledged and not yet linked, a search scans: a writer that ran
// ahead as far as it is allowed to would measure that scan.
constexpr size_t kBatchesAhead = 2;

constexpr char kAlone[] = "inserts_per_cpu_s";
constexpr char kWithReader[] = "inserts_per_cpu_s_with_reader";
constexpr char kSlowdown[] = "writer_slowdown";
constexpr char kReaderQps[] = "reader_qps";

// Searches from when it is made until Stop().
class Reader {
 public:
  Reader(Subject& subject, const Matrix& queries)
      : thread_([this, &subject, &queries] { Run(subject, queries); }) {}

  ~Reader() { Stop().IgnoreError(); }

  // The first failure of a search, if any.
  absl::Status Stop() {
    if (thread_.joinable()) {
      stopping_.store(true, std::memory_order_relaxed);
      thread_.join();
    }
    return status_;
  }

  // To be called after Stop().
  double cpu_s() const { return cpu_s_; }
  size_t searches() const { return searches_; }

 private:
  void Run(Subject& subject, const Matrix& queries) {
    std::vector<Found> found;
    while (!stopping_.load(std::memory_order_relaxed) && status_.ok()) {
      status_ = subject.Search(queries.row(searches_ % queries.count()),
                               kReaderEf, &found);
      if (status_.ok()) ++searches_;
    }
    cpu_s_ = ThreadCpuSeconds();
  }

  // Relaxed: carries nothing; join() orders the rest.
  std::atomic<bool> stopping_{false};
  absl::Status status_;
  size_t searches_ = 0;
  double cpu_s_ = 0;
  std::thread thread_;  // last: begins when all of the above is there
};

struct BuildOutcome {
  double writer_cpu_s = 0;
  double reader_cpu_s = 0;
  size_t searches = 0;
};

absl::StatusOr<BuildOutcome> MeasureBuild(const Setting& setting,
                                          bool with_reader) {
  const Matrix& base = setting.dataset.base;
  const absl::Span<const Item> items = setting.order;
  const size_t half = items.size() / 2;
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<EngramSubject> engram,
                          MakeEngram(setting, items.size()));
  ENGRAM_RETURN_IF_ERROR(engram->Insert(base, items.first(half)));
  BuildOutcome outcome;
  const Stopwatch watch;
  std::unique_ptr<Reader> reader;
  if (with_reader) {
    reader = std::make_unique<Reader>(*engram, setting.dataset.queries);
  }
  ENGRAM_RETURN_IF_ERROR(
      engram->InsertPaced(base, items.subspan(half), kBatchesAhead));
  if (reader != nullptr) {
    ENGRAM_RETURN_IF_ERROR(reader->Stop());
    outcome.reader_cpu_s = reader->cpu_s();
    outcome.searches = reader->searches();
  }
  // Of Engram's threads nothing is known from outside but what is left.
  outcome.writer_cpu_s = watch.Read().cpu_s - outcome.reader_cpu_s;
  return outcome;
}

}  // namespace

absl::Status MeasureConcurrent(const Setting& setting) {
  const AllCores all(setting.pin);
  const auto count =
      static_cast<double>(setting.order.size() - setting.order.size() / 2);
  Samples samples;
  for (int run = 0; run < setting.options.runs; ++run) {
    setting.report.Progress(absl::StrCat("writer and reader, run ", run + 1));
    ENGRAM_ASSIGN_OR_RETURN(const BuildOutcome alone,
                            MeasureBuild(setting, false));
    ENGRAM_ASSIGN_OR_RETURN(const BuildOutcome both,
                            MeasureBuild(setting, true));
    samples.Add(run, kEngram, kAlone, count / alone.writer_cpu_s);
    samples.Add(run, kEngram, kWithReader, count / both.writer_cpu_s);
    samples.Add(run, kEngram, kSlowdown,
                both.writer_cpu_s / alone.writer_cpu_s);
    samples.Add(run, kEngram, kReaderQps,
                static_cast<double>(both.searches) / both.reader_cpu_s);
  }
  Json row = RowOf(setting, kConcurrent, kEngram);
  row["ef"] = kReaderEf;
  for (const char* const key : {kAlone, kWithReader, kSlowdown, kReaderQps}) {
    SetIfAny(&row, key, samples.MedianOf(kEngram, key));
  }
  setting.report.Rows({row});
  if (!setting.peers.empty()) {
    setting.report.Note(
        "(the peers declare searches beside inserts unsafe: not measured)");
  }
  return absl::OkStatus();
}

}  // namespace engram::bench

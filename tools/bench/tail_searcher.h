// Searches of a space whose tail is full.

#ifndef ENGRAM_TOOLS_BENCH_TAIL_SEARCHER_H_
#define ENGRAM_TOOLS_BENCH_TAIL_SEARCHER_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/ingest_report.h"
#include "tools/bench/ingest_spaces.h"

namespace engram::bench {

struct TailSearches {
  TailSearchRow row;
  uint64_t written = 0;  // observations of its own
};

// Every 2 ms writes an observation to the first space, ahead of the load's,
// waits until it is acknowledged, and searches for its vector: it must be
// found at once. Only the search is timed. A thread of its own, from when it
// is made until Stop().
class TailSearcher {
 public:
  // Measures what searches cost before anything waits. Borrows both; `rows`
  // must be used by nobody else meanwhile.
  static absl::StatusOr<std::unique_ptr<TailSearcher>> Create(
      IngestSpaces* spaces, NoisyRows* rows);
  ~TailSearcher();

  TailSearcher(const TailSearcher&) = delete;
  TailSearcher& operator=(const TailSearcher&) = delete;

  // The first call that failed, or what the searches took of a tail that held
  // nine tenths or more of the most that it ever held. Once.
  absl::StatusOr<TailSearches> Stop();

 private:
  struct Sample {
    uint64_t pending = 0;
    float cpu_us = 0;
    bool missed = false;
  };

  TailSearcher(IngestSpaces* spaces, NoisyRows* rows)
      : spaces_(*spaces), rows_(*rows) {}

  absl::Status MeasureIdle();
  absl::Status Probe();
  void Run();

  IngestSpaces& spaces_;
  NoisyRows& rows_;
  double idle_cpu_p50_us_ = 0;
  // Relaxed: publishes nothing.
  std::atomic<bool> stop_{false};
  absl::Status status_;  // of the thread until it has ended, like samples_
  std::vector<Sample> samples_;
  std::thread thread_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_TAIL_SEARCHER_H_

// Searches at a steady, low rate beside a load.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_SEARCHER_H_
#define ENGRAM_TOOLS_BENCH_INGEST_SEARCHER_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/bench/ingest_spaces.h"

namespace engram::bench {

struct IngestSearches {
  std::vector<float> wall_us;
  std::vector<float> cpu_us;
};

// Searches the spaces but the first, each in turn, every 2 ms, from when it is
// made until Stop(). A thread of its own.
class IngestSearcher {
 public:
  // Borrows both; `rows` must be used by nobody else meanwhile.
  IngestSearcher(IngestSpaces* spaces, NoisyRows* rows);
  ~IngestSearcher();

  IngestSearcher(const IngestSearcher&) = delete;
  IngestSearcher& operator=(const IngestSearcher&) = delete;

  // The first search that failed, or what all of them took. Once.
  absl::StatusOr<IngestSearches> Stop();

 private:
  void Run();

  IngestSpaces& spaces_;
  NoisyRows& rows_;
  // Relaxed: publishes nothing.
  std::atomic<bool> stop_{false};
  absl::Status status_;  // of the thread until it has ended, like result_
  IngestSearches result_;
  std::thread thread_;  // last: begins when all of the above is there
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_SEARCHER_H_

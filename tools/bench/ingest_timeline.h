// What a database had done at each tenth of a second of a load.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_TIMELINE_H_
#define ENGRAM_TOOLS_BENCH_INGEST_TIMELINE_H_

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/db.h"

namespace engram::bench {

// Of all records so far. A quantile of a tenth of a second cannot be told from
// those of the whole time that GetStats() has, but a mean follows from sums.
struct IngestDurations {
  uint64_t count = 0;
  double sum_s = 0;
};

struct IngestMoment {
  double s = 0;  // since the load began
  uint64_t accepted = 0;
  uint64_t indexed = 0;
  uint64_t refused = 0;           // writes
  uint64_t pending = 0;           // right now
  IngestDurations acknowledging;  // from the call
  IngestDurations indexing;       // from the call
};

// Looks from when it is made until Stop(). A thread of its own.
class IngestTimeline {
 public:
  // Borrows `db`.
  explicit IngestTimeline(Db* db);
  ~IngestTimeline();

  IngestTimeline(const IngestTimeline&) = delete;
  IngestTimeline& operator=(const IngestTimeline&) = delete;

  // The first error, or what was seen. Once.
  absl::StatusOr<std::vector<IngestMoment>> Stop();

 private:
  void Run();

  Db& db_;
  // Relaxed: publishes nothing.
  std::atomic<bool> stop_{false};
  absl::Status status_;  // of the thread until it has ended, like moments_
  std::vector<IngestMoment> moments_;
  std::thread thread_;  // last: begins when all of the above is there
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_TIMELINE_H_

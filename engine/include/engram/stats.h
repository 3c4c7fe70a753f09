// What a database and a space say of themselves.

#ifndef ENGRAM_STATS_H_
#define ENGRAM_STATS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engram/options.h"

namespace engram {

// Writes that were refused with RESOURCE_EXHAUSTED, by what was full; see
// RefusalCause.
struct RefusedWrites {
  uint64_t space_records = 0;
  uint64_t space_bytes = 0;
  uint64_t total_records = 0;
  uint64_t total_bytes = 0;
  uint64_t log = 0;
  uint64_t async_writes = 0;
  uint64_t dead_letters = 0;
  uint64_t space_record_rate = 0;
  uint64_t space_byte_rate = 0;
  uint64_t memory = 0;
};

// How long something took. Quantiles are right to an eighth and never too
// small; the sum is exact, but for what took more than an hour: it counts as
// one.
struct LatencyStats {
  uint64_t count = 0;
  absl::Duration sum = absl::ZeroDuration();
  absl::Duration p50 = absl::ZeroDuration();
  absl::Duration p99 = absl::ZeroDuration();
  absl::Duration p999 = absl::ZeroDuration();
  absl::Duration max = absl::ZeroDuration();
};

// Of records that were written since Open(), from the call on: waiting for
// room is a part of it.
struct IngestLatencies {
  LatencyStats to_durable;  // until it is acknowledged: written only, where
                            // that is all its Durability asks for
  LatencyStats durable_to_indexed;  // from there until it is in the index
  LatencyStats to_indexed;          // both
};

struct SpaceStats {
  uint64_t id = 0;  // never reused, also not after DropSpace
  std::string name;
  SpaceOptions options;

  uint64_t live_records = 0;     // distinct ids, pending ones included
  uint64_t pending_records = 0;  // accepted, not yet indexed
  uint64_t pending_bytes = 0;
  // Of what may be pending: the larger share of the two limits. Can be above 1
  // after recovery, or with one batch that is larger than the limit.
  double pressure = 0;
  PressureLevel pressure_level = PressureLevel::kNone;
  uint64_t refused_of_records = 0;  // writes, since Open(); the space was full
  uint64_t refused_of_bytes = 0;
  uint64_t refused_of_record_rate = 0;  // its SpaceQuota was used up
  uint64_t refused_of_byte_rate = 0;
  uint64_t nodes = 0;  // versions that the index holds
  uint64_t twins = 0;  // of these, copies of another one, without own links
  uint64_t retired_slots = 0;  // removed, and not reclaimed yet
  uint64_t dead_letters = 0;   // see engram/dead_letter.h
  uint64_t unsaved_bytes = 0;  // indexed, not yet checkpointed
  bool has_graph = false;      // false: scanned exactly

  // What the codes in use are; kNone without a graph. Never kAuto.
  Quantization quantization = Quantization::kNone;
  // Memory of vectors, codes, links and ids, in use; without pending and
  // unsaved records.
  uint64_t memory_bytes = 0;

  // Whether the index is in memory. Where it is not, nodes is 0, and
  // live_records is that of the last checkpoint, and one more for each id that
  // has a pending observation.
  bool resident = true;
  uint64_t evictions = 0;    // since Open(): of the index from memory
  absl::Status load_status;  // not OK: the index could not be read

  // checkpoint_lsn <= indexed_lsn <= acknowledged_lsn. A space without
  // pending (or unsaved) records stands at the log's own LSN.
  Lsn acknowledged_lsn = 0;
  Lsn indexed_lsn = 0;
  Lsn checkpoint_lsn = 0;

  uint64_t checkpoints = 0;  // since Open()
  // For how long the last one kept records from being indexed.
  absl::Duration checkpoint_pause = absl::ZeroDuration();
  uint64_t nodes_reattached = 0;   // made reachable again, since Open()
  uint64_t unreachable_nodes = 0;  // that the last pass over the graph left
  IngestLatencies latencies;
  uint64_t searches = 0;         // since Open()
  uint64_t exact_fallbacks = 0;  // searches that the graph left short of k
};

// What one worker thread has done since Open().
struct WorkerStats {
  uint64_t records = 0;  // that it took from the backlogs of spaces
  uint64_t batches = 0;
  // Of these, of so many records at most: each counts those before it as well.
  uint64_t batches_to_10 = 0;
  uint64_t batches_to_100 = 0;
  uint64_t batches_to_500 = 0;
  // Of all, from a space that another worker was serving.
  uint64_t joined_records = 0;
  uint64_t joined_batches = 0;
  uint64_t moves = 0;  // spaces that came to it from another worker
  absl::Duration busy = absl::ZeroDuration();  // in batches
  // All processor time of the thread, until its last batch ended. Less than
  // `busy` where others wanted its processor.
  absl::Duration cpu = absl::ZeroDuration();
  // Of the records that it put into the index; see IngestLatencies.
  LatencyStats durable_to_indexed;
  LatencyStats to_indexed;
};

struct DbStats {
  std::string path;
  std::string database_id;  // 32 hexadecimal digits
  uint64_t spaces = 0;
  uint64_t workers = 0;
  std::vector<WorkerStats> worker_stats;  // one for each
  // By how much the worker that took the most records exceeds the one that took
  // the fewest: 0.06 is 6 %. Infinite while one has taken none and another has.
  double imbalance = 0;

  // Records. accepted = indexed + dead_lettered + pending once no write and no
  // batch is in progress; the parts are read one after the other.
  uint64_t accepted_records = 0;  // since Open(), replayed ones included
  uint64_t indexed_records = 0;
  uint64_t dead_lettered_records = 0;  // since Open(): became dead letters
  uint64_t dead_letters = 0;           // that there are now, in all spaces
  uint64_t pending_records = 0;
  uint64_t pending_bytes = 0;
  double pressure = 0;  // of all spaces together, as in SpaceStats
  PressureLevel pressure_level = PressureLevel::kNone;
  uint64_t refused_writes = 0;    // since Open(), of any cause
  RefusedWrites refused;          // the same by cause
  uint64_t replayed_records = 0;  // read from the log by Open()
  uint64_t producers = 0;         // that have numbered their writes, ever
  uint64_t duplicate_writes = 0;  // since Open(): of these, that were repeated

  IngestLatencies latencies;  // of all spaces, and of what was dropped

  // The log.
  std::string wal_backend;  // "io_uring", "pwrite"; "none" if read_only
  bool wal_direct_io = false;
  uint64_t wal_segments = 0;
  uint64_t wal_bytes = 0;   // on disk, spare segments left out
  uint64_t wal_groups = 0;  // group commits since Open()
  Lsn last_lsn = 0;
  Lsn durable_lsn = 0;
  absl::Status wal_status;  // not OK: read-only until reopened

  // Checkpoints.
  Lsn low_water_lsn = 0;  // the log is needed above this one only
  uint64_t checkpoints = 0;
  uint64_t checkpoint_bytes = 0;   // written since Open()
  absl::Status checkpoint_status;  // of the last one

  // How long indexing what only the log has would take after a crash at this
  // moment, as fast as it went lately. Infinite while that is not known.
  absl::Duration recovery_estimate = absl::ZeroDuration();
};

}  // namespace engram

#endif  // ENGRAM_STATS_H_

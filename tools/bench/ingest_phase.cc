#include "tools/bench/ingest_phase.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/ingest_driver.h"
#include "tools/bench/ingest_searcher.h"
#include "tools/bench/ingest_timeline.h"
#include "tools/bench/ingest_turns.h"
#include "tools/bench/patience.h"
#include "tools/bench/stopwatch.h"
#include "tools/bench/tail_searcher.h"
#include "tools/bench/wal_command.h"

namespace engram::bench {
namespace {

constexpr int kRecallSearches = 100;
constexpr int kRetryProbes = 5;
constexpr int kRetryRecords = 2000;

double Microseconds(absl::Duration duration) {
  return absl::ToDoubleMicroseconds(duration);
}

// What the database says when the driver has ended: what is indexed later is
// indexed in a time without load.
absl::Status AddRates(const Elapsed& elapsed, const DbStats& stats,
                      IngestRow* row) {
  double cpu_s = 0;
  double busy_s = 0;
  for (const WorkerStats& worker : stats.worker_stats) {
    cpu_s += absl::ToDoubleSeconds(worker.cpu);
    busy_s += absl::ToDoubleSeconds(worker.busy);
    row->joined_batches += worker.joined_batches;
    row->moves += worker.moves;
  }
  const auto indexed = static_cast<double>(stats.indexed_records);
  if (indexed == 0) {
    return absl::DeadlineExceededError(
        absl::StrCat(elapsed.wall_s, " s are too short: nothing was indexed"));
  }
  row->seconds = elapsed.wall_s;
  row->indexed = stats.indexed_records;
  row->dead_letter = stats.dead_lettered_records;
  row->pending = row->accepted - row->indexed - row->dead_letter;
  row->per_s = indexed / elapsed.wall_s;
  row->per_core_s = indexed / cpu_s;
  row->process_core_s = indexed / elapsed.cpu_s;
  row->imbalance = stats.imbalance;
  row->utilization =
      busy_s / (static_cast<double>(stats.workers) * elapsed.wall_s);
  return absl::OkStatus();
}

void AddOffered(IngestOffered offered, IngestRow* row) {
  row->offered = offered.offered;
  row->accepted = offered.accepted;
  row->rejected = offered.rejected;
  row->ack_p50_us = Percentile(&offered.ack_us, 0.5);
  row->ack_p99_us = Percentile(&offered.ack_us, 0.99);
  row->late_p99_us = Percentile(&offered.late_us, 0.99);
}

// Writes batches for which there is no room, and compares the times after which
// they shall be tried again with those after which there is. Returns how many
// observations were accepted.
absl::StatusOr<uint64_t> ProbeRetryAfter(NoisyRows* rows, IngestSpaces* spaces,
                                         std::vector<double>* ratios) {
  uint64_t accepted = 0;
  for (int i = 0; i < kRetryProbes; ++i) {
    WriteBatch batch;
    for (int record = 0; record < kRetryRecords; ++record) {
      const std::string id = spaces->NextId();
      batch.Observe(
          spaces->space(static_cast<size_t>(record) % spaces->count()),
          {.id = id, .vector = rows->Next(), .payload = {}});
    }
    const absl::StatusOr<Lsn> refused =
        spaces->db().Write(batch, {.admission_timeout = absl::ZeroDuration()});
    const Stopwatch watch;
    if (refused.ok()) {
      accepted += kRetryRecords;
      continue;
    }
    const std::optional<Refusal> refusal = RefusalOf(refused.status());
    if (!refusal.has_value()) return refused.status();
    ENGRAM_RETURN_IF_ERROR(
        spaces->db().Write(batch, {.admission_timeout = kPatience}).status());
    accepted += kRetryRecords;
    ratios->push_back(absl::ToDoubleSeconds(refusal->retry_after) /
                      watch.ReadWall());
  }
  return accepted;
}

// What is true of each run whatever its load.
absl::Status CheckCounts(uint64_t live_before, uint64_t accepted,
                         const DbStats& stats, const IngestRow& row,
                         uint64_t live) {
  const auto same = [](const char* what, uint64_t is, uint64_t should_be) {
    return is == should_be ? absl::OkStatus()
                           : absl::InternalError(absl::StrCat(
                                 what, ": ", is, " instead of ", should_be));
  };
  ENGRAM_RETURN_IF_ERROR(
      same("accepted and rejected", row.accepted + row.rejected, row.offered));
  ENGRAM_RETURN_IF_ERROR(
      same("records accepted", stats.accepted_records, accepted));
  ENGRAM_RETURN_IF_ERROR(
      same("records indexed and dead letters",
           stats.indexed_records + stats.dead_lettered_records, accepted));
  ENGRAM_RETURN_IF_ERROR(same("records pending", stats.pending_records, 0));
  return same("observations found", live,
              live_before + accepted - stats.dead_lettered_records);
}

void AddSearches(IngestSearches searches, IngestRow* row) {
  row->search_cpu_us = Percentile(&searches.cpu_us, 0.5);
  row->search_p99_us = Percentile(&searches.wall_us, 0.99);
}

void AddTailSearches(TailSearches searches, IngestRow* row) {
  row->tail_search = searches.row;
  // These were written, too.
  row->offered += searches.written;
  row->accepted += searches.written;
}

}  // namespace

absl::StatusOr<IngestRow> MeasurePhase(const IngestPhase& phase, double per_s,
                                       const IngestOptions& options,
                                       NoisyRows* rows, NoisyRows* queries,
                                       IngestSpaces* spaces) {
  IngestRow row;
  row.phase = phase.name;
  row.spaces = static_cast<int>(spaces->count());
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t live_before, spaces->CountLive());
  std::unique_ptr<IngestSearcher> searcher;
  if (phase.searches) {
    searcher = std::make_unique<IngestSearcher>(spaces, queries);
  }
  std::unique_ptr<TailSearcher> tail_searcher;
  if (phase.probes_tail) {
    ENGRAM_ASSIGN_OR_RETURN(tail_searcher,
                            TailSearcher::Create(spaces, queries));
  }
  IngestTimeline timeline(&spaces->db());
  const Stopwatch watch;
  ENGRAM_ASSIGN_OR_RETURN(
      IngestOffered offered,
      phase.at_a_time > 0
          ? OfferInTurns(options.seconds, phase.at_a_time, rows, spaces)
          : Offer({.seconds = options.seconds,
                   .per_s = per_s,
                   .first_share = phase.first_share,
                   .seed = options.seed},
                  rows, spaces));
  const Elapsed elapsed = watch.Read();
  ENGRAM_ASSIGN_OR_RETURN(row.timeline, timeline.Stop());
  ENGRAM_ASSIGN_OR_RETURN(const DbStats loaded, spaces->db().GetStats());
  if (searcher != nullptr) {
    ENGRAM_ASSIGN_OR_RETURN(IngestSearches searches, searcher->Stop());
    AddSearches(std::move(searches), &row);
  }
  AddOffered(std::move(offered), &row);
  if (tail_searcher != nullptr) {
    ENGRAM_ASSIGN_OR_RETURN(TailSearches searches, tail_searcher->Stop());
    AddTailSearches(std::move(searches), &row);
  }
  ENGRAM_RETURN_IF_ERROR(AddRates(elapsed, loaded, &row));
  uint64_t accepted = row.accepted;
  if (phase.rate_factor > 1) {
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t probes,
                            ProbeRetryAfter(rows, spaces, &row.retry_ratios));
    accepted += probes;
  }
  ENGRAM_ASSIGN_OR_RETURN(DbStats stats, spaces->db().GetStats());
  ENGRAM_RETURN_IF_ERROR(
      spaces->db().Wait(stats.last_lsn, Stage::kIndexed, kPatience));
  ENGRAM_ASSIGN_OR_RETURN(stats, spaces->db().GetStats());
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t live, spaces->CountLive());
  ENGRAM_RETURN_IF_ERROR(CheckCounts(live_before, accepted, stats, row, live));
  row.workers = static_cast<int>(stats.workers);
  const LatencyStats& to_indexed = stats.latencies.to_indexed;
  row.indexed_p50_ms = Microseconds(to_indexed.p50) / 1000;
  row.indexed_p99_ms = Microseconds(to_indexed.p99) / 1000;
  row.indexed_p999_ms = Microseconds(to_indexed.p999) / 1000;
  ENGRAM_ASSIGN_OR_RETURN(row.recall,
                          spaces->Recall(0, kRecallSearches, queries));
  ENGRAM_ASSIGN_OR_RETURN(row.unreachable, spaces->CountUnreachable());
  return row;
}

}  // namespace engram::bench

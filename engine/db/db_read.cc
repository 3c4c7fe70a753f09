// Searches, reads, waiting and statistics.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/db/admission_limits.h"
#include "engine/db/db_impl.h"
#include "engine/db/options_check.h"
#include "schema/vector_check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// How often a waiter looks whether the log has failed.
constexpr int64_t kLookMicros = 100'000;

}  // namespace

absl::Status DbImpl::CheckOpen(const Operation& operation,
                               const SpacePtr& space) const {
  if (!operation.entered()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": the database is closed"));
  }
  if (space != nullptr && space->dropped_lsn() != 0) {
    return absl::NotFoundError(
        absl::StrCat("space \"", space->name(), "\" was dropped"));
  }
  return absl::OkStatus();
}

absl::StatusOr<StoredObservation> DbImpl::Get(const SpacePtr& space,
                                              absl::string_view id) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(schema::CheckId(space->description(), id));
  return space->Get(id, store_.get());
}

absl::StatusOr<std::vector<Hit>> DbImpl::Search(const SpacePtr& space,
                                                absl::Span<const float> query,
                                                const SearchOptions& options,
                                                SearchStats* stats) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSearchOptions(options));
  ENGRAM_RETURN_IF_ERROR(schema::CheckVector(space->description(), query));
  SearchOptions effective = options;
  effective.ef_search = EffectiveEfSearch(options);
  return space->Search(query, effective, stats);
}

absl::StatusOr<std::vector<std::string>> DbImpl::ListIds(
    const SpacePtr& space) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  return space->ListIds();
}

// --- Waiting -----------------------------------------------------------------

void DbImpl::NotifyProgress() {
  // Taken so that no one misses the change between looking and waiting.
  { MutexLock lock(progress_mutex_); }
  progress_.NotifyAll();
}

absl::Status DbImpl::WaitUntil(const std::function<bool()>& reached,
                               absl::string_view what, absl::Duration timeout) {
  const int64_t deadline =
      Clock::System().MonotonicMicros() +
      absl::ToInt64Microseconds(
          std::clamp(timeout, absl::ZeroDuration(), absl::Hours(24 * 365)));
  MutexLock lock(progress_mutex_);
  while (!reached()) {
    if (gate_.closed()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": the database was closed meanwhile"));
    }
    if (writer_ != nullptr) {
      ENGRAM_RETURN_IF_ERROR(writer_->GetStats().status);
    }
    const int64_t left = deadline - Clock::System().MonotonicMicros();
    if (left <= 0) {
      return absl::DeadlineExceededError(absl::StrCat(
          what, " is not reached after ", absl::FormatDuration(timeout)));
    }
    // The log's failure makes no progress that would be notified.
    progress_.WaitFor(progress_mutex_, std::min(left, kLookMicros));
  }
  return absl::OkStatus();
}

Lsn DbImpl::DurableLsn() const {
  return writer_ != nullptr ? writer_->durable_lsn()
                            : published_lsn_.load(std::memory_order_acquire);
}

bool DbImpl::AllReached(Lsn lsn, Stage stage) const {
  if (DurableLsn() < lsn) return false;
  if (stage == Stage::kDurable) return true;
  for (const space::SpaceEntry& entry : registry_.All()) {
    const bool reached = stage == Stage::kIndexed
                             ? entry.state->IsIndexed(lsn)
                             : entry.state->IsCheckpointed(lsn);
    if (!reached) return false;
  }
  return true;
}

absl::Status DbImpl::Wait(Lsn lsn, Stage stage, absl::Duration timeout) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckStage(stage));
  return WaitUntil([&] { return AllReached(lsn, stage); },
                   absl::StrCat("LSN ", lsn), timeout);
}

absl::Status DbImpl::WaitSpace(const SpacePtr& space, Lsn lsn, Stage stage,
                               absl::Duration timeout) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckStage(stage));
  const auto reached = [&] {
    if (space->dropped_lsn() != 0) return true;
    if (DurableLsn() < lsn) return false;
    if (stage == Stage::kDurable) return true;
    return stage == Stage::kIndexed ? space->IsIndexed(lsn)
                                    : space->IsCheckpointed(lsn);
  };
  ENGRAM_RETURN_IF_ERROR(WaitUntil(
      reached, absl::StrCat("LSN ", lsn, " of space \"", space->name(), "\""),
      timeout));
  return CheckOpen(operation, space);
}

// --- Statistics --------------------------------------------------------------

absl::StatusOr<SpaceStats> DbImpl::GetSpaceStats(const SpacePtr& space) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  return StatsOf(*space);
}

SpaceStats DbImpl::StatsOf(const space::SpaceState& space) const {
  SpaceStats stats =
      space.GetStats(published_lsn_.load(std::memory_order_acquire));
  stats.pressure_level = PressureLevelOf(options_, stats.pressure);
  return stats;
}

absl::StatusOr<Metrics> DbImpl::GetMetrics(size_t spaces_max) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  Metrics metrics;
  ENGRAM_ASSIGN_OR_RETURN(metrics.stats, GetStats());
  // Read once: they go on while this is sorted.
  std::vector<std::pair<int64_t, SpacePtr>> spaces;
  for (space::SpaceEntry& entry : registry_.All()) {
    const int64_t last_used_micros = entry.state->last_used_micros();
    spaces.emplace_back(last_used_micros, std::move(entry.state));
  }
  if (spaces.size() > spaces_max) {
    std::stable_sort(
        spaces.begin(), spaces.end(),
        [](const auto& a, const auto& b) { return a.first > b.first; });
    spaces.resize(spaces_max);
  }
  for (const auto& [last_used_micros, space] : spaces) {
    metrics.spaces.push_back(StatsOf(*space));
  }
  std::sort(
      metrics.spaces.begin(), metrics.spaces.end(),
      [](const SpaceStats& a, const SpaceStats& b) { return a.id < b.id; });
  return metrics;
}

// A count that could fall would look like a new process to who draws its rate.
space::Latencies DbImpl::AllLatencies() const {
  space::Latencies latencies;
  std::vector<space::SpaceEntry> entries;
  {
    MutexLock lock(dropped_mutex_);
    latencies = dropped_latencies_;
    entries = registry_.All();
  }
  // Of a space that is dropped meanwhile this is what was frozen, and no more.
  for (const space::SpaceEntry& entry : entries) {
    latencies.Merge(entry.state->GetLatencies());
  }
  return latencies;
}

absl::Duration DbImpl::TimeToIndex(uint64_t records) const {
  if (records == 0) return absl::ZeroDuration();
  const std::optional<int64_t> micros = total_gate_.MicrosToIndex(records);
  return micros.has_value() ? absl::Microseconds(*micros)
                            : absl::InfiniteDuration();
}

void DbImpl::AddAdmission(DbStats* stats) const {
  const ingest::AdmissionStats admission = total_gate_.GetStats();
  stats->pending_bytes = admission.bytes;
  stats->pressure = admission.pressure;
  stats->pressure_level = PressureLevelOf(options_, admission.pressure);
  const auto refused = [this](RefusalCause cause) {
    return refused_writes_[static_cast<size_t>(cause)].load(
        std::memory_order_relaxed);
  };
  stats->refused.space_records = refused(RefusalCause::kSpaceRecords);
  stats->refused.space_bytes = refused(RefusalCause::kSpaceBytes);
  stats->refused.total_records = refused(RefusalCause::kTotalRecords);
  stats->refused.total_bytes = refused(RefusalCause::kTotalBytes);
  stats->refused.log = refused(RefusalCause::kLog);
  stats->refused.async_writes = refused(RefusalCause::kAsyncWrites);
  stats->refused.dead_letters = refused(RefusalCause::kDeadLetters);
  stats->refused.space_record_rate = refused(RefusalCause::kSpaceRecordRate);
  stats->refused.space_byte_rate = refused(RefusalCause::kSpaceByteRate);
  stats->refused.memory = refused(RefusalCause::kMemory);
  stats->refused_writes =
      stats->refused.space_records + stats->refused.space_bytes +
      stats->refused.total_records + stats->refused.total_bytes +
      stats->refused.log + stats->refused.async_writes +
      stats->refused.dead_letters + stats->refused.space_record_rate +
      stats->refused.space_byte_rate + stats->refused.memory;
}

void DbImpl::AddWorkers(DbStats* stats) const {
  stats->workers = pool_->workers();
  uint64_t most = 0;
  uint64_t fewest = std::numeric_limits<uint64_t>::max();
  const std::vector<ingest::WorkerLatencies> latencies = pool_->latencies();
  for (const ingest::WorkerCounters& counters : pool_->counters()) {
    WorkerStats worker;
    worker.records = counters.records;
    worker.batches = counters.batches;
    worker.batches_to_10 = counters.batches_to_10;
    worker.batches_to_100 = counters.batches_to_100;
    worker.batches_to_500 = counters.batches_to_500;
    worker.joined_records = counters.records_joined;
    worker.joined_batches = counters.batches_joined;
    worker.moves = counters.moves;
    worker.busy = absl::Microseconds(counters.busy_micros);
    worker.cpu = absl::Microseconds(counters.cpu_micros);
    const ingest::WorkerLatencies& latency =
        latencies[stats->worker_stats.size()];
    worker.durable_to_indexed = space::ToStats(latency.durable_to_indexed);
    worker.to_indexed = space::ToStats(latency.to_indexed);
    stats->worker_stats.push_back(worker);
    most = std::max(most, counters.records);
    fewest = std::min(fewest, counters.records);
  }
  if (most > fewest) {
    stats->imbalance =
        static_cast<double>(most) / static_cast<double>(fewest) - 1;
  }
}

absl::StatusOr<DbStats> DbImpl::GetStats() {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  DbStats stats;
  stats.path = path_;
  stats.database_id = DatabaseIdText(files_.id);
  AddWorkers(&stats);
  uint64_t unsaved_records = 0;
  for (const space::SpaceEntry& entry : registry_.All()) {
    ++stats.spaces;
    stats.pending_records += entry.state->pending_records();
    stats.dead_letters += entry.state->dead_letter_count();
    unsaved_records += entry.state->unsaved_records();
  }
  stats.recovery_estimate =
      TimeToIndex(stats.pending_records + unsaved_records);
  stats.latencies = space::ToStats(AllLatencies());
  stats.indexed_records = indexed_records_.load(std::memory_order_relaxed);
  stats.dead_lettered_records =
      dead_lettered_records_.load(std::memory_order_relaxed);
  stats.accepted_records = accepted_records_.load(std::memory_order_relaxed);
  AddAdmission(&stats);
  stats.replayed_records = replayed_records_;
  stats.producers = producers_.size();
  stats.duplicate_writes = duplicate_writes_.load(std::memory_order_relaxed);
  stats.wal_backend = "none";
  stats.last_lsn = published_lsn_.load(std::memory_order_acquire);
  stats.durable_lsn = stats.last_lsn;
  if (writer_ != nullptr) {
    const wal::WriterStats log = writer_->GetStats();
    stats.wal_backend = log.queue_name;
    stats.wal_direct_io = log.direct_io;
    stats.wal_groups = log.groups;
    stats.last_lsn = log.last_lsn;
    stats.durable_lsn = log.durable_lsn;
    stats.wal_status = log.status;
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          wal_directory_->List());
  for (const std::string& name : names) {
    if (wal::SegmentFileNumber(name) == 0) continue;
    absl::StatusOr<std::unique_ptr<io::File>> file =
        wal_directory_->Open(name, io::OpenMode::kRead);
    if (!file.ok()) continue;  // recycled this moment
    ++stats.wal_segments;
    stats.wal_bytes += (*file)->Size().value_or(0);
  }
  MutexLock lock(progress_mutex_);
  stats.low_water_lsn = low_water_lsn_;
  stats.checkpoints = checkpoints_;
  stats.checkpoint_bytes = checkpoint_bytes_;
  stats.checkpoint_status = checkpoint_status_;
  return stats;
}

}  // namespace engram::internal

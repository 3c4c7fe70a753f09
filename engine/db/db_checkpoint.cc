// Checkpoints: what is indexed goes to RocksDB, and the log is shortened.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "engine/space/checkpoint_writer.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/mutant.h"
#include "storage/base/status_macros.h"
#include "storage/base/thread_priority.h"

namespace engram::internal {
namespace {

// After a failed checkpoint the next one waits this long.
constexpr int64_t kRetryMicros = 1'000'000;

// How often a log that stays long is checkpointed.
constexpr int64_t kLongLogMicros = 100'000;

// Of spaces that share a family, in one ingestion: its two tables and their
// syncs cost as much as some dozen small spaces do.
constexpr size_t kSavedTogetherMax = 64;
constexpr uint64_t kSavedTogetherBytes = uint64_t{16} << 20;

}  // namespace

absl::Status DbImpl::Checkpoint() {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  MutexLock lock(checkpoint_mutex_);
  return RunCheckpoint();
}

absl::Status DbImpl::Compact() {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  MutexLock lock(checkpoint_mutex_);
  ENGRAM_RETURN_IF_ERROR(RunCheckpoint());
  for (const space::SpaceEntry& entry : registry_.All()) {
    if (!entry.state->HasDeadRows()) continue;
    ENGRAM_RETURN_IF_ERROR(RewriteSpace(entry));
  }
  return store_->CompactAll();
}

void DbImpl::RequestCheckpoint() {
  {
    MutexLock lock(progress_mutex_);
    checkpoint_requested_ = true;
  }
  checkpoint_work_.NotifyOne();
}

void DbImpl::RequestCheckpointOfOldest() {
  {
    MutexLock lock(progress_mutex_);
    oldest_requested_ = true;
  }
  checkpoint_work_.NotifyOne();
}

// The checkpoint thread is to see when the next look is.
void DbImpl::SetCheckpointTimer() {
  { MutexLock lock(progress_mutex_); }
  checkpoint_work_.NotifyOne();
}

bool DbImpl::LogIsLong() const {
  return segments_->live_count() * options_.wal_segment_bytes >=
         options_.wal_limit_bytes / 2;
}

// Until there may be something to do. Nobody calls for what is due.
void DbImpl::WaitForCheckpointWork() {
  const int64_t next_look = checkpoint_timer_.next_look();
  if (next_look == CheckpointTimer::kNever) {
    checkpoint_work_.Wait(progress_mutex_);
    return;
  }
  const int64_t left = next_look - Clock::System().MonotonicMicros();
  if (left > 0) checkpoint_work_.WaitFor(progress_mutex_, left);
}

void DbImpl::CheckpointLoop() {
  LowerThreadPriority();
  MutexLock lock(progress_mutex_);
  while (!stopping_) {
    if (!checkpoint_requested_ && LogIsLong()) {
      // The last checkpoint could not shorten it: something was not indexed
      // yet. Appends may be waiting, so nobody else would ask again.
      checkpoint_work_.WaitFor(progress_mutex_, kLongLogMicros);
      checkpoint_requested_ = true;
      continue;
    }
    const bool due =
        checkpoint_timer_.next_look() <= Clock::System().MonotonicMicros();
    if (!checkpoint_requested_ && !oldest_requested_ &&
        !memory_check_requested_ && !due) {
      WaitForCheckpointWork();
      continue;
    }
    const bool all = std::exchange(checkpoint_requested_, false);
    const bool oldest = std::exchange(oldest_requested_, false);
    memory_check_requested_ = false;
    lock.Unlock();
    absl::Status status;
    {
      MutexLock checkpoint_lock(checkpoint_mutex_);
      if (all) {
        status = RunCheckpoint();
      } else if (oldest) {
        status = CheckpointOldest();
      }
      if (status.ok() && due) status = CheckpointDue();
      // Also after a failure: what is saved can leave memory.
      status.Update(KeepMemoryBudget());
    }
    lock.Lock();
    if (status.ok()) continue;
    const int64_t retry = Clock::System().MonotonicMicros() + kRetryMicros;
    for (int64_t left = kRetryMicros; left > 0 && !stopping_;
         left = retry - Clock::System().MonotonicMicros()) {
      checkpoint_work_.WaitFor(progress_mutex_, left);
    }
    checkpoint_requested_ = true;
  }
}

// Nothing may be saved, and no space's files removed, because of a record that
// a power cut can still take: the log would have to be ahead of all that is
// derived from it.
absl::Status DbImpl::WaitPublishedDurable() const {
  return writer_->WaitDurable(publishing_lsn_.load(std::memory_order_acquire));
}

absl::Status DbImpl::RunCheckpoint() {
  // First: every record up to here has been seen by its space, so what the
  // spaces say below holds for all of them.
  const Lsn published = published_lsn_.load(std::memory_order_acquire);
  return CheckpointSpaces(registry_.All(), published);
}

// What one space may keep of the log, of which `log_bytes` are kept now: so
// much that indexing it again takes no longer than it should.
uint64_t DbImpl::LogBytesMax(uint64_t log_bytes,
                             uint64_t unsaved_records) const {
  const double estimate = absl::ToDoubleSeconds(TimeToIndex(unsaved_records));
  const double target = absl::ToDoubleSeconds(options_.recovery_time_target);
  const auto most = static_cast<double>(options_.checkpoint_wal_bytes);
  // Also while nothing was measured yet.
  if (estimate == 0 || std::isinf(estimate) || std::isinf(target)) {
    return options_.checkpoint_wal_bytes;
  }
  return static_cast<uint64_t>(std::clamp(
      static_cast<double>(log_bytes) * (target / estimate), 1.0, most));
}

// Saves those of the spaces that keep the most log that pace_ names.
absl::Status DbImpl::CheckpointOldest() {
  const uint64_t logged = log_meter_.total_bytes();
  const uint64_t since = logged - std::exchange(paced_bytes_, logged);
  const Lsn published = published_lsn_.load(std::memory_order_acquire);
  struct Old {
    space::SpaceEntry entry;
    CheckpointPace::Candidate candidate;
  };
  std::vector<Old> old;
  uint64_t unsaved_records = 0;
  for (space::SpaceEntry& entry : registry_.All()) {
    const space::Unsaved unsaved = entry.state->GetUnsaved(published);
    if (unsaved.up_to == unsaved.above) continue;
    unsaved_records += unsaved.records;
    const uint64_t log_bytes =
        log_meter_.BytesBetween(unsaved.above, unsaved.up_to);
    old.push_back({std::move(entry), {log_bytes, unsaved.bytes}});
  }
  std::stable_sort(old.begin(), old.end(), [](const Old& a, const Old& b) {
    return a.candidate.log_bytes > b.candidate.log_bytes;
  });
  std::vector<CheckpointPace::Candidate> candidates;
  for (const Old& one : old) candidates.push_back(one.candidate);
  if (!old.empty()) {
    pace_.set_log_bytes_max(
        LogBytesMax(old.front().candidate.log_bytes, unsaved_records));
  }
  const std::vector<size_t> taken = pace_.Take(candidates, since);
  if (taken.empty()) return absl::OkStatus();
  std::vector<space::SpaceEntry> entries;
  for (const size_t i : taken) entries.push_back(std::move(old[i].entry));
  return CheckpointSpaces(entries, published);
}

// Saves the spaces that have waited for options_.checkpoint_interval. That a
// space was created, and where producers are, waits likewise, for the catalog.
absl::Status DbImpl::CheckpointDue() {
  checkpoint_timer_.BeginLook();
  const int64_t now = Clock::System().MonotonicMicros();
  const auto is_due = [this, now](Lsn above) {
    return checkpoint_timer_.IsDue(checkpoint_timer_.LoggedAt(above), now);
  };
  const Lsn published = published_lsn_.load(std::memory_order_acquire);
  std::vector<space::SpaceEntry> due;
  for (space::SpaceEntry& entry : registry_.All()) {
    Lsn above = 0;
    if (!entry.state->NeedsLog(&above) || !is_due(above)) continue;
    if (entry.state->HasUnsaved()) due.push_back(std::move(entry));
  }
  absl::Status status;
  if (!due.empty() || is_due(catalog_.catalog_lsn)) {
    status = CheckpointSpaces(due, published);
  }
  int64_t oldest = checkpoint_timer_.LoggedAt(catalog_.catalog_lsn);
  for (const space::SpaceEntry& entry : registry_.All()) {
    Lsn above = 0;
    if (!entry.state->NeedsLog(&above)) continue;
    oldest = std::min(oldest, checkpoint_timer_.LoggedAt(above));
  }
  checkpoint_timer_.EndLook(oldest, Clock::System().MonotonicMicros());
  return status;
}

absl::Status DbImpl::CheckpointSpaces(
    absl::Span<const space::SpaceEntry> entries, Lsn published) {
  const CheckpointInfo before = BeginCheckpoint();
  absl::Status status = WaitPublishedDurable();
  if (status.ok()) status = AssignFamilies(entries);
  if constexpr (Mutant("advance_checkpoint_first")) {
    if (status.ok()) status = SaveCatalogAndRecycle(published);
  }
  if (status.ok()) status = SaveSpaces(entries);
  if (status.ok()) status = SaveCatalogAndRecycle(published);
  if (status.ok()) status = CompactFamilies(entries);
  {
    MutexLock lock(progress_mutex_);
    checkpoint_status_ = status;
    if (status.ok()) ++checkpoints_;
  }
  EndCheckpoint(before, status);
  return status;
}

// What all checkpoints have done until now, and the time.
CheckpointInfo DbImpl::CheckpointTotals() const {
  CheckpointInfo totals;
  totals.duration = absl::Microseconds(Clock::System().MonotonicMicros());
  MutexLock lock(progress_mutex_);
  totals.bytes = checkpoint_bytes_;
  totals.spaces_saved = spaces_saved_;
  return totals;
}

CheckpointInfo DbImpl::BeginCheckpoint() {
  events_.Push([](EventListener& listener) { listener.OnCheckpointBegin(); });
  return CheckpointTotals();
}

void DbImpl::EndCheckpoint(const CheckpointInfo& before,
                           const absl::Status& status) {
  CheckpointInfo info = CheckpointTotals();
  info.status = status;
  info.bytes -= before.bytes;
  info.spaces_saved -= before.spaces_saved;
  info.duration -= before.duration;
  events_.Push(
      [info](EventListener& listener) { listener.OnCheckpointEnd(info); });
}

// By family, and there by id.
absl::Status DbImpl::SaveSpaces(absl::Span<const space::SpaceEntry> entries) {
  std::vector<SpacePtr> alone;
  std::map<std::string, std::map<uint64_t, SpacePtr>> members;
  for (const space::SpaceEntry& entry : entries) {
    // A space that was dropped meanwhile keeps its family until we drop it.
    const std::string family = entry.state->family();
    if (!entry.state->HasUnsaved() || family.empty()) continue;
    const schema::FamilyPlace place = schema::PlaceOf(family);
    if (place.member == 0) {
      alone.push_back(entry.state);
    } else {
      members[std::string(place.family)][place.member] = entry.state;
    }
  }
  absl::Status first_error;
  for (const SpacePtr& space : alone) {
    first_error.Update(SaveTogether({space.get()}));
  }
  for (const auto& [family, spaces] : members) {
    first_error.Update(SaveMembers(spaces));
  }
  return first_error;
}

// As many at a time as one ingestion is worth.
absl::Status DbImpl::SaveMembers(const std::map<uint64_t, SpacePtr>& spaces) {
  absl::Status first_error;
  std::vector<space::SpaceState*> chosen;
  uint64_t bytes = 0;
  for (auto it = spaces.begin(); it != spaces.end();) {
    chosen.push_back(it->second.get());
    bytes += it->second->record_bytes();
    ++it;
    if (it != spaces.end() && chosen.size() < kSavedTogetherMax &&
        bytes < kSavedTogetherBytes) {
      continue;
    }
    first_error.Update(SaveTogetherOrSingly(chosen));
    chosen.clear();
    bytes = 0;
  }
  return first_error;
}

// The others need not suffer from what one of them lacks.
absl::Status DbImpl::SaveTogetherOrSingly(
    absl::Span<space::SpaceState* const> spaces) {
  const absl::Status together = SaveTogether(spaces);
  if (together.ok() || spaces.size() == 1) return together;
  absl::Status first_error;
  for (space::SpaceState* const space : spaces) {
    first_error.Update(SaveTogether({space}));
  }
  return first_error;
}

// What is not saved, the log keeps.
absl::Status DbImpl::SaveTogether(absl::Span<space::SpaceState* const> spaces) {
  ENGRAM_ASSIGN_OR_RETURN(
      const space::SavedSpaces saved,
      space::CheckpointSpaces(spaces, store_.get(), [this](Lsn lsn) {
        return writer_->WaitDurable(lsn);
      }));
  MutexLock lock(progress_mutex_);
  checkpoint_bytes_ += saved.bytes;
  spaces_saved_ += saved.spaces;
  return absl::OkStatus();
}

absl::Status DbImpl::SaveCatalogAndRecycle(Lsn published) {
  Lsn low_water = published;
  space::CatalogChanges changes;
  std::vector<schema::CatalogEntry> dropped = registry_.TakeDropped();
  for (const space::SpaceEntry& entry : registry_.All()) {
    Lsn above = 0;
    if (!Mutant("advance_checkpoint_first") && entry.state->NeedsLog(&above)) {
      low_water = std::min(low_water, above);
    }
    if (entry.state->created_lsn() > catalog_.catalog_lsn) {
      changes.entries.push_back(space::MakeCatalogEntry(*entry.state, false));
    }
  }
  low_water = std::max(low_water, catalog_.low_water_lsn);
  if (published == catalog_.catalog_lsn &&
      low_water == catalog_.low_water_lsn && dropped.empty()) {
    // Nothing new; but the last attempt to recycle may have failed.
    return writer_->Recycle(low_water);
  }
  for (const schema::CatalogEntry& entry : dropped) {
    if (entry.family.empty()) {
      changes.erased_ids.push_back(entry.space.id);
    } else {
      changes.entries.push_back(entry);
    }
  }
  ProducerTable::Unsaved unsaved;
  if constexpr (!Mutant("forget_producers")) {
    unsaved = producers_.FindUnsaved(published);
  }
  changes.producers = std::move(unsaved.states);
  schema::Catalog next = catalog_;
  next.catalog_lsn = published;
  next.low_water_lsn = low_water;
  next.next_space_id = next_space_id_.load(std::memory_order_relaxed);
  absl::Status status = WaitPublishedDurable();
  // Should the log fail instead, it keeps what these producers wrote before.
  if (status.ok()) status = writer_->WaitDurable(unsaved.beyond_lsn);
  if (status.ok()) {
    status = space::SaveCatalog(store_.get(), next, changes);
  }
  if (!status.ok()) {
    for (schema::CatalogEntry& entry : dropped) {
      registry_.AddDropped(std::move(entry));
    }
    return status;
  }
  catalog_ = next;
  producers_.MarkSaved(changes.producers);
  {
    MutexLock lock(progress_mutex_);
    low_water_lsn_ = low_water;
  }
  log_meter_.Forget(low_water);
  checkpoint_timer_.Forget(low_water);
  progress_.NotifyAll();
  absl::Status first_error = writer_->Recycle(low_water);
  first_error.Update(DropFamilies(std::move(dropped)));
  return first_error;
}

}  // namespace engram::internal

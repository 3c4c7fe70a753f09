// Erasing: what an id ever was leaves all files of the database.

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/db/db_impl.h"
#include "engine/db/write_steps.h"
#include "schema/vector_check.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// How often it is looked whether a search, a reader or a backup that is in the
// way has gone.
constexpr absl::Duration kLookAgain = absl::Milliseconds(250);

// What the log gives back is zero-filled as long as one of these lives.
class ErasingSegments {
 public:
  explicit ErasingSegments(wal::Segments* segments) : segments_(*segments) {
    segments_.StartErasing();
  }
  ~ErasingSegments() { segments_.StopErasing(); }

  ErasingSegments(const ErasingSegments&) = delete;
  ErasingSegments& operator=(const ErasingSegments&) = delete;

 private:
  wal::Segments& segments_;
};

// What is returned once the removal is logged. Without room for a segment it
// was not refused.
absl::Status NotErased(const absl::Status& status) {
  const absl::StatusCode code = absl::IsResourceExhausted(status)
                                    ? absl::StatusCode::kDeadlineExceeded
                                    : status.code();
  return absl::Status(
      code, absl::StrCat("removed, but not yet erased: ", status.message()));
}

}  // namespace

// What is removed is no secret any more to who looks at the log: the removals
// themselves name the ids. So these are logged first, and then the log goes on
// in another segment; when everything up to there is indexed and saved, the
// segments before it are superfluous.
absl::StatusOr<Lsn> DbImpl::Erase(const SpacePtr& space,
                                  absl::Span<const std::string> ids,
                                  absl::Duration timeout) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
  const absl::Time deadline = absl::Now() + timeout;
  ENGRAM_ASSIGN_OR_RETURN(const Lsn lsn, RemoveAll(space, ids, timeout));
  const ErasingSegments erasing(segments_.get());
  const auto left = [deadline] { return deadline - absl::Now(); };
  const absl::StatusOr<uint64_t> rolled =
      writer_->Roll(absl::ToInt64Microseconds(left()));
  if (!rolled.ok()) return NotErased(rolled.status());
  const uint64_t segment = *rolled;
  const Lsn logged = writer_->last_lsn();
  const space::IdSet erased(ids.begin(), ids.end());
  bool rows_done = false;
  while (true) {
    if (gate_.closed()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": the database was closed meanwhile"));
    }
    absl::Status status = IndexAll(logged, left());
    // Once: what comes after it waits for others, and repeats nothing.
    if (status.ok() && !rows_done) {
      status = EraseSaved(space, erased, lsn);
      rows_done = status.ok();
    }
    if (status.ok()) status = RemoveObsoleteFiles();
    if (status.ok()) status = FreeLogBefore(segment);
    if (space->dropped_lsn() != 0) return Dropped(*space);
    if (status.ok()) break;
    if (!absl::IsUnavailable(status)) return NotErased(status);
    if (left() <= absl::ZeroDuration()) {
      return NotErased(absl::DeadlineExceededError(status.message()));
    }
    absl::SleepFor(kLookAgain);
  }
  const absl::Status zeroed =
      segments_->WaitErased(absl::ToInt64Microseconds(left()));
  if (!zeroed.ok()) return NotErased(zeroed);
  return lsn;
}

absl::StatusOr<Lsn> DbImpl::RemoveAll(const SpacePtr& space,
                                      absl::Span<const std::string> ids,
                                      absl::Duration timeout) {
  if (ids.empty()) return absl::InvalidArgumentError("no id is given");
  WriteOptions options;
  options.priority = Priority::kHigh;
  options.admission_timeout = timeout;
  std::vector<schema::RecordDraft> drafts;
  for (const std::string& id : ids) {
    ENGRAM_RETURN_IF_ERROR(schema::CheckId(space->description(), id));
    Observation removed;
    removed.id = id;
    drafts.push_back(DraftOf(schema::RecordType::kRemove, *space, removed,
                             options.priority));
  }
  const std::vector<SpacePtr> spaces(ids.size(), space);
  return Append(drafts, spaces, options, nullptr);
}

// Also what waits in spaces that are not in memory: their records are in the
// same log.
absl::Status DbImpl::IndexAll(Lsn lsn, absl::Duration timeout) {
  for (const space::SpaceEntry& entry : registry_.All()) {
    if (entry.state->is_resident() || entry.state->IsIndexed(lsn)) continue;
    ENGRAM_RETURN_IF_ERROR(entry.state->EnsureResident());
  }
  return WaitUntil([&] { return AllReached(lsn, Stage::kIndexed); },
                   absl::StrCat("indexing of LSN ", lsn), timeout);
}

// UNAVAILABLE: somebody still reads what is to go; try again.
absl::Status DbImpl::EraseSaved(const SpacePtr& space, const space::IdSet& ids,
                                Lsn up_to) {
  MutexLock lock(checkpoint_mutex_);
  // No file could be removed meanwhile, and each would be written once more.
  ENGRAM_RETURN_IF_ERROR(CheckNoBackup());
  // Spaces are evicted under the same lock. What is not in memory cannot be
  // saved, and its files may still say that a removed row is a node.
  ENGRAM_RETURN_IF_ERROR(space->EnsureResident());
  space->Tidy();
  if (space->HoldsEnded(ids, up_to)) {
    return absl::UnavailableError(absl::StrCat(
        "space \"", space->name(),
        "\": a search that began before the removal has not ended"));
  }
  space->RequestSave();
  ENGRAM_RETURN_IF_ERROR(RunCheckpoint());
  const std::string family = space->family();
  if (family.empty()) return absl::OkStatus();  // dropped
  ENGRAM_ASSIGN_OR_RETURN(const space::ErasedRows erased,
                          space->Erase(store_.get(), ids, up_to));
  {
    MutexLock progress_lock(progress_mutex_);
    checkpoint_bytes_ += erased.bytes;
  }
  return store_->Expunge(family, erased.ranges);
}

absl::Status DbImpl::CheckNoBackup() {
  if (!writer_->pinned()) return absl::OkStatus();
  return absl::UnavailableError("a backup is under way");
}

// The same. Held so that no table is there which is not yet in use.
absl::Status DbImpl::RemoveObsoleteFiles() {
  MutexLock lock(checkpoint_mutex_);
  return store_->RemoveObsoleteFiles();
}

// The same.
absl::Status DbImpl::FreeLogBefore(uint64_t segment) {
  const auto is_free = [&] {
    const std::vector<uint64_t> live = segments_->live();
    return live.empty() || live.front() >= segment;
  };
  if (is_free()) return absl::OkStatus();
  MutexLock lock(checkpoint_mutex_);
  ENGRAM_RETURN_IF_ERROR(CheckNoBackup());
  ENGRAM_RETURN_IF_ERROR(RunCheckpoint());
  if (is_free()) return absl::OkStatus();
  // Whoever needs the oldest record.
  Lsn lowest = std::numeric_limits<Lsn>::max();
  SpacePtr holder;
  for (const space::SpaceEntry& entry : registry_.All()) {
    Lsn above = 0;
    if (!entry.state->NeedsLog(&above) || above >= lowest) continue;
    lowest = above;
    holder = entry.state;
  }
  if (holder == nullptr) {
    return absl::UnavailableError("the log is still needed");
  }
  ENGRAM_RETURN_IF_ERROR(holder->load_status());
  return absl::UnavailableError(absl::StrCat(
      "space \"", holder->name(), "\" still needs the log above LSN ", lowest));
}

}  // namespace engram::internal

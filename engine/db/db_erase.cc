// Erasing: what an id ever was leaves all files of the database.

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
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t segment,
                          writer_->Roll(absl::ToInt64Microseconds(left())));
  const Lsn logged = writer_->last_lsn();
  const space::IdSet erased(ids.begin(), ids.end());
  bool rows_done = false;
  while (true) {
    if (gate_.closed()) {
      return absl::FailedPreconditionError(
          absl::StrCat(path_, ": the database was closed meanwhile"));
    }
    ENGRAM_RETURN_IF_ERROR(IndexAll(logged, left()));
    absl::Status status;
    if (!rows_done) status = EraseSaved(space, erased, lsn);
    rows_done = status.ok();
    if (status.ok()) status = FreeLogBefore(segment);
    if (space->dropped_lsn() != 0) return Dropped(*space);
    if (status.ok()) break;
    if (!absl::IsUnavailable(status)) return status;
    if (left() <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(
          absl::StrCat("removed, but not yet erased after ",
                       absl::FormatDuration(timeout), ": ", status.message()));
    }
    absl::SleepFor(kLookAgain);
  }
  ENGRAM_RETURN_IF_ERROR(
      segments_->WaitErased(absl::ToInt64Microseconds(left())));
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

// The same.
absl::Status DbImpl::FreeLogBefore(uint64_t segment) {
  const auto is_free = [&] {
    const std::vector<uint64_t> live = segments_->live();
    return live.empty() || live.front() >= segment;
  };
  if (is_free()) return absl::OkStatus();
  MutexLock lock(checkpoint_mutex_);
  ENGRAM_RETURN_IF_ERROR(RunCheckpoint());
  if (is_free()) return absl::OkStatus();
  const std::vector<uint64_t> live = segments_->live();
  return absl::UnavailableError(absl::StrCat(
      "segment ", live.front(),
      " of the log is still needed, by a backup that is under way, say"));
}

}  // namespace engram::internal

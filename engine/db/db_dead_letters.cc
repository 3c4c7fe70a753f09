// What was accepted and could not be indexed; see engram/dead_letter.h.

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/db/attach_refusal.h"
#include "engine/db/db_impl.h"
#include "engine/db/options_check.h"
#include "storage/base/status_macros.h"

namespace engram::internal {

absl::StatusOr<std::vector<DeadLetter>> DbImpl::ListDeadLetters(
    const SpacePtr& space) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  std::vector<DeadLetter> letters;
  for (const space::DeadLetters::Letter& letter : space->ListDeadLetters()) {
    const schema::RecordView& record = letter.entry->record;
    letters.push_back({record.lsn, std::string(record.id), letter.status,
                       record.payload.size(), record.timestamp_us});
  }
  return letters;
}

absl::StatusOr<Lsn> DbImpl::RetryDeadLetter(const SpacePtr& space, Lsn lsn,
                                            const WriteOptions& options) {
  return EndDeadLetter(schema::RecordType::kObserve, space, lsn, options);
}

absl::StatusOr<Lsn> DbImpl::DropDeadLetter(const SpacePtr& space, Lsn lsn,
                                           const WriteOptions& options) {
  return EndDeadLetter(schema::RecordType::kRemove, space, lsn, options);
}

// By a record of this type: the same observation again, or its removal.
absl::StatusOr<Lsn> DbImpl::EndDeadLetter(schema::RecordType type,
                                          const SpacePtr& space, Lsn lsn,
                                          const WriteOptions& options) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, space));
  ENGRAM_RETURN_IF_ERROR(CheckSpaceWritable(*space));
  ENGRAM_RETURN_IF_ERROR(CheckWriteOptions(options));
  if (options.stamp.has_value()) {
    // A repetition would be answered as done, and its letter might be another.
    return absl::InvalidArgumentError(absl::StrCat(
        "a stamp is given (producer ", options.stamp->producer, ", sequence ",
        options.stamp->sequence, "), a dead letter is ended without"));
  }
  const auto entry = space->FindDeadLetter(lsn);
  if (entry == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("space \"", space->name(), "\" has no dead letter ", lsn));
  }
  const schema::RecordView& record = entry->record;
  return AppendOne(
      type, space,
      {record.id, record.vector, record.payload, record.timestamp_us}, options,
      nullptr);
}

// An observation that replaces a dead letter adds none.
absl::Status DbImpl::CheckDeadLetters(const space::SpaceState& space,
                                      const schema::RecordDraft& draft) const {
  const size_t count = space.dead_letter_count();
  if (count < options_.dead_letters_max ||
      draft.type != schema::RecordType::kObserve ||
      space.IsDeadLetter(draft.id)) {
    return absl::OkStatus();
  }
  return AttachRefusal(absl::ResourceExhaustedError(absl::StrCat(
                           "space \"", space.name(), "\": holds ", count,
                           " dead letters, allowed are ",
                           options_.dead_letters_max, "; retry or drop them")),
                       RefusalCause::kDeadLetters, std::nullopt);
}

}  // namespace engram::internal

// What the steps of a write, db_write.cc and db_admit.cc, share.

#ifndef ENGRAM_ENGINE_DB_WRITE_STEPS_H_
#define ENGRAM_ENGINE_DB_WRITE_STEPS_H_

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/db/attach_refusal.h"
#include "engine/space/space_state.h"
#include "engram/observation.h"
#include "engram/options.h"
#include "schema/wal_codec.h"
#include "storage/base/clock.h"

namespace engram::internal {

inline int64_t MicrosLeft(int64_t deadline) {
  return std::max<int64_t>(0, deadline - Clock::System().MonotonicMicros());
}

// What is full is named where the status is RESOURCE_EXHAUSTED; another one is
// returned as it is.
inline absl::Status Refused(
    const absl::Status& status, RefusalCause cause,
    std::optional<int64_t> retry_after_micros = std::nullopt) {
  if (!absl::IsResourceExhausted(status)) return status;
  return AttachRefusal(status, cause, retry_after_micros);
}

// An observation, or the removal of its id. Borrows what it holds.
inline schema::RecordDraft DraftOf(schema::RecordType type,
                                   const space::SpaceState& space,
                                   const Observation& observation,
                                   Priority priority) {
  schema::RecordDraft draft;
  draft.priority = static_cast<uint8_t>(priority);
  draft.handed_in_micros = Clock::System().MonotonicMicros();
  draft.type = type;
  draft.space_id = space.id();
  draft.id = observation.id;
  if (type == schema::RecordType::kRemove) return draft;
  draft.vector = observation.vector;
  draft.payload = observation.payload;
  draft.timestamp_us = observation.timestamp_us;
  return draft;
}

inline absl::Status Dropped(const space::SpaceState& space) {
  return absl::NotFoundError(
      absl::StrCat("space \"", space.name(), "\" was dropped"));
}

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_WRITE_STEPS_H_

// Whom a space tells what becomes of its records.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_OBSERVER_H_
#define ENGRAM_ENGINE_SPACE_SPACE_OBSERVER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "engine/ingest/priority.h"
#include "schema/wal_codec.h"

namespace engram::space {

// Records, by priority.
using BacklogCounts = std::array<size_t, ingest::kPriorities>;

struct SpaceObserver {
  // A batch of so many records is done, and so many of them are dead letters
  // now; called just before they count as such here.
  std::function<void(size_t records, size_t dead)> on_indexed;
  // A record has become a dead letter. Called with locks held: must be quick,
  // and must not call the space.
  std::function<void(const schema::RecordView& record,
                     const absl::Status& status)>
      on_dead_letter;
  // So much was given back to the gate.
  std::function<void(uint64_t records, uint64_t bytes)> on_released;
  // A batch was indexed, or a checkpoint saved.
  std::function<void()> on_progress;
  // The index is in memory, and so many records wait of which HoldBack() was
  // told.
  std::function<void(const BacklogCounts& waiting)> on_loaded;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_OBSERVER_H_

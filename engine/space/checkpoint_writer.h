// Saves spaces in RocksDB.

#ifndef ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_
#define ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engine/space/space_state.h"
#include "storage/kv/store.h"

namespace engram::space {

struct SavedSpaces {
  size_t spaces = 0;  // those that had something to save
  uint64_t bytes = 0;
};

// Writes what each space has indexed since its last head, and a head that lists
// it, in one ingestion; the heads' LSNs advance only once that has succeeded:
// an error means that none was saved. Several spaces are members of one shared
// family, by rising id. The family exists, and nobody else checkpoints the
// spaces. `wait_durable` is asked to wait until the log holds everything up to
// the last head's LSN for good: after a power cut no head must be ahead of the
// log.
absl::StatusOr<SavedSpaces> CheckpointSpaces(
    absl::Span<SpaceState* const> spaces, kv::Store* store,
    absl::FunctionRef<absl::Status(Lsn)> wait_durable);

// The same for one. Returns the bytes written, 0 if there was nothing to save.
absl::StatusOr<uint64_t> CheckpointSpace(
    SpaceState* space, kv::Store* store,
    absl::FunctionRef<absl::Status(Lsn)> wait_durable = [](Lsn) {
      return absl::OkStatus();
    });

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_

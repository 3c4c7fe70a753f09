// Saves one space in RocksDB.

#ifndef ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_
#define ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/space/space_state.h"
#include "storage/kv/store.h"

namespace engram::space {

// Writes what the space has indexed since its last head, and a head that lists
// it, in one ingestion; the head's LSN advances only once that has succeeded.
// Returns the bytes written, 0 if there was nothing to save. The space's family
// exists, and nobody else checkpoints the space. `wait_durable` is asked to
// wait until the log holds everything up to the head's LSN for good: after a
// power cut a head must not be ahead of the log.
absl::StatusOr<uint64_t> CheckpointSpace(
    SpaceState* space, kv::Store* store,
    absl::FunctionRef<absl::Status(Lsn)> wait_durable = [](Lsn) {
      return absl::OkStatus();
    });

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CHECKPOINT_WRITER_H_

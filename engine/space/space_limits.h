// What a space may hold, and do at a time.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_LIMITS_H_
#define ENGRAM_ENGINE_SPACE_SPACE_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "engine/index/node_store.h"
#include "engine/ingest/admission_gate.h"

namespace engram::space {

struct SpaceLimits {
  ingest::AdmissionLimits admission;
  uint32_t flat_records_max = 1000;
  // Batches that may be planned at the same time.
  size_t batches_max = 4;
  // Versions that the index holds; what comes beyond becomes a dead letter.
  uint32_t slots_max = index::NodeStore::kSlotsMax;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_LIMITS_H_

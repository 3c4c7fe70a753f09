// Records on their way from the tail into the index.

#ifndef ENGRAM_ENGINE_SPACE_INDEX_BATCH_H_
#define ENGRAM_ENGINE_SPACE_INDEX_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "engine/index/epoch.h"
#include "engine/index/graph.h"
#include "engine/index/neighbor.h"
#include "engine/ingest/backlog_owner.h"
#include "engine/space/tail.h"

namespace engram::space {

struct IndexRecord {
  TailEntry* entry = nullptr;
  uint32_t slot = index::kNoSlot;  // none: there is nothing to link
  index::InsertPlan plan;
  absl::Status failure;  // why there is no slot although one was wanted
};

// Consecutive records of the tail that one worker plans. Batches have tickets,
// in the order of their records, and are linked in that order.
struct IndexBatch {
  uint64_t ticket = 0;

  // Held until the batch is linked: no slot that a plan names is given to
  // another version before that.
  index::EpochDomain::Guard guard;

  TailPin pin;  // keeps the entries
  std::vector<IndexRecord> records;
  size_t planned = 0;  // records in front that have their plan

  // Of its records, once they are indexed.
  std::vector<ingest::RecordLatency> latencies;

  // Slots whose versions were replaced before they were planned. Others may
  // have planned to link to them.
  std::vector<uint32_t> abandoned;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_INDEX_BATCH_H_

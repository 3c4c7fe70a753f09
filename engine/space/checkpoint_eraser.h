// Takes single versions out of a space's checkpoint for good.

#ifndef ENGRAM_ENGINE_SPACE_CHECKPOINT_ERASER_H_
#define ENGRAM_ENGINE_SPACE_CHECKPOINT_ERASER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

using IdSet = absl::flat_hash_set<std::string>;

struct ErasedRows {
  schema::Head head;   // the one before, if no row was erased
  uint64_t rows = 0;   // that were erased
  uint64_t bytes = 0;  // written
  // Where tables may still hold what was deleted or replaced; for
  // kv::Store::Expunge().
  std::vector<kv::Store::KeyRange> ranges;
};

// Of each row that holds a version of one of the ids with an LSN <= `up_to`,
// which must be removed and no node, the id and the vector are overwritten: a
// removed row keeps its number, so that no other changes. The segments of such
// rows are written anew, each as one part, with a head that lists them, in one
// ingestion under the new `generation`. Nobody else changes the checkpoint.
//   UNAVAILABLE  such a row is still a node, or live
//   DATA_LOSS    a part is damaged; nothing has changed
absl::StatusOr<ErasedRows> EraseRows(kv::Store* store,
                                     const std::string& family,
                                     const schema::Head& head,
                                     uint64_t generation, const IdSet& ids,
                                     Lsn up_to);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CHECKPOINT_ERASER_H_

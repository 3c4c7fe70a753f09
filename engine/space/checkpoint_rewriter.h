// Writes a space's checkpoint anew, without the rows that are gone.

#ifndef ENGRAM_ENGINE_SPACE_CHECKPOINT_REWRITER_H_
#define ENGRAM_ENGINE_SPACE_CHECKPOINT_REWRITER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "schema/part_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

struct RewrittenCheckpoint {
  schema::Head head;
  // Where each row of the head before is now; kNoRow: nowhere.
  std::vector<uint32_t> new_rows;
  uint64_t bytes = 0;  // written
};

// Rows keep their order and get the numbers from 0 on; those that are removed,
// and no node, are left out, but for the `kept` ones. What `head` lists is
// replaced, with all records, in one ingestion, under the new `generation`.
// DATA_LOSS if something of it is damaged; nothing has changed then.
absl::StatusOr<RewrittenCheckpoint> RewriteCheckpoint(
    kv::Store* store, const std::string& family, const schema::Head& head,
    uint64_t generation, const std::vector<bool>& kept);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_CHECKPOINT_REWRITER_H_

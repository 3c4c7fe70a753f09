// What a checkpoint of a space saves.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_SNAPSHOT_H_
#define ENGRAM_ENGINE_SPACE_SPACE_SNAPSHOT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engine/space/link_snapshot.h"
#include "engine/space/tail.h"
#include "schema/part_codec.h"
#include "schema/wal_codec.h"
#include "storage/wal/group.h"

namespace engram::space {

// What one space has indexed and not saved: records with an LSN above `above`,
// up to `up_to`. Equal where that is nothing.
struct Unsaved {
  Lsn above = 0;
  Lsn up_to = 0;
  uint64_t bytes = 0;
  uint64_t records = 0;
};

// Everything up to `lsn` that the last head does not have, and the links that
// have changed since then.
// Vectors and payloads are not copied: they stand in the log's groups.
struct SpaceSnapshot {
  // A version that gets the row previous.slot_count + its index in `rows`.
  struct NewRow {
    schema::RecordView record;
    std::shared_ptr<const wal::Group> group;
    // Not replaced or removed meanwhile; else it is saved because nodes still
    // link to it.
    bool live = false;
  };

  Lsn lsn = 0;
  schema::Head previous;  // generation 0: there is none
  uint32_t row_count = 0;
  uint32_t live_count = 0;
  bool has_graph = false;
  uint32_t entry_row = 0;
  uint32_t entry_layer = 0;
  std::vector<float> centre;
  LinkSnapshot links;
  std::vector<NewRow> rows;
  std::vector<std::string> removed_ids;  // sorted

  // What could not be indexed: new since the last head, and gone since then, by
  // LSN; and how many there are in all.
  struct NewDeadLetter {
    std::shared_ptr<const TailEntry> entry;
    absl::Status status;
  };
  std::vector<NewDeadLetter> dead_letters;
  std::vector<Lsn> ended_dead_letters;
  uint32_t dead_letter_count = 0;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_SNAPSHOT_H_

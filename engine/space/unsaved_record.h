// Records that are indexed and not yet in a head.

#ifndef ENGRAM_ENGINE_SPACE_UNSAVED_RECORD_H_
#define ENGRAM_ENGINE_SPACE_UNSAVED_RECORD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/hash/hash.h"
#include "schema/wal_codec.h"
#include "storage/base/mapped_allocator.h"
#include "storage/wal/group.h"

namespace engram::space {

struct UnsavedRecord {
  schema::RecordView record;  // points into `group`
  std::shared_ptr<const wal::Group> group;
  uint32_t slot = 0;

  // Its part of the group, which stays for the sake of its last record.
  uint64_t memory_bytes() const {
    return group->bytes().size() / group->record_count();
  }
};

// By LSN.
using UnsavedMap =
    absl::flat_hash_map<Lsn, UnsavedRecord, absl::Hash<Lsn>, std::equal_to<Lsn>,
                        MappedAllocator<std::pair<const Lsn, UnsavedRecord>>>;

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_UNSAVED_RECORD_H_

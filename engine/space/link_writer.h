// Which link parts a checkpoint writes: what has changed, or more.

#ifndef ENGRAM_ENGINE_SPACE_LINK_WRITER_H_
#define ENGRAM_ENGINE_SPACE_LINK_WRITER_H_

#include <string>

#include "absl/status/status.h"
#include "engine/space/link_snapshot.h"
#include "schema/part_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

// Puts the links of a checkpoint into `ingest`, and makes head->link_parts and
// head->link_deltas list them; `previous` is the head before.
//
// A delta holds the rows that have changed. It takes those deltas in that are
// not twice its size, so their sizes fall by half at least, and there are few;
// each row is written again once for each doubling. When all deltas together
// have more than kDeltaShare of the rows, everything becomes a new base. Both
// are put together from the files, part by part: indexing does not wait for
// it, and memory holds no more than the parts that are being read.
absl::Status PutLinks(const kv::Store& store, const std::string& family,
                      const schema::Head& previous, LinkSnapshot* links,
                      schema::Head* head, kv::Ingest* ingest);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_LINK_WRITER_H_

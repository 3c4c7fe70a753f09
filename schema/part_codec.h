// The values of one space's checkpoint: head, vector parts, link parts, records
// and dead letters. A `slot` is a row here: a version's place in the order in
// which the space's checkpoints have saved them, which never changes. Decoding
// accepts any bytes and checks what they mean as far as one value can tell;
// engine/index checks the graph as a whole.

#ifndef ENGRAM_SCHEMA_PART_CODEC_H_
#define ENGRAM_SCHEMA_PART_CODEC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/envelope.h"
#include "schema/space_codec.h"
#include "schema/wal_layout.h"

namespace engram::schema {

// Where a part is and what it holds; `index` is a vector part's segment or a
// link part's number.
struct PartReference {
  uint64_t generation = 0;
  uint32_t index = 0;
  uint32_t first_slot = 0;
  uint32_t count = 0;
  uint32_t crc = 0;
};

struct Head {
  uint64_t generation = 0;
  Lsn checkpoint_lsn = 0;
  SpaceDescription space;
  uint32_t slot_count = 0;
  uint32_t live_count = 0;
  bool has_graph = false;
  uint32_t entry_slot = 0;
  uint32_t entry_layer = 0;
  std::vector<PartReference> vector_parts;  // by first_slot, without gaps
  // The base of the links: rows from 0 on, by first_slot, without gaps. Of
  // versions before 4, all rows.
  std::vector<PartReference> link_parts;
  // What has changed since then, and what is new, by generation and index; of
  // the parts that have a row the last one holds. Empty before version 4.
  std::vector<PartReference> link_deltas;
  // What the graph's vectors are centred by; empty, or `dimension` finite
  // numbers. Empty without a graph and in heads of version 1.
  std::vector<float> centre;
  uint32_t dead_letters = 0;  // 0 in heads before version 3
};

std::string EncodeHead(const Head& head);
absl::StatusOr<Head> DecodeHead(uint64_t space_id, absl::string_view value);

// Rows of one segment. A segment is as many rows as surely fit in a value.
uint32_t VectorSegmentSlots(uint32_t dimension);

struct VectorPart {
  uint32_t first_slot = 0;
  uint32_t dimension = 0;
  std::vector<Lsn> lsns;
  // These point into `value`, also after a move.
  std::vector<absl::string_view> ids;
  absl::Span<const float> rows;  // lsns.size() * dimension
  UnwrappedValue value;

  absl::Span<const float> row(size_t i) const {
    return rows.subspan(i * size_t{dimension}, dimension);
  }
};

// One row's contribution to a part; borrows everything.
struct VectorRow {
  Lsn lsn = 0;
  absl::string_view id;
  absl::Span<const float> vector;
};

// The i-th row of a part that was read.
inline VectorRow RowOf(const VectorPart& part, size_t i) {
  return {part.lsns[i], part.ids[i], part.row(i)};
}

std::string EncodeVectorPart(uint64_t space_id, uint64_t generation,
                             uint32_t first_slot,
                             absl::Span<const VectorRow> rows);
absl::StatusOr<VectorPart> DecodeVectorPart(uint64_t space_id,
                                            uint32_t dimension,
                                            const PartReference& reference,
                                            absl::string_view value);

// The same of a part that no head need list, under its key; also of
// kAnyDimension.
absl::StatusOr<VectorPart> DecodeUnlistedVectorPart(uint64_t space_id,
                                                    uint32_t dimension,
                                                    absl::string_view key,
                                                    absl::string_view value);

// NodeLinks::twin_of of what is no twin.
inline constexpr uint32_t kNoTwin = UINT32_MAX;

// What a checkpoint says of one row. layers[l] holds its neighbors on layer l.
// Without layers are: every row of a space without a graph; a twin, which has
// the codes of another live node, its head, and is found through it; and a
// removed row, unless its version was still a node when the row was written.
struct NodeLinks {
  uint32_t slot = 0;
  bool removed = false;
  std::vector<std::vector<uint32_t>> layers;
  uint32_t twin_of = kNoTwin;  // its head's row
};

// Rows of one link part at most.
inline constexpr uint32_t kLinkPartNodes = 4096;

// Sorts each node's neighbors. A twin must be neither removed nor have layers.
std::string EncodeLinkPart(uint64_t space_id, uint64_t generation,
                           absl::Span<NodeLinks> nodes);

// `slot_count` bounds every row, `M` every list (2 M on layer 0). A twin's head
// is another row; that it is a live node with layers is for the caller to see.
absl::StatusOr<std::vector<NodeLinks>> DecodeLinkPart(
    uint64_t space_id, uint32_t slot_count, uint32_t M,
    const PartReference& reference, absl::string_view value);

struct Record {
  Lsn lsn = 0;
  uint32_t slot = 0;
  int64_t timestamp_us = 0;
  std::string payload;
};

std::string EncodeRecordValue(uint64_t space_id, Lsn lsn, uint32_t slot,
                              int64_t timestamp_us, absl::string_view payload);
absl::StatusOr<Record> DecodeRecordValue(uint64_t space_id,
                                         absl::string_view value);

// An observation that was accepted and could not be indexed, and why.
struct DeadLetter {
  Lsn lsn = 0;
  int64_t timestamp_us = 0;
  std::string id;
  std::vector<float> vector;
  std::string payload;
  absl::Status status;  // never OK
};

// Borrows everything.
struct DeadLetterView {
  Lsn lsn = 0;
  int64_t timestamp_us = 0;
  absl::string_view id;
  absl::Span<const float> vector;
  absl::string_view payload;
  absl::StatusCode code = absl::StatusCode::kUnknown;
  absl::string_view message;
};

std::string EncodeDeadLetter(uint64_t space_id, const DeadLetterView& letter);

// DATA_LOSS also where its LSN or the vector's dimension is another one. That
// its components are in range is for the caller to see.
absl::StatusOr<DeadLetter> DecodeDeadLetter(uint64_t space_id, Lsn lsn,
                                            uint32_t dimension,
                                            absl::string_view value);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_PART_CODEC_H_

#include "engine/space/checkpoint_writer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "schema/envelope.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

// Parts that a segment may have before they become one. Each is a reference in
// the head, and a table.
constexpr size_t kSegmentPartsMax = 8;

// Where the new vectors start that a checkpoint writes: behind the last head's,
// or, if the last segment is not full and has many parts, at the start of that
// segment. Its parts are then taken from `head` and deleted.
absl::StatusOr<uint32_t> MergeLastSegment(uint32_t slot_count,
                                          uint32_t per_segment,
                                          schema::Head* head,
                                          kv::Ingest* ingest) {
  std::vector<schema::PartReference>& parts = head->vector_parts;
  if (slot_count % per_segment == 0 || parts.size() < kSegmentPartsMax) {
    return slot_count;
  }
  const uint32_t segment = parts.back().index;
  const size_t first = parts.size() - kSegmentPartsMax;
  if (parts[first].index != segment) return slot_count;
  size_t kept = parts.size();
  while (kept > 0 && parts[kept - 1].index == segment) --kept;
  // In ascending order: generations rise.
  for (size_t i = kept; i < parts.size(); ++i) {
    ENGRAM_RETURN_IF_ERROR(ingest->Delete(
        schema::VectorPartKey(parts[i].index, parts[i].generation)));
  }
  parts.resize(kept);
  return segment * per_segment;
}

// Slots that are new since the last head, a part for each segment.
absl::Status PutVectors(const SpaceState& space, const SpaceSnapshot& snapshot,
                        schema::Head* head, kv::Ingest* ingest) {
  const uint32_t per_segment =
      schema::VectorSegmentSlots(space.description().dimension);
  uint32_t slot = snapshot.previous.slot_count;
  if (slot < snapshot.slot_count) {
    ENGRAM_ASSIGN_OR_RETURN(slot,
                            MergeLastSegment(slot, per_segment, head, ingest));
  }
  while (slot < snapshot.slot_count) {
    const uint32_t segment = slot / per_segment;
    const uint32_t end =
        std::min(snapshot.slot_count, (segment + 1) * per_segment);
    std::vector<schema::VectorRow> rows;
    rows.reserve(end - slot);
    for (uint32_t i = slot; i < end; ++i) rows.push_back(space.Row(i));
    const std::string value =
        schema::EncodeVectorPart(space.id(), head->generation, slot, rows);
    ENGRAM_RETURN_IF_ERROR(
        ingest->Put(schema::VectorPartKey(segment, head->generation), value));
    head->vector_parts.push_back({head->generation, segment, slot, end - slot,
                                  schema::EnvelopeCrc(value)});
    slot = end;
  }
  return absl::OkStatus();
}

// The keys of the links before, which a new base replaces, sort before its
// own: their generation is lower.
absl::Status PutLinks(SpaceSnapshot* snapshot, uint64_t space_id,
                      schema::Head* head, kv::Ingest* ingest) {
  for (const schema::PartReference& part : snapshot->previous.link_parts) {
    ENGRAM_RETURN_IF_ERROR(
        ingest->Delete(schema::LinkPartKey(part.generation, part.index)));
  }
  const auto nodes = absl::MakeSpan(snapshot->nodes);
  uint32_t index = 0;
  for (size_t first = 0; first < nodes.size();
       first += schema::kLinkPartNodes, ++index) {
    const auto part = nodes.subspan(first, schema::kLinkPartNodes);
    const std::string value =
        schema::EncodeLinkPart(space_id, head->generation, part);
    ENGRAM_RETURN_IF_ERROR(
        ingest->Put(schema::LinkPartKey(head->generation, index), value));
    head->link_parts.push_back(
        {head->generation, index, static_cast<uint32_t>(first),
         static_cast<uint32_t>(part.size()), schema::EnvelopeCrc(value)});
  }
  return absl::OkStatus();
}

// Records and removals, merged into one ascending sequence of keys.
absl::Status PutRecords(const SpaceSnapshot& snapshot, uint64_t space_id,
                        kv::Ingest* ingest) {
  auto removed = snapshot.removed_ids.begin();
  const auto removed_end = snapshot.removed_ids.end();
  for (const SpaceSnapshot::SavedRecord& saved : snapshot.records) {
    for (; removed != removed_end && *removed < saved.id; ++removed) {
      ENGRAM_RETURN_IF_ERROR(ingest->Delete(schema::RecordKey(*removed)));
    }
    if (removed != removed_end && *removed == saved.id) ++removed;
    ENGRAM_RETURN_IF_ERROR(ingest->Put(
        schema::RecordKey(saved.id),
        schema::EncodeRecordValue(space_id, saved.record.lsn, saved.slot,
                                  saved.record.timestamp_us,
                                  saved.record.payload)));
  }
  for (; removed != removed_end; ++removed) {
    ENGRAM_RETURN_IF_ERROR(ingest->Delete(schema::RecordKey(*removed)));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Save(SpaceState* space, SpaceSnapshot* snapshot,
                              schema::Head* head, kv::Store* store) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<kv::Ingest> ingest,
                          store->NewIngest(space->family()));
  ENGRAM_RETURN_IF_ERROR(PutVectors(*space, *snapshot, head, ingest.get()));
  ENGRAM_RETURN_IF_ERROR(PutLinks(snapshot, space->id(), head, ingest.get()));
  const std::string encoded_head = schema::EncodeHead(*head);
  if (encoded_head.size() > schema::kHeadBytesMax) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "space \"", space->name(), "\": the head has ", encoded_head.size(),
        " bytes, readers take up to ", schema::kHeadBytesMax));
  }
  ENGRAM_RETURN_IF_ERROR(ingest->Put(schema::kHeadKey, encoded_head));
  ENGRAM_RETURN_IF_ERROR(PutRecords(*snapshot, space->id(), ingest.get()));
  ENGRAM_RETURN_IF_ERROR(ingest->Commit());
  return ingest->bytes();
}

}  // namespace

absl::StatusOr<uint64_t> CheckpointSpace(SpaceState* space, kv::Store* store) {
  if (!space->HasUnsaved()) return 0;
  SpaceSnapshot snapshot = space->BeginCheckpoint();
  schema::Head head;
  head.generation = space->NextGeneration();
  head.checkpoint_lsn = snapshot.lsn;
  head.space = space->description();
  head.slot_count = snapshot.slot_count;
  head.live_count = snapshot.live_count;
  head.has_graph = snapshot.has_graph;
  head.entry_slot = snapshot.entry_point.slot;
  head.entry_layer = snapshot.entry_point.layer;
  head.vector_parts = snapshot.previous.vector_parts;
  absl::StatusOr<uint64_t> bytes = Save(space, &snapshot, &head, store);
  if (!bytes.ok()) {
    space->AbortCheckpoint();
    return bytes.status();
  }
  space->CommitCheckpoint(head);
  return bytes;
}

}  // namespace engram::space

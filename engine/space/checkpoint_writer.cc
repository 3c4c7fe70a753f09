#include "engine/space/checkpoint_writer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/link_writer.h"
#include "engine/space/part_reader.h"
#include "engine/space/slot_table.h"
#include "schema/envelope.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "storage/base/check.h"
#include "storage/base/helper_thread.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

// Parts that a segment may have before they become one. Each is a reference in
// the head, and a table.
constexpr size_t kSegmentPartsMax = 8;

// So much of vectors is written beside the links: their thread waits for the
// disk half of the time.
constexpr size_t kBytesBeside = size_t{4} << 20;

// kNoRow is none.
constexpr uint64_t kRowsMax = kNoRow;

// If the last segment is not full and has many parts, takes these from the
// `references`, deletes them and returns them, to be written again as one with
// what is new.
absl::StatusOr<std::vector<schema::VectorPart>> TakeLastSegment(
    const SpaceState& space, uint32_t per_segment, const kv::Store& store,
    std::vector<schema::PartReference>* references, kv::Ingest* ingest) {
  std::vector<schema::VectorPart> taken;
  std::vector<schema::PartReference>& parts = *references;
  if (parts.size() < kSegmentPartsMax) return taken;
  const schema::PartReference& last = parts.back();
  const uint32_t segment = last.index;
  if ((last.first_slot + last.count) % per_segment == 0 ||
      parts[parts.size() - kSegmentPartsMax].index != segment) {
    return taken;
  }
  size_t kept = parts.size();
  while (kept > 0 && parts[kept - 1].index == segment) --kept;
  // In ascending order: generations rise. Vectors are read back: memory may not
  // have them any more.
  for (size_t i = kept; i < parts.size(); ++i) {
    ENGRAM_ASSIGN_OR_RETURN(
        schema::VectorPart part,
        ReadVectorPart(store, space.family(), space.description(), parts[i]));
    taken.push_back(std::move(part));
    ENGRAM_RETURN_IF_ERROR(ingest->Delete(
        schema::VectorPartKey(parts[i].index, parts[i].generation)));
  }
  parts.resize(kept);
  return taken;
}

// Rows that are new since the last head, a part for each segment.
absl::Status PutVectors(const SpaceState& space, const SpaceSnapshot& snapshot,
                        const kv::Store& store, uint64_t generation,
                        std::vector<schema::PartReference>* references,
                        kv::Ingest* ingest) {
  if (snapshot.rows.empty()) return absl::OkStatus();
  const uint32_t per_segment =
      schema::VectorSegmentSlots(space.description().dimension);
  ENGRAM_ASSIGN_OR_RETURN(
      const std::vector<schema::VectorPart> old_parts,
      TakeLastSegment(space, per_segment, store, references, ingest));
  uint32_t row = snapshot.previous.slot_count;
  std::vector<schema::VectorRow> rows;  // up to `row`, not written yet
  if (!old_parts.empty()) row = old_parts.front().first_slot;
  for (const schema::VectorPart& part : old_parts) {
    for (size_t i = 0; i < part.lsns.size(); ++i) {
      rows.push_back(schema::RowOf(part, i));
    }
  }
  auto next = snapshot.rows.begin();
  while (row < snapshot.row_count) {
    const uint32_t segment = row / per_segment;
    const uint32_t end =
        std::min(snapshot.row_count, (segment + 1) * per_segment);
    while (rows.size() < end - row) {
      rows.push_back({next->record.lsn, next->record.id, next->record.vector});
      ++next;
    }
    const std::string value =
        schema::EncodeVectorPart(space.id(), generation, row, rows);
    ENGRAM_RETURN_IF_ERROR(
        ingest->Put(schema::VectorPartKey(segment, generation), value));
    references->push_back(
        {generation, segment, row, end - row, schema::EnvelopeCrc(value)});
    row = end;
    rows.clear();
  }
  return absl::OkStatus();
}

// New ones and those that are gone, merged into one ascending sequence of keys.
absl::Status PutDeadLetters(const SpaceSnapshot& snapshot, uint64_t space_id,
                            kv::Ingest* ingest) {
  std::map<Lsn, const SpaceSnapshot::NewDeadLetter*> changes;  // null: gone
  for (const Lsn lsn : snapshot.ended_dead_letters) changes[lsn] = nullptr;
  for (const SpaceSnapshot::NewDeadLetter& letter : snapshot.dead_letters) {
    changes[letter.entry->record.lsn] = &letter;
  }
  for (const auto& [lsn, letter] : changes) {
    const std::string key = schema::DeadLetterKey(lsn);
    if (letter == nullptr) {
      ENGRAM_RETURN_IF_ERROR(ingest->Delete(key));
      continue;
    }
    const schema::RecordView& record = letter->entry->record;
    ENGRAM_RETURN_IF_ERROR(ingest->Put(
        key, schema::EncodeDeadLetter(
                 space_id, {lsn, record.timestamp_us, record.id, record.vector,
                            record.payload, letter->status.code(),
                            letter->status.message()})));
  }
  return absl::OkStatus();
}

// Records and removals, merged into one ascending sequence of keys.
absl::Status PutRecords(const SpaceSnapshot& snapshot, uint64_t space_id,
                        kv::Ingest* ingest) {
  std::vector<uint32_t> order;  // of the live ones, by id
  for (uint32_t i = 0; i < snapshot.rows.size(); ++i) {
    if (snapshot.rows[i].live) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return snapshot.rows[a].record.id < snapshot.rows[b].record.id;
  });
  auto removed = snapshot.removed_ids.begin();
  const auto removed_end = snapshot.removed_ids.end();
  for (const uint32_t i : order) {
    const schema::RecordView& record = snapshot.rows[i].record;
    for (; removed != removed_end && *removed < record.id; ++removed) {
      ENGRAM_RETURN_IF_ERROR(ingest->Delete(schema::RecordKey(*removed)));
    }
    if (removed != removed_end && *removed == record.id) ++removed;
    ENGRAM_RETURN_IF_ERROR(ingest->Put(
        schema::RecordKey(record.id),
        schema::EncodeRecordValue(space_id, record.lsn,
                                  snapshot.previous.slot_count + i,
                                  record.timestamp_us, record.payload)));
  }
  for (; removed != removed_end; ++removed) {
    ENGRAM_RETURN_IF_ERROR(ingest->Delete(schema::RecordKey(*removed)));
  }
  return absl::OkStatus();
}

schema::Head HeadOf(SpaceState* space, const SpaceSnapshot& snapshot) {
  schema::Head head;
  head.generation = space->NextGeneration();
  head.checkpoint_lsn = snapshot.lsn;
  head.space = space->description();
  head.slot_count = snapshot.row_count;
  head.live_count = snapshot.live_count;
  head.has_graph = snapshot.has_graph;
  head.entry_slot = snapshot.entry_row;
  head.entry_layer = snapshot.entry_layer;
  head.centre = snapshot.centre;
  head.vector_parts = snapshot.previous.vector_parts;
  head.dead_letters = snapshot.dead_letter_count;
  return head;
}

// What one space saves, from the snapshot to the commit.
class Saving {
 public:
  explicit Saving(SpaceState* space)
      : space_(*space),
        snapshot_(space->BeginCheckpoint()),
        head_(HeadOf(space, snapshot_)) {}

  ~Saving() {
    if (!ended_) space_.AbortCheckpoint();
  }

  Saving(const Saving&) = delete;
  Saving& operator=(const Saving&) = delete;

  Lsn lsn() const { return snapshot_.lsn; }

  // `last` of those that share the ingestion.
  absl::Status Put(kv::Store* store, kv::Ingest* ingest, bool last) {
    ENGRAM_RETURN_IF_ERROR(CheckRows());
    ENGRAM_RETURN_IF_ERROR(PutParts(*store, ingest, last));
    const std::string encoded_head = schema::EncodeHead(head_);
    if (encoded_head.size() > schema::kHeadBytesMax) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "space \"", space_.name(), "\": the head has ", encoded_head.size(),
          " bytes, readers take up to ", schema::kHeadBytesMax));
    }
    ENGRAM_RETURN_IF_ERROR(ingest->Put(schema::kHeadKey, encoded_head));
    return PutRecords(snapshot_, space_.id(), ingest);
  }

  void Commit(kv::Store* store) {
    space_.CommitCheckpoint(store, head_);
    ended_ = true;
  }

 private:
  absl::Status CheckRows() const {
    const uint64_t rows =
        uint64_t{snapshot_.previous.slot_count} + snapshot_.rows.size();
    if (rows <= kRowsMax) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "space \"", space_.name(), "\": would have ", rows,
        " rows, the limit is ", kRowsMax, "; Compact() numbers them anew"));
  }

  // Vectors, and everything up to the head. Each has a table of its own.
  absl::Status PutParts(const kv::Store& store, kv::Ingest* ingest, bool last) {
    const uint64_t bytes =
        snapshot_.rows.size() * space_.description().dimension * sizeof(float);
    if (bytes < kBytesBeside) {
      ENGRAM_RETURN_IF_ERROR(PutAllVectors(store, ingest));
      return PutOthers(store, ingest);
    }
    ingest->WriteVectorsUncached();
    absl::Status vectors;
    HelperThread beside([&] {
      vectors = PutAllVectors(store, ingest);
      if (vectors.ok() && last) vectors = ingest->FinishVectors();
    });
    const absl::Status others = PutOthers(store, ingest);
    beside.Join();
    vectors.Update(others);
    return vectors;
  }

  absl::Status PutAllVectors(const kv::Store& store, kv::Ingest* ingest) {
    return PutVectors(space_, snapshot_, store, head_.generation,
                      &head_.vector_parts, ingest);
  }

  absl::Status PutOthers(const kv::Store& store, kv::Ingest* ingest) {
    ENGRAM_RETURN_IF_ERROR(PutDeadLetters(snapshot_, space_.id(), ingest));
    return PutLinks(store, space_.family(), snapshot_.previous,
                    &snapshot_.links, &head_, ingest);
  }

  SpaceState& space_;
  SpaceSnapshot snapshot_;
  schema::Head head_;
  bool ended_ = false;
};

}  // namespace

absl::StatusOr<SavedSpaces> CheckpointSpaces(
    absl::Span<SpaceState* const> spaces, kv::Store* store,
    absl::FunctionRef<absl::Status(Lsn)> wait_durable) {
  std::vector<std::unique_ptr<Saving>> savings;
  std::vector<SpaceState*> saved;
  Lsn last_lsn = 0;
  for (SpaceState* const space : spaces) {
    if (!space->HasUnsaved()) continue;
    auto saving = std::make_unique<Saving>(space);
    // Records that waited were left out of the index, but a power cut may still
    // take the drop, and then the space is as it was.
    if (space->dropped_lsn() != 0) continue;
    last_lsn = std::max(last_lsn, saving->lsn());
    savings.push_back(std::move(saving));
    saved.push_back(space);
  }
  if (savings.empty()) return SavedSpaces();
  ENGRAM_RETURN_IF_ERROR(wait_durable(last_lsn));
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<kv::Ingest> ingest,
                          store->NewIngest(saved.front()->family()));
  for (size_t i = 0; i < savings.size(); ++i) {
    if (spaces.size() > 1) ingest->SelectMember(saved[i]->id());
    ENGRAM_RETURN_IF_ERROR(
        savings[i]->Put(store, ingest.get(), i + 1 == savings.size()));
  }
  ENGRAM_RETURN_IF_ERROR(ingest->Commit());
  for (const std::unique_ptr<Saving>& saving : savings) saving->Commit(store);
  return SavedSpaces{savings.size(), ingest->bytes()};
}

absl::StatusOr<uint64_t> CheckpointSpace(
    SpaceState* space, kv::Store* store,
    absl::FunctionRef<absl::Status(Lsn)> wait_durable) {
  ENGRAM_ASSIGN_OR_RETURN(const SavedSpaces saved,
                          CheckpointSpaces({space}, store, wait_durable));
  return saved.bytes;
}

}  // namespace engram::space

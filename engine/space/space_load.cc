// The loading part of SpaceState. What is read may be hostile: it was checked
// value by value when it was decoded, and is checked here, and by the graph, as
// a whole.

#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/space/part_reader.h"
#include "engine/space/space_state.h"
#include "schema/vector_check.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::space {

// All rows of a head.
struct SpaceState::LoadedRows {
  std::string family;
  std::vector<schema::NodeLinks> nodes;  // nodes[row]
  std::vector<uint32_t> slots;           // slots[row], or index::kNoSlot

  // Whether the row gets a slot. A removed one does where nodes link to it: it
  // is unlinked once all are there.
  bool IsWanted(uint32_t row) const {
    return !nodes[row].removed || !nodes[row].layers.empty();
  }
};

namespace {

absl::Status BadRow(absl::string_view family, absl::string_view key,
                    uint32_t row, absl::string_view what) {
  return InFamily(family, key,
                  absl::DataLossError(absl::StrCat("row ", row, ": ", what)));
}

// What one row must say for itself in a space with or without a graph.
absl::Status CheckNode(const schema::NodeLinks& node, uint32_t row,
                       bool has_graph) {
  if (node.slot != row) {
    return absl::DataLossError(
        absl::StrCat("row ", node.slot, " stands where row ", row, " should"));
  }
  const bool twin = node.twin_of != schema::kNoTwin;
  if (!has_graph && (twin || !node.layers.empty())) {
    return absl::DataLossError(
        absl::StrCat("row ", row, ": has links, but there is no graph"));
  }
  if (has_graph && !node.removed && !twin && node.layers.empty()) {
    return absl::DataLossError(absl::StrCat("row ", row, ": has no layers"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SpaceState::Load(const kv::Store& store,
                              const schema::Head& head) {
  MutexLock turn_lock(turn_mutex_);
  ENGRAM_CHECK(index_.slot_count() == 0);
  LoadedRows rows;
  rows.family = family();
  if (!(head.space == description_)) {
    return absl::DataLossError(
        absl::StrCat("column family ", rows.family,
                     ": its head describes another space than the catalog"));
  }
  ENGRAM_RETURN_IF_ERROR(LoadLinks(store, head, &rows));
  if (head.has_graph) {
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<float> centre,
                            CentreOf(store, head, rows));
    index_.StartGraph(centre);
  }
  ENGRAM_RETURN_IF_ERROR(LoadVectors(store, head, &rows));
  if (head.has_graph) ENGRAM_RETURN_IF_ERROR(RestoreGraph(head, &rows));
  row_slots_ = rows.slots;
  DiscardRemoved(rows);
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<schema::DeadLetter> letters,
                          ReadDeadLetters(store, rows.family, description_));
  MutexLock lock(mutex_);
  if (versions_.size() != head.live_count) {
    return absl::DataLossError(absl::StrCat(
        "column family ", rows.family, ": holds ", versions_.size(),
        " live rows, its head says ", head.live_count));
  }
  ENGRAM_RETURN_IF_ERROR(AddDeadLetters(letters, head));
  ENGRAM_CHECK(published_lsn_ == 0);
  head_ = head;
  last_generation_ = head.generation;
  published_lsn_ = head.checkpoint_lsn;
  indexed_lsn_ = head.checkpoint_lsn;
  return absl::OkStatus();
}

// `letters` is what the family of `head` holds.
absl::Status SpaceState::AddDeadLetters(
    absl::Span<const schema::DeadLetter> letters, const schema::Head& head) {
  if (letters.size() != head.dead_letters) {
    return InFamily(family_, "m/head",
                    absl::DataLossError(absl::StrCat(
                        "there are ", letters.size(),
                        " dead letters, and it says ", head.dead_letters)));
  }
  for (const schema::DeadLetter& letter : letters) {
    absl::Status status = CheckVector(description_, letter.vector);
    if (status.ok() && letter.lsn > head.checkpoint_lsn) {
      status = absl::DataLossError(
          absl::StrCat("the head's LSN is ", head.checkpoint_lsn));
    }
    if (status.ok() && versions_.Find(letter.id).has_value()) {
      status = absl::DataLossError("its id is live elsewhere");
    }
    if (!status.ok()) {
      return InFamily(family_, absl::StrCat("d/", letter.lsn),
                      absl::DataLossError(status.message()));
    }
    schema::RecordView record;
    record.lsn = letter.lsn;
    record.space_id = id();
    record.id = letter.id;
    record.vector = letter.vector;
    record.payload = letter.payload;
    record.timestamp_us = letter.timestamp_us;
    TailEntry* const entry = dead_letters_.Add(
        record, index_.distance().InverseNorm(record.vector), letter.status,
        /*saved=*/true);
    versions_.Put(entry->record.id, VersionRef::InTail(entry));
  }
  dead_letter_count_.store(dead_letters_.size(), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status SpaceState::LoadLinks(const kv::Store& store,
                                   const schema::Head& head, LoadedRows* rows) {
  for (const schema::PartReference& reference : head.link_parts) {
    ENGRAM_ASSIGN_OR_RETURN(std::vector<schema::NodeLinks> nodes,
                            ReadLinkPart(store, rows->family, head, reference));
    for (schema::NodeLinks& node : nodes) {
      const absl::Status status = CheckNode(
          node, static_cast<uint32_t>(rows->nodes.size()), head.has_graph);
      if (!status.ok()) {
        return InFamily(rows->family, LinkPartName(reference), status);
      }
      rows->nodes.push_back(std::move(node));
    }
  }
  if (rows->nodes.size() != head.slot_count) {
    return InFamily(rows->family, "m/head",
                    absl::DataLossError(
                        absl::StrCat("its link parts hold ", rows->nodes.size(),
                                     " of ", head.slot_count, " rows")));
  }
  rows->slots.assign(rows->nodes.size(), index::kNoSlot);
  return absl::OkStatus();
}

// The centre that the head has. Heads of version 1 have none, and their vectors
// no codes: any centre will do then, so it is what a new graph would get.
absl::StatusOr<std::vector<float>> SpaceState::CentreOf(
    const kv::Store& store, const schema::Head& head,
    const LoadedRows& rows) const {
  if (!head.centre.empty() ||
      index_.quantization() == schema::Quantization::kNone) {
    return head.centre;
  }
  std::vector<schema::VectorPart> parts;
  for (const schema::PartReference& reference : head.vector_parts) {
    ENGRAM_ASSIGN_OR_RETURN(
        schema::VectorPart part,
        ReadVectorPart(store, rows.family, description_, reference));
    parts.push_back(std::move(part));
  }
  std::vector<const float*> live;
  for (const schema::VectorPart& part : parts) {
    for (size_t i = 0; i < part.lsns.size(); ++i) {
      if (rows.nodes[part.first_slot + i].removed) continue;
      live.push_back(part.rows.data() + i * size_t{part.dimension});
    }
  }
  if (live.empty()) return std::vector<float>(description_.dimension);
  return index::Graph::CentreOf(description_.metric, description_.dimension,
                                live);
}

absl::Status SpaceState::LoadVectors(const kv::Store& store,
                                     const schema::Head& head,
                                     LoadedRows* rows) {
  for (const schema::PartReference& reference : head.vector_parts) {
    ENGRAM_ASSIGN_OR_RETURN(
        const schema::VectorPart part,
        ReadVectorPart(store, rows->family, description_, reference));
    const absl::Status status = LoadPart(part, head, rows);
    if (!status.ok()) {
      return InFamily(rows->family, VectorPartName(reference), status);
    }
  }
  return absl::OkStatus();
}

absl::Status SpaceState::LoadPart(const schema::VectorPart& part,
                                  const schema::Head& head, LoadedRows* rows) {
  for (size_t i = 0; i < part.lsns.size(); ++i) {
    const auto row = static_cast<uint32_t>(part.first_slot + i);
    const auto vector = absl::MakeConstSpan(part.rows).subspan(
        i * size_t{part.dimension}, part.dimension);
    if (part.lsns[i] == 0 || part.lsns[i] > head.checkpoint_lsn) {
      return absl::DataLossError(absl::StrCat("row ", row, " has LSN ",
                                              part.lsns[i], ", the head's is ",
                                              head.checkpoint_lsn));
    }
    if (const absl::Status status = CheckVector(description_, vector);
        !status.ok()) {
      return absl::DataLossError(status.message());
    }
    if (!rows->IsWanted(row)) continue;
    const absl::string_view id = part.ids[i];
    const std::vector<uint32_t> reserved =
        index_.Reserve(absl::MakeConstSpan(&id, 1));
    if (reserved.empty()) return NoRoom();
    const uint32_t slot = reserved.front();
    index_.Fill(slot, vector, turn_scratch_);
    rows->slots[row] = slot;
    SlotInfo& info = index_[slot];
    info.row = row;
    // Relaxed: nobody searches yet. When exactly a version was removed is not
    // saved: before the head was.
    info.lsn.store(part.lsns[i], std::memory_order_relaxed);
    info.remove_lsn.store(
        rows->nodes[row].removed ? head.checkpoint_lsn : kNeverRemoved,
        std::memory_order_relaxed);
    published_slots_.fetch_add(1, std::memory_order_relaxed);
    if (rows->nodes[row].removed) continue;
    MutexLock lock(mutex_);
    if (versions_.Find(id).has_value()) {
      return absl::DataLossError(
          absl::StrCat("row ", row, ": its id is live twice"));
    }
    versions_.Put(id, VersionRef::InSlot(slot));
  }
  return absl::OkStatus();
}

absl::Status SpaceState::RestoreGraph(const schema::Head& head,
                                      LoadedRows* rows) {
  index::Graph* const graph = index_.graph();
  MutexLock link_lock(index_.link_mutex());
  for (uint32_t row = 0; row < rows->nodes.size(); ++row) {
    const uint32_t slot = rows->slots[row];
    if (slot == index::kNoSlot) continue;
    schema::NodeLinks& node = rows->nodes[row];
    const bool twin = node.twin_of != schema::kNoTwin;
    if (twin) {
      if (rows->nodes[node.twin_of].removed) {
        return BadRow(rows->family, "l/", row,
                      absl::StrCat("is a twin of row ", node.twin_of,
                                   ", which is removed"));
      }
      node.layers = {{node.twin_of}};
    }
    for (std::vector<uint32_t>& neighbors : node.layers) {
      for (uint32_t& neighbor : neighbors) {
        const uint32_t linked = rows->slots[neighbor];
        if (linked == index::kNoSlot) {
          return BadRow(rows->family, "l/", row,
                        absl::StrCat("leads to row ", neighbor,
                                     ", which is removed and no node"));
        }
        neighbor = linked;
      }
    }
    const absl::Status status =
        twin ? graph->RestoreTwin(slot, node.layers[0][0])
             : graph->RestoreNode(slot,
                                  static_cast<uint32_t>(node.layers.size() - 1),
                                  node.layers);
    if (!status.ok()) return BadRow(rows->family, "l/", row, status.message());
  }
  index::EntryPoint entry;
  entry.exists = true;
  entry.slot = rows->slots[head.entry_slot];
  entry.layer = head.entry_layer;
  absl::Status status = graph->RestoreEntryPoint(entry);
  if (status.ok()) status = graph->FinishRestore();
  return status.ok() ? status : InFamily(rows->family, "l/", status);
}

// Takes removed nodes out: nobody searches yet, so there is nothing to wait
// for.
void SpaceState::DiscardRemoved(const LoadedRows& rows) {
  std::vector<uint32_t> slots;
  for (uint32_t row = 0; row < rows.nodes.size(); ++row) {
    const uint32_t slot = rows.slots[row];
    if (slot == index::kNoSlot || !rows.nodes[row].removed) continue;
    SlotInfo& info = index_[slot];
    info.lsn.store(0, std::memory_order_relaxed);
    info.row = kNoRow;
    row_slots_[row] = index::kNoSlot;
    index_.Unlink(slot, turn_scratch_);
    slots.push_back(slot);
  }
  index_.Release(slots);
  published_slots_.fetch_sub(slots.size(), std::memory_order_relaxed);
}

}  // namespace engram::space

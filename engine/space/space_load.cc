// The loading part of SpaceState.

#include "absl/strings/str_cat.h"
#include "engine/space/space_state.h"
#include "engine/space/vector_check.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

absl::Status InFamily(absl::string_view family, absl::string_view key,
                      const absl::Status& status) {
  return absl::Status(
      absl::IsNotFound(status) ? absl::StatusCode::kDataLoss : status.code(),
      absl::StrCat("column family ", family, ", key ", key, ": ",
                   status.message()));
}

}  // namespace

absl::Status SpaceState::Load(const kv::Store& store,
                              const schema::Head& head) {
  MutexLock link_lock(link_mutex_);
  MutexLock lock(mutex_);
  ENGRAM_CHECK(slots_.size() == 0 && published_lsn_ == 0);
  if (!(head.space == description_)) {
    return absl::DataLossError(
        absl::StrCat("column family ", family_,
                     ": its head describes another space than the catalog"));
  }
  ENGRAM_RETURN_IF_ERROR(LoadVectors(store, head));
  ENGRAM_RETURN_IF_ERROR(LoadLinks(store, head));
  if (current_.size() != head.live_count) {
    return absl::DataLossError(
        absl::StrCat("column family ", family_, ": holds ", current_.size(),
                     " live nodes, its head says ", head.live_count));
  }
  head_ = head;
  last_generation_ = head.generation;
  published_lsn_ = head.checkpoint_lsn;
  indexed_lsn_ = head.checkpoint_lsn;
  return absl::OkStatus();
}

absl::Status SpaceState::LoadVectors(const kv::Store& store,
                                     const schema::Head& head) {
  for (const schema::PartReference& reference : head.vector_parts) {
    const std::string key =
        schema::VectorPartKey(reference.index, reference.generation);
    const std::string name =
        absl::StrCat("v/", reference.index, "/", reference.generation);
    const absl::StatusOr<std::string> value = store.Get(family_, key);
    if (!value.ok()) return InFamily(family_, name, value.status());
    const absl::StatusOr<schema::VectorPart> part = schema::DecodeVectorPart(
        id(), description_.dimension, reference, *value);
    if (!part.ok()) return InFamily(family_, name, part.status());
    for (size_t i = 0; i < part->lsns.size(); ++i) {
      const auto row = absl::MakeConstSpan(part->rows)
                           .subspan(i * part->dimension, part->dimension);
      if (part->lsns[i] == 0 || part->lsns[i] > head.checkpoint_lsn) {
        return InFamily(
            family_, name,
            absl::DataLossError(absl::StrCat(
                "slot ", part->first_slot + i, " has LSN ", part->lsns[i],
                ", the head's is ", head.checkpoint_lsn)));
      }
      if (const absl::Status status = CheckVector(description_, row);
          !status.ok()) {
        return InFamily(family_, name, absl::DataLossError(status.message()));
      }
      AppendSlot(part->lsns[i], id_arena_.Copy(part->ids[i]), row,
                 kNeverRemoved);
    }
  }
  return absl::OkStatus();
}

absl::Status SpaceState::LoadLinks(const kv::Store& store,
                                   const schema::Head& head) {
  for (const schema::PartReference& reference : head.link_parts) {
    const std::string key =
        schema::LinkPartKey(reference.generation, reference.index);
    const std::string name =
        absl::StrCat("l/", reference.generation, "/", reference.index);
    const absl::StatusOr<std::string> value = store.Get(family_, key);
    if (!value.ok()) return InFamily(family_, name, value.status());
    const absl::StatusOr<std::vector<schema::NodeLinks>> nodes =
        schema::DecodeLinkPart(id(), head.slot_count, description_.M, reference,
                               *value);
    if (!nodes.ok()) return InFamily(family_, name, nodes.status());
    for (const schema::NodeLinks& node : *nodes) {
      SlotInfo& info = slots_[node.slot];
      if (node.removed) {
        // When exactly is not saved: before the head was.
        info.remove_lsn.store(head.checkpoint_lsn, std::memory_order_relaxed);
      } else if (!current_
                      .emplace(info.id, Version{info.lsn, nullptr, node.slot})
                      .second) {
        return InFamily(family_, name,
                        absl::DataLossError(absl::StrCat(
                            "slot ", node.slot, ": its id is live twice")));
      }
      if (!head.has_graph) continue;
      if (node.layers.empty()) {
        return InFamily(family_, name,
                        absl::DataLossError(absl::StrCat("slot ", node.slot,
                                                         ": has no layers")));
      }
      if (const absl::Status status = graph_.RestoreNode(
              node.slot, static_cast<uint32_t>(node.layers.size() - 1),
              node.layers);
          !status.ok()) {
        return InFamily(family_, name, status);
      }
    }
  }
  if (!head.has_graph) return absl::OkStatus();
  index::EntryPoint entry;
  entry.exists = true;
  entry.slot = head.entry_slot;
  entry.layer = head.entry_layer;
  absl::Status status = graph_.RestoreEntryPoint(entry);
  if (status.ok()) status = graph_.FinishRestore();
  if (!status.ok()) return InFamily(family_, "l/", status);
  graph_ready_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace engram::space

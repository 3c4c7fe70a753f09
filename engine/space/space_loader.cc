#include "engine/space/space_loader.h"

#include <algorithm>
#include <list>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/index/scratch.h"
#include "engine/space/part_reader.h"
#include "schema/vector_check.h"
#include "storage/base/check.h"
#include "storage/base/helper_thread.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

// More threads than this wait for each other at the memory.
constexpr size_t kThreadsMax = 8;

// A thread for less is not worth its start.
constexpr size_t kPartsPerThread = 2;
constexpr size_t kNodesPerThread = 16'384;

// For so much work, of which each thread has `share` at least.
size_t ThreadsFor(size_t work, size_t share) {
  const size_t processors = std::max(1u, std::thread::hardware_concurrency());
  return std::clamp<size_t>(work / share, 1, std::min(kThreadsMax, processors));
}

absl::Status BadRow(absl::string_view family, absl::string_view key,
                    uint32_t row, absl::string_view what) {
  return InFamily(family, key,
                  absl::DataLossError(absl::StrCat("row ", row, ": ", what)));
}

// What one row must say for itself in a space with or without a graph.
absl::Status CheckNode(const schema::NodeLinks& node, bool has_graph) {
  const uint32_t row = node.slot;
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

// One loading: links, then vectors, then the graph of both.
class SpaceLoader {
 public:
  SpaceLoader(const kv::Store& store, const std::string& family,
              const schema::SpaceDescription& space, const schema::Head& head,
              uint32_t slots_max)
      : store_(store),
        family_(family),
        space_(space),
        head_(head),
        slots_max_(slots_max),
        index_(std::make_unique<SpaceIndex>(space, slots_max)),
        versions_(&index_->slots()) {}

  absl::StatusOr<LoadedSpace> Load();

 private:
  // Whether the row gets a slot. A removed one does where nodes link to it: it
  // is unlinked once all are there.
  bool IsWanted(uint32_t row) const {
    return !nodes_[row].removed || !nodes_[row].layers.empty();
  }

  absl::Status LoadLinks();
  absl::StatusOr<std::vector<float>> Centre() const;
  absl::Status LoadVectors() ABSL_LOCKS_EXCLUDED(mutex_);
  void LoadParts() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status LoadPart(size_t number, index::Scratch& scratch)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status CheckPart(const schema::VectorPart& part) const;
  absl::Status PlacePart(size_t number, const schema::VectorPart& part)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status TakeSlots(const schema::VectorPart& part)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status RestoreGraph();
  absl::Status RestoreRow(uint32_t row);
  void DiscardRemoved();
  void Reattach(LoadedSpace* loaded);

  const kv::Store& store_;
  const std::string& family_;
  const schema::SpaceDescription& space_;
  const schema::Head& head_;
  const uint32_t slots_max_;

  std::unique_ptr<SpaceIndex> index_;
  VersionMap versions_;
  std::vector<schema::NodeLinks> nodes_;  // by row
  std::vector<uint32_t> slots_;           // by row, or index::kNoSlot
  std::vector<uint32_t> gone_rows_;
  index::Scratch scratch_;
  uint64_t slots_taken_ = 0;

  // Of LoadVectors(): parts are read and filled in at the same time, and get
  // their slots in order, so that loading twice gives the same slots.
  Mutex mutex_;
  CondVar placed_;
  size_t next_part_ ABSL_GUARDED_BY(mutex_) = 0;      // to be read
  size_t next_to_place_ ABSL_GUARDED_BY(mutex_) = 0;  // to get its slots
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);      // the first one
};

absl::StatusOr<LoadedSpace> SpaceLoader::Load() {
  if (!(head_.space == space_)) {
    return absl::DataLossError(
        absl::StrCat("column family ", family_,
                     ": its head describes another space than the catalog"));
  }
  ENGRAM_RETURN_IF_ERROR(LoadLinks());
  if (head_.has_graph) {
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<float> centre, Centre());
    index_->StartGraph(centre);
  }
  ENGRAM_RETURN_IF_ERROR(LoadVectors());
  if (versions_.size() != head_.live_count) {
    return absl::DataLossError(
        absl::StrCat("column family ", family_, ": holds ", versions_.size(),
                     " live rows, its head says ", head_.live_count));
  }
  if (head_.has_graph) ENGRAM_RETURN_IF_ERROR(RestoreGraph());
  DiscardRemoved();
  LoadedSpace loaded{nullptr, std::move(versions_), slots_taken_,
                     std::move(gone_rows_)};
  if (head_.has_graph) Reattach(&loaded);
  loaded.index = std::move(index_);
  return loaded;
}

// --- Links -------------------------------------------------------------------

absl::Status SpaceLoader::LoadLinks() {
  ENGRAM_ASSIGN_OR_RETURN(
      nodes_, ReadAllLinks(store_, family_, head_,
                           ThreadsFor(head_.slot_count, kNodesPerThread)));
  // What an older part says of a row that a later one has is of another time:
  // there may have been no graph then.
  for (const schema::NodeLinks& node : nodes_) {
    const absl::Status status = CheckNode(node, head_.has_graph);
    if (!status.ok()) return InFamily(family_, "l/", status);
  }
  slots_.assign(nodes_.size(), index::kNoSlot);
  return absl::OkStatus();
}

// --- Vectors -----------------------------------------------------------------

// The centre that the head has. Heads of version 1 have none, and their vectors
// no codes: any centre will do then, so it is what a new graph would get.
absl::StatusOr<std::vector<float>> SpaceLoader::Centre() const {
  if (!head_.centre.empty() ||
      index_->quantization() == schema::Quantization::kNone) {
    return head_.centre;
  }
  std::vector<schema::VectorPart> parts;
  for (const schema::PartReference& reference : head_.vector_parts) {
    ENGRAM_ASSIGN_OR_RETURN(schema::VectorPart part,
                            ReadVectorPart(store_, family_, space_, reference));
    parts.push_back(std::move(part));
  }
  std::vector<const float*> live;
  for (const schema::VectorPart& part : parts) {
    for (size_t i = 0; i < part.lsns.size(); ++i) {
      if (nodes_[part.first_slot + i].removed) continue;
      live.push_back(part.row(i).data());
    }
  }
  if (live.empty()) return std::vector<float>(space_.dimension);
  return index::Graph::CentreOf(space_.metric, space_.dimension, live);
}

absl::Status SpaceLoader::LoadVectors() {
  const size_t threads_wanted =
      ThreadsFor(head_.vector_parts.size(), kPartsPerThread);
  std::list<HelperThread> others;
  for (size_t i = 1; i < threads_wanted; ++i) {
    others.emplace_back([this] { LoadParts(); });
  }
  LoadParts();
  others.clear();  // joins them
  MutexLock lock(mutex_);
  return failure_;
}

// Reads parts as long as there are some and none has failed.
void SpaceLoader::LoadParts() {
  index::Scratch scratch;
  while (true) {
    size_t number = 0;
    {
      MutexLock lock(mutex_);
      if (!failure_.ok() || next_part_ == head_.vector_parts.size()) return;
      number = next_part_++;
    }
    const absl::Status status = LoadPart(number, scratch);
    if (status.ok()) continue;
    MutexLock lock(mutex_);
    failure_.Update(status);
    placed_.NotifyAll();
  }
}

absl::Status SpaceLoader::LoadPart(size_t number, index::Scratch& scratch) {
  const schema::PartReference& reference = head_.vector_parts[number];
  ENGRAM_ASSIGN_OR_RETURN(const schema::VectorPart part,
                          ReadVectorPart(store_, family_, space_, reference));
  absl::Status status = CheckPart(part);
  if (status.ok()) status = PlacePart(number, part);
  if (!status.ok()) {
    return InFamily(family_, VectorPartName(reference), status);
  }
  for (size_t i = 0; i < part.lsns.size(); ++i) {
    const uint32_t slot = slots_[part.first_slot + i];
    if (slot == index::kNoSlot) continue;
    index_->Fill(slot, part.row(i), scratch);
  }
  return absl::OkStatus();
}

absl::Status SpaceLoader::CheckPart(const schema::VectorPart& part) const {
  for (size_t i = 0; i < part.lsns.size(); ++i) {
    if (part.lsns[i] == 0 || part.lsns[i] > head_.checkpoint_lsn) {
      return absl::DataLossError(
          absl::StrCat("row ", part.first_slot + i, " has LSN ", part.lsns[i],
                       ", the head's is ", head_.checkpoint_lsn));
    }
    const absl::Status status = schema::CheckVector(space_, part.row(i));
    if (!status.ok()) return absl::DataLossError(status.message());
  }
  return absl::OkStatus();
}

// Gives the rows of a part their slots, when the parts before it have theirs.
absl::Status SpaceLoader::PlacePart(size_t number,
                                    const schema::VectorPart& part) {
  MutexLock lock(mutex_);
  while (next_to_place_ != number) {
    if (!failure_.ok()) return failure_;
    placed_.Wait(mutex_);
  }
  const absl::Status status = TakeSlots(part);
  ++next_to_place_;
  placed_.NotifyAll();
  return status;
}

absl::Status SpaceLoader::TakeSlots(const schema::VectorPart& part) {
  std::vector<uint32_t> rows;
  std::vector<absl::string_view> ids;
  for (size_t i = 0; i < part.lsns.size(); ++i) {
    const auto row = static_cast<uint32_t>(part.first_slot + i);
    if (!IsWanted(row)) continue;
    rows.push_back(row);
    ids.push_back(part.ids[i]);
  }
  const std::vector<uint32_t> reserved = index_->Reserve(ids);
  if (reserved.size() < ids.size()) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "space \"", space_.name, "\": no room for ", head_.slot_count,
        " versions: the system gives no more memory, or the limit of ",
        slots_max_, " is reached"));
  }
  slots_taken_ += reserved.size();
  for (size_t i = 0; i < rows.size(); ++i) {
    const uint32_t row = rows[i];
    const uint32_t slot = reserved[i];
    slots_[row] = slot;
    SlotInfo& info = (*index_)[slot];
    info.row = row;
    // Relaxed: nobody searches yet. When exactly a version was removed is not
    // saved: before the head was.
    info.lsn.store(part.lsns[row - part.first_slot], std::memory_order_relaxed);
    info.remove_lsn.store(
        nodes_[row].removed ? head_.checkpoint_lsn : kNeverRemoved,
        std::memory_order_relaxed);
    if (nodes_[row].removed) continue;
    if (versions_.Find(ids[i]).has_value()) {
      return absl::DataLossError(
          absl::StrCat("row ", row, ": its id is live twice"));
    }
    versions_.Put(ids[i], VersionRef::InSlot(slot));
  }
  return absl::OkStatus();
}

// --- The graph ---------------------------------------------------------------

absl::Status SpaceLoader::RestoreGraph() {
  index::Graph* const graph = index_->graph();
  MutexLock link_lock(index_->link_mutex());
  for (uint32_t row = 0; row < nodes_.size(); ++row) {
    if (slots_[row] != index::kNoSlot) {
      ENGRAM_RETURN_IF_ERROR(RestoreRow(row));
    }
  }
  nodes_ = {};
  index::EntryPoint entry;
  entry.exists = true;
  entry.slot = slots_[head_.entry_slot];
  entry.layer = head_.entry_layer;
  absl::Status status = graph->RestoreEntryPoint(entry);
  if (status.ok()) {
    status = graph->FinishRestore(ThreadsFor(slots_taken_, kNodesPerThread));
  }
  return status.ok() ? status : InFamily(family_, "l/", status);
}

absl::Status SpaceLoader::RestoreRow(uint32_t row) {
  index::Graph* const graph = index_->graph();
  schema::NodeLinks& node = nodes_[row];
  const bool twin = node.twin_of != schema::kNoTwin;
  if (twin) node.layers = {{node.twin_of}};
  for (std::vector<uint32_t>& neighbors : node.layers) {
    for (uint32_t& neighbor : neighbors) {
      const uint32_t linked = slots_[neighbor];
      if (linked == index::kNoSlot) {
        return BadRow(family_, "l/", row,
                      absl::StrCat("leads to row ", neighbor,
                                   ", which is removed and no node"));
      }
      neighbor = linked;
    }
  }
  const absl::Status status =
      twin ? graph->RestoreTwin(slots_[row], node.layers[0][0])
           : graph->RestoreNode(slots_[row],
                                static_cast<uint32_t>(node.layers.size() - 1),
                                node.layers);
  return status.ok() ? status : BadRow(family_, "l/", row, status.message());
}

// Takes removed nodes out: nobody searches yet, so there is nothing to wait
// for. A removed head leaves its place to the first of its twins.
void SpaceLoader::DiscardRemoved() {
  std::vector<uint32_t> discarded;
  for (uint32_t row = 0; row < slots_.size(); ++row) {
    const uint32_t slot = slots_[row];
    if (slot == index::kNoSlot) continue;
    SlotInfo& info = (*index_)[slot];
    // Relaxed: nobody else knows the index.
    if (info.remove_lsn.load(std::memory_order_relaxed) == kNeverRemoved) {
      continue;
    }
    info.lsn.store(0, std::memory_order_relaxed);
    info.row = kNoRow;
    gone_rows_.push_back(row);
    index_->Unlink(slot, scratch_);
    discarded.push_back(slot);
  }
  index_->Release(discarded);
  slots_taken_ -= discarded.size();
}

// Links nodes again that nothing leads to, whatever the files say.
void SpaceLoader::Reattach(LoadedSpace* loaded) {
  const SpaceIndex& index = *index_;
  const auto is_live = [&index](uint32_t slot) {
    return index[slot].LiveAt(kNeverRemoved - 1);
  };
  MutexLock link_lock(index_->link_mutex());
  index::Graph* const graph = index_->graph();
  loaded->reattached = graph->Reattach(is_live, scratch_);
  if (loaded->reattached == 0) return;
  loaded->unreachable = graph->CountUnreachable(is_live);
}

}  // namespace

absl::StatusOr<LoadedSpace> LoadSpace(const kv::Store& store,
                                      const std::string& family,
                                      const schema::SpaceDescription& space,
                                      const schema::Head& head,
                                      uint32_t slots_max) {
  return SpaceLoader(store, family, space, head, slots_max).Load();
}

}  // namespace engram::space

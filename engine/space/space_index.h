// What a space has indexed: its slots, and the vectors in them, flat while they
// are few and in a graph from then on.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_INDEX_H_
#define ENGRAM_ENGINE_SPACE_SPACE_INDEX_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/index/flat_index.h"
#include "engine/index/graph.h"
#include "engine/space/id_arena.h"
#include "engine/space/slot_pool.h"
#include "engine/space/slot_table.h"
#include "schema/space_codec.h"
#include "storage/base/mutex.h"

namespace engram::space {

// Slots are the same ones, under the same numbers, in both phases. The graph
// takes over once and for all, by one pointer.
//
// Thread safety: all methods may be called concurrently, with the restrictions
// that they name. *Turn*: by one thread at a time, the one that links (see
// SpaceState). *Guard*: by the holder of an epoch guard, for slots that it
// knows to stay what they are meanwhile.
class SpaceIndex {
 public:
  // Gives out at most `slots_max` slots.
  SpaceIndex(const schema::SpaceDescription& description, uint32_t slots_max);

  // --- Slots

  SlotInfo& operator[](uint32_t slot) { return slots_[slot]; }
  const SlotInfo& operator[](uint32_t slot) const { return slots_[slot]; }
  const SlotTable& slots() const { return slots_; }

  // All slots ever given out are below.
  uint32_t slot_count() const { return static_cast<uint32_t>(slots_.size()); }

  // Gives out a slot for each id, unpublished, with room for a vector; for the
  // first ones only where there is no room for all.
  std::vector<uint32_t> Reserve(absl::Span<const absl::string_view> ids)
      ABSL_LOCKS_EXCLUDED(link_mutex_);

  // Stores the vector of a slot that only the caller knows. *Guard*.
  void Fill(uint32_t slot, absl::Span<const float> vector,
            index::Scratch& scratch);

  // Takes slots back that are unlinked, or never were linked, and that nobody
  // looks at any more. *Turn*.
  void Release(absl::Span<const uint32_t> slots)
      ABSL_LOCKS_EXCLUDED(link_mutex_);

  // --- Vectors

  const index::VectorDistance& distance() const { return distance_; }

  // nullptr as long as there is none. Acquire: pairs with StartGraph() and
  // PublishGraph(). The methods that index::Graph calls the writer's are for
  // the turn, with link_mutex() held.
  index::Graph* graph() const { return graph_.load(std::memory_order_acquire); }

  // The flat index; only where graph() is nullptr, and under a guard that was
  // entered before the caller saw that.
  const index::FlatIndex& flat() const { return *flat_; }

  // The vector in a slot; empty if memory does not keep it. *Guard*.
  absl::Span<const float> RowOf(uint32_t slot) const;

  // --- The graph

  // Held for each single call of a writer's method, also by Reserve(). Not held
  // while a worker plans.
  Mutex& link_mutex() ABSL_LOCK_RETURNED(link_mutex_) { return link_mutex_; }

  // Makes the planned slot a node. *Turn*.
  void Link(const index::InsertPlan& plan) ABSL_LOCKS_EXCLUDED(link_mutex_);

  // Takes a slot out of the graph, if there is one. *Turn*.
  void Unlink(uint32_t slot, index::Scratch& scratch)
      ABSL_LOCKS_EXCLUDED(link_mutex_);

  // Makes a graph of `slots`, centred on those of them that are `live`, and
  // searches use it from then on. Returns what the flat index leaves, to be
  // freed when no reader is left in it; null, and nothing has changed, where
  // there is no memory for a graph. *Turn*; nobody reserves meanwhile.
  std::unique_ptr<index::FlatIndex> BuildGraph(absl::Span<const uint32_t> slots,
                                               absl::Span<const uint32_t> live,
                                               index::Scratch& scratch)
      ABSL_LOCKS_EXCLUDED(link_mutex_);

  // Starts with an empty graph, which the caller fills: for loading, before
  // anything else. `centre` as the graph wants it.
  void StartGraph(absl::Span<const float> centre)
      ABSL_LOCKS_EXCLUDED(link_mutex_);

  // What a graph of this space compares.
  schema::Quantization quantization() const { return options_.quantization; }

  // Vectors, codes, links, slots and ids.
  uint64_t memory_bytes() const ABSL_LOCKS_EXCLUDED(link_mutex_);

 private:
  std::unique_ptr<index::FlatIndex> PublishGraph(
      std::unique_ptr<index::Graph> graph) ABSL_LOCKS_EXCLUDED(link_mutex_);

  // Constant after construction.
  const index::GraphOptions options_;
  const uint32_t slots_max_;
  const index::VectorDistance distance_;
  index::FlatIndex* const flat_;  // owned by owned_flat_, or by who took it

  // Grown under link_mutex_, else synchronises itself.
  SlotTable slots_;

  // Set once. Release: the graph is complete as it stands.
  std::atomic<index::Graph*> graph_{nullptr};

  mutable Mutex link_mutex_;
  SlotPool pool_ ABSL_GUARDED_BY(link_mutex_);
  IdArena ids_ ABSL_GUARDED_BY(link_mutex_);
  std::unique_ptr<index::FlatIndex> owned_flat_ ABSL_GUARDED_BY(link_mutex_);
  std::unique_ptr<index::Graph> owned_graph_ ABSL_GUARDED_BY(link_mutex_);
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_INDEX_H_

// A Hierarchical Navigable Small World graph over f32 vectors (Malkov &
// Yashunin, arXiv:1603.09320) that grows while it is searched.
//
//   index::Graph graph({.dimension = 768, .metric = schema::Metric::kCosine},
//                      simd::BestKernels());
//   index::Scratch scratch;
//   uint32_t slot = graph.AppendSlot(vector);
//   graph.Link(graph.Plan(slot, scratch));
//   std::vector<index::Neighbor> found;
//   graph.Search(query, 10, 100, [](uint32_t) { return true; }, scratch,
//                &found);
//
// An insert has two phases. Plan() is nearly all of the work and only reads, so
// any thread may run it; Link() takes microseconds and is the writer's.
//
// The graph knows slots, not ids, and forgets nothing: a removed vector stays a
// node that searches walk through, and the caller refuses it in `accept`.
//
// Thread safety: the methods marked *writer* are called by one thread at a
// time. All others may run beside the writer and each other, each call with a
// Scratch of its own, and take no lock. Between the first Restore...() and a
// successful FinishRestore() only the writer may use the graph.
//
// Invariants:
//  (1) Every id in a link list is a node that stands on the list's layer.
//  (2) A node's links are written on every layer before any other node links
//      to it. Layer by layer, a concurrent walk could descend onto a node
//      whose layer-0 list is still empty and end there.
//  (3) No list holds its own node, or an id twice.
//  (4) Every node is reachable: layer-0 links lead to it from the entry point.
//      They contain a tree, rooted there, whose links are never taken away
//      before the child has another parent. (Lists alone lose nodes when they
//      overflow: about 7 % of a raw GloVe set.)

#ifndef ENGRAM_ENGINE_INDEX_GRAPH_H_
#define ENGRAM_ENGINE_INDEX_GRAPH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/index/layer_assignment.h"
#include "engine/index/neighbor.h"
#include "engine/index/node_store.h"
#include "engine/index/scratch.h"
#include "engine/index/vector_distance.h"
#include "engine/simd/kernels.h"
#include "schema/metric.h"

namespace engram::index {

struct GraphOptions {
  uint32_t dimension = 0;
  schema::Metric metric = schema::Metric::kL2;
  // Links per node: 2 * M on layer 0, M above. 2 .. 1024.
  uint32_t M = 16;
  // Width of the search that looks for a new node's neighbors. At least 1.
  uint32_t ef_construction = 100;
  // Decides, with the slot, which layers a node stands on.
  uint64_t seed = 0;
};

// The links of one new node, found by Plan(), made by Link().
struct InsertPlan {
  uint32_t slot = kNoSlot;
  uint32_t top_layer = 0;
  // By layer, 0 .. top_layer; empty where no node stood on the layer yet.
  std::vector<std::vector<Neighbor>> neighbors;
};

// Where every search starts.
struct EntryPoint {
  bool exists = false;
  uint32_t slot = 0;
  uint32_t layer = 0;  // the top layer of `slot`

  friend bool operator==(const EntryPoint&, const EntryPoint&) = default;
};

class Graph {
 public:
  using SlotFilter = absl::FunctionRef<bool(uint32_t slot)>;

  // `options` are the caller's to validate. `kernels` must outlive the graph.
  Graph(const GraphOptions& options, const simd::Kernels& kernels);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  const GraphOptions& options() const { return options_; }

  // The graph's distance, for scanning vectors that are not in the graph.
  const VectorDistance& distance() const { return distance_; }

  // --- Vectors (graph.cc)

  // Copies `vector`, which must have options().dimension finite components,
  // into the next slot. *Writer.*
  uint32_t AppendSlot(absl::Span<const float> vector);

  // The slots below this number hold their vectors.
  uint32_t slot_count() const { return nodes_.slot_count(); }

  // The vector exactly as given, valid as long as the graph.
  absl::Span<const float> row(uint32_t slot) const {
    return {nodes_.row(slot), options_.dimension};
  }
  float inverse_norm(uint32_t slot) const { return nodes_.inverse_norm(slot); }

  // True once `slot` was linked or restored.
  bool is_node(uint32_t slot) const { return nodes_.is_node(slot); }

  // Memory in use for slots and links.
  uint64_t memory_bytes() const { return nodes_.memory_bytes(); }

  // --- Inserting (graph_insert.cc)

  // Chooses the neighbors of `slot`, which must be appended and no node yet.
  // Besides the nodes of the graph, those of the slots `unlinked` compete that
  // are appended but no nodes yet: what was planned before this slot and will
  // be linked before it. Without them, vectors that arrive grouped by topic
  // and are planned in batches would not find their group.
  InsertPlan Plan(uint32_t slot, Scratch& scratch,
                  absl::Span<const uint32_t> unlinked = {}) const;

  // Makes plan.slot a node. The first node becomes the entry point, and so does
  // one with a higher top layer than the entry point's. Neighbors that are not
  // nodes yet are left out; where a layer then has none, but the graph reaches
  // that high by now, the plan is made again. *Writer.*
  void Link(const InsertPlan& plan);

  // --- Searching (graph_search.cc)

  // Sets `out` to the (up to) k accepted nodes nearest to `query` that a walk
  // of width max(ef, k) finds, ascending by (distance, slot). Nodes that
  // `accept` refuses are walked through and take no place among the results:
  // a narrow filter makes the walk longer, not the answer shorter. `accept` is
  // asked about a node at most once.
  void Search(absl::Span<const float> query, size_t k, size_t ef,
              SlotFilter accept, Scratch& scratch,
              std::vector<Neighbor>* out) const;

  // Sets `out` to the exact k nearest among the accepted slots of
  // [first_slot, last_slot), ascending by (distance, slot). Needs no links.
  // last_slot must not be above slot_count().
  void ScanExact(absl::Span<const float> query, uint32_t first_slot,
                 uint32_t last_slot, size_t k, SlotFilter accept,
                 std::vector<Neighbor>* out) const;

  // --- Reachability (graph_reattach.cc)

  // The number of nodes that are live and not reachable. Exact while no writer
  // runs.
  uint64_t CountUnreachable(SlotFilter is_live) const;

  // Makes every live node reachable, should invariant (4) not hold: after
  // FinishRestore() of a graph for which it did not. Returns how many nodes
  // were given an in-link for that; afterwards CountUnreachable(is_live) is 0.
  // *Writer.*
  uint64_t Reattach(SlotFilter is_live, Scratch& scratch);

  // --- Saving and restoring (graph_restore.cc)

  EntryPoint entry_point() const;

  // The highest layer of the node `slot`; 0 if it is no node.
  uint32_t top_layer(uint32_t slot) const { return nodes_.top_layer(slot); }

  // Sets `out` to the links of the node `slot` on `layer`, in any order; empty
  // if it does not stand there.
  void CopyLinks(uint32_t slot, uint32_t layer,
                 std::vector<uint32_t>* out) const;

  // A saved graph is restored by AppendSlot() for all slots, RestoreNode() for
  // those that were nodes, RestoreEntryPoint(), and FinishRestore(), which
  // checks what no single node shows. The input may be hostile: whatever breaks
  // an invariant gives DATA_LOSS, naming slot, layer, value and limit, and the
  // graph must then be thrown away. *Writer.*
  absl::Status RestoreNode(
      uint32_t slot, uint32_t top_layer,
      absl::Span<const std::vector<uint32_t>> links_by_layer);
  absl::Status RestoreEntryPoint(const EntryPoint& entry_point);
  absl::Status FinishRestore();

 private:
  PreparedQuery PrepareSlot(uint32_t slot) const {
    return {nodes_.row(slot), nodes_.inverse_norm(slot)};
  }
  NeighborKey KeyOfSlot(const PreparedQuery& query, uint32_t slot) const;

  // Walks greedily from the entry point down to the layer above `layer`.
  // Returns the node found, which stands on `layer` too.
  NeighborKey Descend(const PreparedQuery& query, const EntryPoint& entry,
                      uint32_t layer, Scratch& scratch) const;

  void AddUnlinked(const PreparedQuery& query, uint32_t layer,
                   absl::Span<const uint32_t> unlinked, Scratch& scratch) const;
  bool HasNeighborsWhereNeeded(const InsertPlan& plan,
                               const EntryPoint& entry) const;
  bool StandsOn(uint32_t slot, uint32_t layer) const {
    return nodes_.is_node(slot) && nodes_.top_layer(slot) >= layer;
  }
  bool LinkBack(uint32_t neighbor, uint32_t layer, uint32_t new_slot,
                float distance);
  bool KeepTreeLinks(uint32_t host, std::vector<uint32_t>* ids);
  bool FindOtherParent(uint32_t child);
  bool IsOutsideSubtree(uint32_t slot, uint32_t root_of_subtree) const;
  void ForceInLink(uint32_t new_slot);
  uint64_t ReattachAll();
  std::vector<uint32_t> SpanningTree() const;
  void StoreEntryPoint(uint32_t slot, uint32_t layer);
  absl::Status CheckRestoredLinks(uint32_t slot, uint32_t layer) const;

  const GraphOptions options_;
  const VectorDistance distance_;
  NodeStore nodes_;

  // Slot and layer in one word, so that a reader never pairs one entry point's
  // slot with another's layer.
  static constexpr uint64_t kNoEntryPoint = UINT64_MAX;
  std::atomic<uint64_t> entry_point_{kNoEntryPoint};

  // The writer's own.
  Scratch link_scratch_;
  std::vector<uint32_t> link_ids_;
  std::vector<uint32_t> parents_;  // by slot; kNoSlot: not in the tree
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_GRAPH_H_

// A Hierarchical Navigable Small World graph (Malkov & Yashunin,
// arXiv:1603.09320) that grows and shrinks while it is searched.
//
//   index::Graph graph({.dimension = 768, .metric = schema::Metric::kCosine,
//                       .quantization = schema::Quantization::kInt2},
//                      centre, simd::BestKernels());
//   index::Scratch scratch;
//   graph.GrowTo(slot + 1);
//   graph.Fill(slot, vector, scratch);
//   graph.Link(graph.Plan(slot, scratch));
//   std::vector<index::Neighbor> found;
//   graph.Search(query, 10, 100, [](uint32_t) { return true; }, scratch,
//                &found, nullptr);
//   graph.Unlink(slot, scratch);
//   ...  // until nobody who might have met `slot` is left
//   graph.Release(slot);
//
// It walks in compact codes and compares the best candidates again in more
// detail: see vector_codec.h and docs/index.md.
//
// An insert has two phases. Plan() is nearly all of the work and only reads, so
// any thread may run it; Link() takes microseconds and is the writer's.
//
// The graph knows slots, not ids. The caller gives them out, and gives one out
// again only after Unlink(), a grace period and Release().
//
// A vector with the codes of a node becomes its *twin*: it has no links of its
// own and is found through that node, its head. Copies would otherwise fill
// each other's neighbor lists and cut themselves off.
//
// Thread safety: the methods marked *writer* are called by one thread at a
// time. All others may run beside the writer and each other, each call with a
// Scratch of its own, and take no lock. Between the first Restore...() and a
// successful FinishRestore() only the writer may use the graph. Slots that
// Search() or Plan() may have met stay readable until Release().
//
// Invariants:
//  (1) Every id in a link list is a node that stands on the list's layer, or
//      (for readers only) one that was, and is not released yet.
//  (2) A node's links are written on every layer before any other node links
//      to it. Layer by layer, a concurrent walk could descend onto a node
//      whose layer-0 list is still empty and end there.
//  (3) No list holds its own node, or an id twice.
//  (4) Every node is reachable: layer-0 links lead to it from the entry point.
//      They contain a tree, rooted there, whose links are never taken away
//      before the child has another parent. (Lists alone lose nodes when they
//      overflow: about 7 % of a raw GloVe set.)
//  (5) The in-neighbors of a node are known exactly, on each layer: those of
//      its neighbors that link back, and the list of one-way in-links.

#ifndef ENGRAM_ENGINE_INDEX_GRAPH_H_
#define ENGRAM_ENGINE_INDEX_GRAPH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "engine/index/layer_assignment.h"
#include "engine/index/link_editor.h"
#include "engine/index/neighbor.h"
#include "engine/index/node_store.h"
#include "engine/index/scratch.h"
#include "engine/index/slot_distance.h"
#include "engine/index/vector_codec.h"
#include "engine/index/vector_distance.h"
#include "engine/simd/kernels.h"
#include "schema/metric.h"
#include "schema/quantization.h"

namespace engram::index {

struct GraphOptions {
  uint32_t dimension = 0;
  schema::Metric metric = schema::Metric::kL2;
  // Links per node: 2 * M on layer 0, M above. 2 .. 128.
  uint32_t M = 16;
  // Width of the search that looks for a new node's neighbors. At least 1.
  uint32_t ef_construction = 100;
  // Decides on the rotation of the codes and, with the slot, on which layers a
  // node stands.
  uint64_t seed = 0;
  // Not kAuto.
  schema::Quantization quantization = schema::Quantization::kNone;
  // Whether vectors are kept beside their codes. Always true with kNone.
  bool keep_rows = true;
};

// The links of one new node, found by Plan(), made by Link().
struct InsertPlan {
  uint32_t slot = kNoSlot;
  uint32_t top_layer = 0;
  // A node, or a slot that is to be one, with the same codes; else kNoSlot.
  uint32_t twin_of = kNoSlot;
  // By layer, 0 .. top_layer; empty where no node stood on the layer yet. In
  // the order of choosing, those that were filled in last; Fine() distances.
  std::vector<std::vector<Neighbor>> neighbors;
  // By layer: so many of the neighbors were chosen by the heuristic; the others
  // were filled in.
  std::vector<size_t> chosen;
};

// Where every search starts.
struct EntryPoint {
  bool exists = false;
  uint32_t slot = 0;
  uint32_t layer = 0;  // the top layer of `slot`

  friend bool operator==(const EntryPoint&, const EntryPoint&) = default;
};

// What one search did.
struct WalkStats {
  uint64_t distances = 0;
  uint64_t hops = 0;      // nodes whose links were followed
  bool filtered = false;  // needed a second walk, around refused nodes
};

class Graph {
 public:
  using SlotFilter = absl::FunctionRef<bool(uint32_t slot)>;

  // `options` are the caller's to validate. `centre` is what vectors are
  // centred by before they are coded (see CentreOf()): options.dimension
  // floats; ignored with kNone. `kernels` must outlive the graph.
  Graph(const GraphOptions& options, absl::Span<const float> centre,
        const simd::Kernels& kernels);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // A good centre for these vectors: their mean (for cosine, of the vectors
  // with norm 1). Each row holds `dimension` floats.
  static std::vector<float> CentreOf(schema::Metric metric, uint32_t dimension,
                                     absl::Span<const float* const> rows);

  const GraphOptions& options() const { return options_; }

  // As given to the constructor; empty with kNone.
  absl::Span<const float> centre() const { return centre_; }

  // The graph's exact distance, for scanning vectors that are not in it.
  const VectorDistance& distance() const { return distance_; }

  // --- Slots (graph.cc)

  // Makes room for the slots below `slot_count`, or as many of them as there is
  // memory for. Returns the new slot_count(). *Writer.*
  uint32_t GrowTo(uint32_t slot_count);

  // The slots below this number have memory.
  uint32_t slot_count() const { return nodes_.slot_count(); }

  // Stores `vector`, which must have options().dimension finite components, in
  // `slot`, which must be below slot_count(), no node, and at this time known
  // to the calling thread alone. May run beside the writer.
  void Fill(uint32_t slot, absl::Span<const float> vector, Scratch& scratch);

  // The vector exactly as given; only if options().keep_rows. Valid until the
  // slot is filled anew.
  absl::Span<const float> row(uint32_t slot) const {
    return {nodes_.row(slot), options_.dimension};
  }

  // True from Link() or Restore...() of `slot` to its Unlink(). *Writer*, or a
  // thread that knows nobody links or unlinks.
  bool is_node(uint32_t slot) const { return nodes_.is_linked(slot); }

  // The node whose twin `slot` is, or kNoSlot. *Writer.*
  uint32_t head_of(uint32_t slot) const { return nodes_.head_of(slot); }

  // Memory in use for slots and links.
  uint64_t memory_bytes() const;

  // Linked slots that are twins.
  uint64_t twin_count() const {
    return twin_count_.load(std::memory_order_relaxed);
  }

  // --- Inserting (graph_insert.cc, graph_link.cc)

  // Chooses the neighbors of `slot`, which must be filled and no node yet.
  // Besides the nodes of the graph, those of the slots `unlinked` compete that
  // are filled but no nodes yet: what was planned before this slot and will be
  // linked before it. Without them, vectors that arrive grouped by topic and
  // are planned in batches would not find their group (2.7 to 6 points of
  // recall).
  InsertPlan Plan(uint32_t slot, Scratch& scratch,
                  absl::Span<const uint32_t> unlinked = {}) const;

  // Makes plan.slot a node. The first node becomes the entry point, and so does
  // one with a higher top layer than the entry point's. Neighbors that are not
  // nodes (any more, or yet) are left out; where fewer than half of M remain of
  // those planned, or none where the graph has some, the plan is made again.
  // *Writer.*
  void Link(const InsertPlan& plan);

  // --- Removing (graph_unlink.cc)

  // Takes the node out of the graph: no list links to it any more, and those
  // that did are repaired. Searches under way may still stand on it, so it
  // stays readable; `slot` may be given to Release() once they are gone.
  // *Writer.*
  void Unlink(uint32_t slot, Scratch& scratch);

  // Ends the life of an unlinked (or never linked) slot: it may be filled
  // anew. *Writer.*
  void Release(uint32_t slot);

  // --- Searching (graph_search.cc)

  // Sets `out` to the (up to) k accepted slots nearest to `query` that a walk
  // of width max(ef, k) finds, ascending by (distance, slot). Distances are
  // exact if options().keep_rows, else those of the 8-bit codes. Where refused
  // nodes get in the way, a second walk gives them no place among its
  // candidates: a narrow filter makes the walk longer, not the answer shorter.
  // `stats` may be nullptr.
  void Search(absl::Span<const float> query, size_t k, size_t ef,
              SlotFilter accept, Scratch& scratch, std::vector<Neighbor>* out,
              WalkStats* stats) const;

  // Sets `out` to the k nearest among the accepted slots of [first_slot,
  // last_slot), ascending by (distance, slot), with distances as Search() has
  // them. Needs no links; accepted slots must be filled. last_slot must not be
  // above slot_count().
  void ScanExact(absl::Span<const float> query, uint32_t first_slot,
                 uint32_t last_slot, size_t k, SlotFilter accept,
                 Scratch& scratch, std::vector<Neighbor>* out) const;

  // --- Reachability (graph_reattach.cc)

  // The number of linked slots that are live and not reachable (a twin is
  // through its head). *Writer*.
  uint64_t CountUnreachable(SlotFilter is_live) const;

  // Makes every live node reachable, should invariant (4) not hold: after
  // FinishRestore() of a graph for which it did not. Returns how many nodes
  // were given an in-link for that; afterwards CountUnreachable(is_live) is 0.
  // *Writer.*
  uint64_t Reattach(SlotFilter is_live, Scratch& scratch);

  // --- Saving and restoring (graph_restore.cc)

  EntryPoint entry_point() const;

  // The highest layer of the node `slot`; 0 if it is none, or a twin.
  uint32_t top_layer(uint32_t slot) const { return nodes_.top_layer(slot); }

  // Sets `out` to the links of the node `slot` on `layer`, in any order; empty
  // if it does not stand there, or is a twin. *Writer.*
  void CopyLinks(uint32_t slot, uint32_t layer,
                 std::vector<uint32_t>* out) const;

  // Appends the links of the node `slot` on `layer`, on which it stands, to
  // `out`. *Writer.*
  template <typename Words>
  void AppendLinks(uint32_t slot, uint32_t layer, Words* out) const {
    const LinkList links = nodes_.links(slot, layer);
    for (uint32_t i = 0; i < links.capacity(); ++i) {
      const uint32_t id = links.id(i);
      if (id == kNoSlot) return;
      out->push_back(id);
    }
  }

  // For who is about to read a node's links on layer 0.
  void PrefetchNode(uint32_t slot) const {
    nodes_.PrefetchHeader(slot);
    nodes_.PrefetchLinks(slot);
  }

  // The slots of which something that is saved - layers, links, the head of a
  // twin - may have changed since the last call, or since FinishRestore().
  // *Writer.*
  ChangedSlots TakeChanged() { return nodes_.TakeChanged(); }

  // How many these would be, but for twins whose head has changed. *Writer.*
  size_t changed_count() const { return nodes_.changed_count(); }

  // A saved graph is restored by GrowTo(), Fill() for all slots that were
  // nodes or twins, RestoreNode() and RestoreTwin() for each of them in any
  // order, RestoreEntryPoint(), and FinishRestore(), which checks what no
  // single node shows and rebuilds what is not saved. The input may be hostile:
  // whatever breaks an invariant gives DATA_LOSS, naming slot, layer, value and
  // limit, and the graph must then be thrown away. *Writer*; the last one works
  // on `threads` threads, one at least.
  absl::Status RestoreNode(
      uint32_t slot, uint32_t top_layer,
      absl::Span<const std::vector<uint32_t>> links_by_layer);
  absl::Status RestoreTwin(uint32_t slot, uint32_t head);
  absl::Status RestoreEntryPoint(const EntryPoint& entry_point);
  absl::Status FinishRestore(size_t threads);

 private:
  // Walk() distance from scratch.query, as a key.
  NeighborKey WalkKey(uint32_t slot, Scratch& scratch) const;

  // Walks greedily from the entry point down to the layer above `layer`.
  // Returns the node found, which stands on `layer` too.
  NeighborKey Descend(const EntryPoint& entry, uint32_t layer,
                      Scratch& scratch) const;

  // graph_insert.cc
  uint32_t MeetUnlinked(uint32_t slot, uint32_t layer, float own_distance,
                        absl::Span<const uint32_t> unlinked,
                        Scratch& scratch) const;
  void PoolFromBeam(Scratch& scratch) const;
  bool IsTwin(uint32_t slot, float own_distance, const Neighbor& other) const;
  uint32_t TwinInBeam(uint32_t slot, float own_distance,
                      const Scratch& scratch) const;
  void MakeSelectedFine(Scratch& scratch) const;

  // graph_link.cc
  bool IsStillGood(const InsertPlan& plan) const;
  bool LinkAsTwin(const InsertPlan& plan);
  bool LinkBack(uint32_t neighbor, uint32_t layer, uint32_t new_slot,
                float distance);
  void LinkOneLayer(const InsertPlan& plan, uint32_t layer);
  uint32_t DegreeWithRoom(uint32_t layer) const;
  void LeaveHubs(uint32_t slot, uint32_t layer);
  void StoreEntryPoint(uint32_t slot, uint32_t layer);

  // graph_tree.cc
  bool KeepTreeLinks(uint32_t host, std::vector<uint32_t>* ids);
  bool FindOtherParent(uint32_t child);
  bool IsOutsideSubtree(uint32_t slot, uint32_t root_of_subtree) const;
  bool ForceInLink(uint32_t new_slot);
  template <typename MayGo>
  uint32_t FarthestPlaceThat(const MayGo& may_go, uint32_t host,
                             Scratch& scratch) const;
  uint32_t FarthestPlace(uint32_t host, Scratch& scratch) const;
  bool AdoptChild(uint32_t host, uint32_t child, Scratch& scratch);
  bool LinkFrom(uint32_t host, uint32_t slot, Scratch& scratch);

  // graph_unlink.cc
  void PromoteTwin(uint32_t slot, uint32_t heir);
  void LeaveInNeighbors(uint32_t removed, uint32_t layer, uint32_t spared,
                        Scratch& scratch);
  void RepairInNeighbor(uint32_t in_neighbor, uint32_t removed, uint32_t layer,
                        Scratch& scratch);
  bool ReparentChildren(uint32_t removed, uint32_t grandparent,
                        Scratch& scratch);
  bool LeavePlaceToChild(uint32_t removed, uint32_t grandparent);
  void EnsureInLinks(uint32_t slot, Scratch& scratch);
  void ReplaceEntryPoint(uint32_t removed);

  // graph_search.cc
  template <typename Keys>
  size_t CollectAccepted(const Keys& keys, size_t k, size_t count_max,
                         SlotFilter accept, Scratch& scratch) const;
  void NearestCollected(size_t k, Scratch& scratch,
                        std::vector<Neighbor>* out) const;
  void FinalDistances(const SlotQuery& query, const uint32_t* slots,
                      size_t count, float* out) const;

  // graph_reattach.cc
  uint64_t ReattachTo(uint32_t root, uint32_t avoided, SlotFilter is_live,
                      Scratch& scratch);
  void ReattachAll(uint32_t root, uint32_t avoided);
  void StoreSpanningTree();

  absl::Status LinkRestoredTwins();
  absl::Status CheckRestoredLinks(uint32_t slot, uint32_t layer) const;
  absl::Status CheckRestoredLinks(size_t threads) const;
  void RestoreInLinks(size_t threads);
  void PrefetchNeighbors(uint32_t slot) const;

  const GraphOptions options_;
  const std::vector<float> centre_;
  const VectorDistance distance_;
  const std::optional<VectorCodec> codec_;
  NodeStore nodes_;
  const SlotDistance compare_;

  // In-links on layer 0 that a node keeps when lists are chosen anew and others
  // are removed, where there is room. A node with a single one is reachable and
  // yet not found: the walk that looks for it need not come there.
  static constexpr uint16_t kInDegreeMin = 4;

  // Slot and layer in one word, so that a reader never pairs one entry point's
  // slot with another's layer.
  static constexpr uint64_t kNoEntryPoint = UINT64_MAX;
  std::atomic<uint64_t> entry_point_{kNoEntryPoint};
  std::atomic<uint64_t> twin_count_{0};  // a count; order does not matter

  // The writer's own.
  LinkEditor editor_;
  Scratch link_scratch_;
  std::vector<std::pair<uint32_t, uint32_t>> restored_twins_;  // twin, head
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_GRAPH_H_

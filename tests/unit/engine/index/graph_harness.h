// What the tests of the graph share: data, a graph that gives out its slots,
// and a check of the invariants that graph.h states.

#ifndef ENGRAM_TESTS_UNIT_ENGINE_INDEX_GRAPH_HARNESS_H_
#define ENGRAM_TESTS_UNIT_ENGINE_INDEX_GRAPH_HARNESS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/graph.h"

namespace engram::index {

inline bool AcceptEverything(uint32_t) { return true; }

// The squared distance, 1 - cos or the negated inner product, in double.
double ReferenceDistance(schema::Metric metric, absl::Span<const float> a,
                         absl::Span<const float> b);

std::string NameOf(schema::Metric metric);
std::string NameOf(schema::Quantization quantization);

// Points around one center per topic; `norm_spread` stretches each by a factor
// between 1 and 1 + norm_spread.
class ClusteredPoints {
 public:
  ClusteredPoints(uint32_t seed, uint32_t dimension, size_t topic_count,
                  float norm_spread = 0.0f);

  std::vector<float> Next() { return NextOfTopic(random_() % topics_.size()); }
  std::vector<float> NextOfTopic(size_t topic);

 private:
  std::mt19937 random_;
  float norm_spread_;
  std::vector<std::vector<float>> topics_;
};

// A graph whose slots are given out as a space does: what was removed is
// released and used again, the last one first.
class LiveGraph {
 public:
  explicit LiveGraph(const GraphOptions& options,
                     absl::Span<const float> centre = {});

  Graph& operator*() { return *graph_; }
  Graph* operator->() { return graph_.get(); }
  const Graph* operator->() const { return graph_.get(); }

  // Gives out a slot and fills it.
  uint32_t Fill(absl::Span<const float> vector);

  uint32_t Insert(absl::Span<const float> vector);

  // Unlinks and releases at once: there is nobody else.
  void Remove(uint32_t slot);
  // `index` is a place in live().
  void RemoveAt(size_t index);

  // The linked slots, in no order.
  const std::vector<uint32_t>& live() const { return live_; }
  bool IsLive(uint32_t slot) const;

  std::vector<Neighbor> Search(absl::Span<const float> query, size_t k,
                               size_t ef,
                               Graph::SlotFilter accept = AcceptEverything,
                               WalkStats* stats = nullptr);
  std::vector<Neighbor> ScanLive(absl::Span<const float> query, size_t k);

  // The share of the k nearest live slots of `queries` that Search() finds.
  double Recall(const std::vector<std::vector<float>>& queries, size_t k,
                size_t ef);

  Scratch& scratch() { return scratch_; }

  // Fill() and Insert() tell this object about live slots by themselves; what
  // was linked by other means is told here.
  void AddLive(uint32_t slot);

  // Gives out free slots in the order in which `other` will.
  void AddFreeLike(const LiveGraph& other) { free_ = other.free_; }

 private:
  std::unique_ptr<Graph> graph_;
  Scratch scratch_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> live_;
  std::vector<uint32_t> place_;  // in live_, by slot; kNoSlot: not live
};

// Empty if the invariants of graph.h hold of the graph and `live` are its
// linked slots; else the first violation. Seen through public methods alone,
// so (5), that in-neighbors are known, shows as (1) after a removal.
std::string FindViolation(const LiveGraph& graph);

// Brings the nodes, twins and links of `from` into the empty graph `to`, whose
// lists are ascending as in a file; `to` must have the same options.
absl::Status CopyGraph(const Graph& from, Graph* to);

}  // namespace engram::index

#endif  // ENGRAM_TESTS_UNIT_ENGINE_INDEX_GRAPH_HARNESS_H_

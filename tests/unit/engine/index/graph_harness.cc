#include "graph_harness.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "engine/simd/kernels.h"

namespace engram::index {

double ReferenceDistance(schema::Metric metric, absl::Span<const float> a,
                         absl::Span<const float> b) {
  double dot = 0, a_norm = 0, b_norm = 0, l2 = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    a_norm += double{a[i]} * a[i];
    b_norm += double{b[i]} * b[i];
    l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  }
  switch (metric) {
    case schema::Metric::kL2:
      return l2;
    case schema::Metric::kCosine:
      return 1.0 - dot / std::sqrt(a_norm * b_norm);
    case schema::Metric::kInnerProduct:
      return -dot;
  }
  return NAN;
}

std::string NameOf(schema::Metric metric) {
  switch (metric) {
    case schema::Metric::kL2:
      return "L2";
    case schema::Metric::kCosine:
      return "Cosine";
    case schema::Metric::kInnerProduct:
      return "InnerProduct";
  }
  return "";
}

std::string NameOf(schema::Quantization quantization) {
  switch (quantization) {
    case schema::Quantization::kAuto:
      return "Auto";
    case schema::Quantization::kNone:
      return "None";
    case schema::Quantization::kInt8:
      return "Int8";
    case schema::Quantization::kInt4:
      return "Int4";
    case schema::Quantization::kInt2:
      return "Int2";
  }
  return "";
}

// --- ClusteredPoints

ClusteredPoints::ClusteredPoints(uint32_t seed, uint32_t dimension,
                                 size_t topic_count, float norm_spread)
    : random_(seed), norm_spread_(norm_spread), topics_(topic_count) {
  std::normal_distribution<float> normal;
  for (std::vector<float>& topic : topics_) {
    topic.resize(dimension);
    for (float& component : topic) component = normal(random_);
  }
}

std::vector<float> ClusteredPoints::NextOfTopic(size_t topic) {
  std::normal_distribution<float> normal(0.0f, 0.5f);
  std::uniform_real_distribution<float> uniform(0.0f, 1.0f);
  std::vector<float> point = topics_[topic];
  const float stretch = 1.0f + norm_spread_ * uniform(random_);
  for (float& component : point) {
    component = stretch * (component + normal(random_));
  }
  return point;
}

// --- LiveGraph

LiveGraph::LiveGraph(const GraphOptions& options,
                     absl::Span<const float> centre)
    : graph_(std::make_unique<Graph>(options, centre, simd::BestKernels())) {}

uint32_t LiveGraph::Fill(absl::Span<const float> vector) {
  uint32_t slot = graph_->slot_count();
  if (free_.empty()) {
    graph_->GrowTo(slot + 1);
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  graph_->Fill(slot, vector, scratch_);
  return slot;
}

uint32_t LiveGraph::Insert(absl::Span<const float> vector) {
  const uint32_t slot = Fill(vector);
  graph_->Link(graph_->Plan(slot, scratch_));
  AddLive(slot);
  return slot;
}

void LiveGraph::AddLive(uint32_t slot) {
  if (place_.size() <= slot) place_.resize(slot + 1, kNoSlot);
  place_[slot] = static_cast<uint32_t>(live_.size());
  live_.push_back(slot);
}

bool LiveGraph::IsLive(uint32_t slot) const {
  return slot < place_.size() && place_[slot] != kNoSlot;
}

void LiveGraph::Remove(uint32_t slot) { RemoveAt(place_[slot]); }

void LiveGraph::RemoveAt(size_t index) {
  const uint32_t slot = live_[index];
  live_[index] = live_.back();
  place_[live_[index]] = static_cast<uint32_t>(index);
  live_.pop_back();
  place_[slot] = kNoSlot;
  graph_->Unlink(slot, scratch_);
  graph_->Release(slot);
  free_.push_back(slot);
}

std::vector<Neighbor> LiveGraph::Search(absl::Span<const float> query, size_t k,
                                        size_t ef, Graph::SlotFilter accept,
                                        WalkStats* stats) {
  std::vector<Neighbor> found;
  graph_->Search(query, k, ef, accept, scratch_, &found, stats);
  return found;
}

std::vector<Neighbor> LiveGraph::ScanLive(absl::Span<const float> query,
                                          size_t k) {
  std::vector<Neighbor> found;
  graph_->ScanExact(
      query, 0, graph_->slot_count(), k,
      [this](uint32_t slot) { return IsLive(slot); }, scratch_, &found);
  return found;
}

double LiveGraph::Recall(const std::vector<std::vector<float>>& queries,
                         size_t k, size_t ef) {
  size_t hits = 0;
  for (const std::vector<float>& query : queries) {
    std::set<uint32_t> expected;
    for (const Neighbor& neighbor : ScanLive(query, k)) {
      expected.insert(neighbor.slot);
    }
    for (const Neighbor& neighbor : Search(query, k, ef)) {
      hits += expected.count(neighbor.slot);
    }
  }
  return static_cast<double>(hits) / static_cast<double>(queries.size() * k);
}

// --- Invariants

namespace {

// Graph::is_node() is true of twins too.
bool IsHead(const Graph& graph, uint32_t slot) {
  return graph.is_node(slot) && graph.head_of(slot) == kNoSlot;
}

std::string ViolationOfLinks(const Graph& graph, uint32_t slot,
                             uint32_t layer) {
  const std::string place = absl::StrCat("slot ", slot, " layer ", layer, ": ");
  std::vector<uint32_t> links;
  graph.CopyLinks(slot, layer, &links);
  const uint32_t capacity = graph.options().M * (layer == 0 ? 2 : 1);
  if (links.size() > capacity) return place + "too many links";
  for (const uint32_t id : links) {
    if (id >= graph.slot_count()) return absl::StrCat(place, "no slot ", id);
    if (id == slot) return place + "links to itself";
    if (!IsHead(graph, id)) return absl::StrCat(place, id, " is no node");
    if (graph.top_layer(id) < layer) {
      return absl::StrCat(place, id, " does not stand there");
    }
  }
  std::sort(links.begin(), links.end());
  if (std::adjacent_find(links.begin(), links.end()) != links.end()) {
    return place + "an id twice";
  }
  return "";
}

std::string ViolationOfSlot(const LiveGraph& live, uint32_t slot) {
  const Graph& graph = *live.operator->();
  const bool is_twin = graph.head_of(slot) != kNoSlot;
  if (live.IsLive(slot) != graph.is_node(slot)) {
    return absl::StrCat("slot ", slot, ": linked is not what it was told");
  }
  std::vector<uint32_t> links;
  if (!IsHead(graph, slot)) {
    graph.CopyLinks(slot, 0, &links);
    if (!links.empty()) return absl::StrCat("slot ", slot, ": has links");
    if (is_twin && !IsHead(graph, graph.head_of(slot))) {
      return absl::StrCat("slot ", slot, ": head is no node");
    }
    return "";
  }
  if (graph.top_layer(slot) > graph.entry_point().layer) {
    return absl::StrCat("slot ", slot, ": stands above the entry point");
  }
  for (uint32_t layer = 0; layer <= graph.top_layer(slot); ++layer) {
    std::string violation = ViolationOfLinks(graph, slot, layer);
    if (!violation.empty()) return violation;
  }
  return "";
}

}  // namespace

std::string FindViolation(const LiveGraph& live) {
  const Graph& graph = *live.operator->();
  const EntryPoint entry = graph.entry_point();
  if (entry.exists != !live.live().empty()) return "entry point and no nodes";
  if (entry.exists && !IsHead(graph, entry.slot)) {
    return absl::StrCat("entry point ", entry.slot, " is no node");
  }
  if (entry.exists && graph.top_layer(entry.slot) != entry.layer) {
    return absl::StrCat("entry point ", entry.slot, ": not its top layer");
  }
  uint64_t twins = 0;
  for (uint32_t slot = 0; slot < graph.slot_count(); ++slot) {
    std::string violation = ViolationOfSlot(live, slot);
    if (!violation.empty()) return violation;
    twins += graph.head_of(slot) != kNoSlot ? 1 : 0;
  }
  if (twins != graph.twin_count()) return "twins are counted wrongly";
  const uint64_t unreachable = graph.CountUnreachable(AcceptEverything);
  if (unreachable > 0) return absl::StrCat(unreachable, " are unreachable");
  return "";
}

absl::Status CopyGraph(const Graph& from, Graph* to) {
  Scratch scratch;
  to->GrowTo(from.slot_count());
  for (uint32_t slot = 0; slot < from.slot_count(); ++slot) {
    if (!from.is_node(slot)) continue;
    const uint32_t head = from.head_of(slot);
    to->Fill(slot, from.row(slot), scratch);
    absl::Status status;
    if (head != kNoSlot) {
      status = to->RestoreTwin(slot, head);
    } else {
      std::vector<std::vector<uint32_t>> links(from.top_layer(slot) + 1);
      for (uint32_t layer = 0; layer < links.size(); ++layer) {
        from.CopyLinks(slot, layer, &links[layer]);
        std::sort(links[layer].begin(), links[layer].end());
      }
      status = to->RestoreNode(slot, from.top_layer(slot), links);
    }
    if (!status.ok()) return status;
  }
  const absl::Status status = to->RestoreEntryPoint(from.entry_point());
  return status.ok() ? to->FinishRestore(1) : status;
}

}  // namespace engram::index

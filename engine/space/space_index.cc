#include "engine/space/space_index.h"

#include <algorithm>
#include <utility>

#include "engine/simd/kernels.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

index::GraphOptions MakeGraphOptions(const schema::SpaceDescription& space) {
  index::GraphOptions options;
  options.dimension = space.dimension;
  options.metric = space.metric;
  options.M = space.M;
  options.ef_construction = space.ef_construction;
  options.seed = space.seed;
  options.quantization = schema::ResolveQuantization(
      space.quantization, space.metric, space.dimension);
  // Without codes there is nothing else to compare; a description that asks for
  // neither is refused.
  options.keep_rows = space.stored == schema::Stored::kF32 ||
                      options.quantization == schema::Quantization::kNone;
  return options;
}

// Memory of a StableVector, whose blocks hold 64 elements, 128, 256, ...
uint64_t TableBytes(const SlotTable& slots) {
  uint64_t capacity = 0;
  for (uint64_t block = 64; capacity < slots.size(); block *= 2) {
    capacity += block;
  }
  return capacity * sizeof(SlotInfo);
}

}  // namespace

SpaceIndex::SpaceIndex(const schema::SpaceDescription& description,
                       uint32_t slots_max)
    : options_(MakeGraphOptions(description)),
      slots_max_(slots_max),
      distance_(description.metric, description.dimension, simd::BestKernels()),
      flat_(std::make_unique<index::FlatIndex>(distance_).release()),
      owned_flat_(flat_) {}

std::vector<uint32_t> SpaceIndex::Reserve(
    absl::Span<const absl::string_view> ids) {
  std::vector<uint32_t> reserved;
  if (ids.empty()) return reserved;
  reserved.reserve(ids.size());
  MutexLock lock(link_mutex_);
  const uint32_t before = pool_.slot_count();
  const size_t fresh = ids.size() - std::min(ids.size(), pool_.free_count());
  auto end =
      static_cast<uint32_t>(std::min<size_t>(before + fresh, slots_max_));
  // A slot is described before the index knows it.
  while (slots_.size() < end) {
    slots_.Next();
    slots_.Publish();
  }
  if (owned_graph_ != nullptr) {
    end = std::min(end, owned_graph_->GrowTo(end));
  } else {
    owned_flat_->GrowTo(end);
  }
  const size_t count = ids.size() - fresh + (end - before);
  for (size_t i = 0; i < count; ++i) reserved.push_back(pool_.Take());
  for (size_t i = 0; i < count; ++i) {
    SlotInfo& info = slots_[reserved[i]];
    const absl::string_view id = ids_.Copy(ids[i]);
    info.id_data = id.data();
    info.id_size = static_cast<uint16_t>(id.size());
  }
  return reserved;
}

void SpaceIndex::Fill(uint32_t slot, absl::Span<const float> vector,
                      index::Scratch& scratch) {
  index::Graph* const graph = this->graph();
  if (graph != nullptr) {
    graph->Fill(slot, vector, scratch);
  } else {
    flat_->Fill(slot, vector);
  }
}

void SpaceIndex::Release(absl::Span<const uint32_t> slots) {
  if (slots.empty()) return;
  MutexLock lock(link_mutex_);
  for (const uint32_t slot : slots) {
    SlotInfo& info = slots_[slot];
    if (owned_graph_ != nullptr) owned_graph_->Release(slot);
    ids_.Free(info.id());
    info.id_data = nullptr;
    info.id_size = 0;
    pool_.Give(slot);
  }
}

absl::Span<const float> SpaceIndex::RowOf(uint32_t slot) const {
  const index::Graph* const graph = this->graph();
  if (graph == nullptr) return flat_->row(slot);
  if (!options_.keep_rows) return {};
  return graph->row(slot);
}

void SpaceIndex::Link(const index::InsertPlan& plan) {
  MutexLock lock(link_mutex_);
  owned_graph_->Link(plan);
}

void SpaceIndex::Unlink(uint32_t slot, index::Scratch& scratch) {
  MutexLock lock(link_mutex_);
  if (owned_graph_ != nullptr) owned_graph_->Unlink(slot, scratch);
}

std::unique_ptr<index::FlatIndex> SpaceIndex::BuildGraph(
    absl::Span<const uint32_t> slots, absl::Span<const uint32_t> live,
    index::Scratch& scratch) {
  std::vector<float> centre;
  if (options_.quantization != schema::Quantization::kNone) {
    std::vector<const float*> rows;
    rows.reserve(live.size());
    for (const uint32_t slot : live) rows.push_back(flat_->row(slot).data());
    centre = index::Graph::CentreOf(options_.metric, options_.dimension, rows);
  }
  // Nobody else knows the graph yet, so no lock is needed, and none is held for
  // as long as this takes.
  auto graph =
      std::make_unique<index::Graph>(options_, centre, simd::BestKernels());
  if (graph->GrowTo(slot_count()) < slot_count()) return nullptr;
  for (const uint32_t slot : slots) {
    graph->Fill(slot, flat_->row(slot), scratch);
    graph->Link(graph->Plan(slot, scratch));
  }
  return PublishGraph(std::move(graph));
}

void SpaceIndex::StartGraph(absl::Span<const float> centre) {
  ENGRAM_CHECK(slots_.size() == 0);
  PublishGraph(
      std::make_unique<index::Graph>(options_, centre, simd::BestKernels()));
}

std::unique_ptr<index::FlatIndex> SpaceIndex::PublishGraph(
    std::unique_ptr<index::Graph> graph) {
  MutexLock lock(link_mutex_);
  ENGRAM_CHECK(owned_graph_ == nullptr);
  owned_graph_ = std::move(graph);
  graph_.store(owned_graph_.get(), std::memory_order_release);
  return std::move(owned_flat_);
}

uint64_t SpaceIndex::memory_bytes() const {
  MutexLock lock(link_mutex_);
  return TableBytes(slots_) + pool_.memory_bytes() + ids_.bytes() +
         (owned_graph_ != nullptr ? owned_graph_->memory_bytes()
                                  : owned_flat_->memory_bytes());
}

}  // namespace engram::space

#include "engine/index/graph.h"

#include <cstring>

#include "storage/base/check.h"

namespace engram::index {
namespace {

std::optional<VectorCodec> MakeCodec(const GraphOptions& options,
                                     absl::Span<const float> centre,
                                     const simd::Kernels& kernels) {
  ENGRAM_CHECK(options.quantization != schema::Quantization::kAuto);
  if (options.quantization == schema::Quantization::kNone) return std::nullopt;
  return std::optional<VectorCodec>(std::in_place, options.dimension,
                                    options.metric, options.quantization,
                                    options.seed, centre, kernels);
}

std::vector<float> CentreFor(const GraphOptions& options,
                             absl::Span<const float> centre) {
  if (options.quantization == schema::Quantization::kNone) return {};
  ENGRAM_CHECK(centre.size() == options.dimension);
  return {centre.begin(), centre.end()};
}

NodeLayout MakeLayout(const GraphOptions& options,
                      const std::optional<VectorCodec>& codec) {
  NodeLayout layout;
  layout.dimension = options.dimension;
  layout.M = options.M;
  layout.keep_rows = options.keep_rows;
  if (!codec.has_value()) return layout;
  layout.crumb_bytes = codec->CrumbRowBytes();
  layout.high_bytes = codec->HighRowBytes();
  layout.low_bytes = codec->LowRowBytes();
  return layout;
}

}  // namespace

Graph::Graph(const GraphOptions& options, absl::Span<const float> centre,
             const simd::Kernels& kernels)
    : options_(options),
      centre_(CentreFor(options, centre)),
      distance_(options.metric, options.dimension, kernels),
      codec_(MakeCodec(options, centre, kernels)),
      nodes_(MakeLayout(options, codec_)),
      compare_(nodes_, distance_, codec_),
      editor_(&nodes_) {
  ENGRAM_CHECK(options.M >= 2 && 2 * options.M <= kHopSlotsMax);
  ENGRAM_CHECK(options.ef_construction >= 1);
  ENGRAM_CHECK(options.keep_rows || codec_.has_value());
}

std::vector<float> Graph::CentreOf(schema::Metric metric, uint32_t dimension,
                                   absl::Span<const float* const> rows) {
  return VectorCodec::CentreOf(metric, dimension, rows);
}

uint32_t Graph::GrowTo(uint32_t slot_count) {
  return nodes_.GrowTo(slot_count);
}

void Graph::Fill(uint32_t slot, absl::Span<const float> vector,
                 Scratch& scratch) {
  ENGRAM_CHECK(slot < slot_count());
  ENGRAM_CHECK(vector.size() == options_.dimension);
  if (options_.keep_rows) {
    float* const row = nodes_.row(slot);
    std::memcpy(row, vector.data(), vector.size() * sizeof(float));
    row[vector.size()] = distance_.InverseNorm(vector);
  }
  if (!codec_.has_value()) return;
  codec_->Encode(vector,
                 {nodes_.crumbs(slot), nodes_.high(slot), nodes_.low(slot)},
                 &scratch.other.coded);
}

uint64_t Graph::memory_bytes() const {
  return nodes_.memory_bytes() + editor_.memory_bytes();
}

void Graph::Release(uint32_t slot) { nodes_.Release(slot); }

EntryPoint Graph::entry_point() const {
  const uint64_t word = entry_point_.load(std::memory_order_acquire);
  if (word == kNoEntryPoint) return {};
  return {.exists = true,
          .slot = static_cast<uint32_t>(word),
          .layer = static_cast<uint32_t>(word >> 32)};
}

void Graph::StoreEntryPoint(uint32_t slot, uint32_t layer) {
  entry_point_.store((uint64_t{layer} << 32) | slot, std::memory_order_release);
}

NeighborKey Graph::WalkKey(uint32_t slot, Scratch& scratch) const {
  float distance;
  compare_.Walk(scratch.query, &slot, 1, &distance);
  ++scratch.distances;
  return KeyOf(distance, slot);
}

NeighborKey Graph::Descend(const EntryPoint& entry, uint32_t layer,
                           Scratch& scratch) const {
  Hop& hop = scratch.hop;
  NeighborKey nearest = WalkKey(entry.slot, scratch);
  for (uint32_t upper = entry.layer; upper > layer; --upper) {
    NeighborKey before;
    do {
      before = nearest;
      hop.count = 0;
      nodes_.links(SlotOf(nearest), upper).VisitDown([&hop](uint32_t id) {
        hop.Add(id);
      });
      ++scratch.hops;
      scratch.distances += hop.count;
      compare_.Walk(scratch.query, hop.slots, hop.count, hop.distances);
      for (size_t i = 0; i < hop.count; ++i) {
        nearest = std::min(nearest, hop.key(i));
      }
    } while (nearest != before);
  }
  return nearest;
}

}  // namespace engram::index

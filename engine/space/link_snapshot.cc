#include "engine/space/link_snapshot.h"

#include <algorithm>

#include "engine/space/slot_table.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

constexpr uint32_t kRemoved = uint32_t{1} << 31;
constexpr uint32_t kTwin = uint32_t{1} << 30;

}  // namespace

void LinkSnapshot::Reserve(size_t nodes, uint32_t M) {
  // Written once: pages that nobody has touched yet would come one by one while
  // indexing waits. Lists are about two thirds full.
  words_.resize(nodes * (size_t{M} + M / 2 + 4));
  words_.clear();
  starts_.reserve(nodes);
}

void LinkSnapshot::Begin(uint32_t row, uint32_t flags) {
  starts_.emplace_back(row, words_.size());
  words_.push_back(flags);
}

void LinkSnapshot::AddPlain(uint32_t row, bool removed) {
  Begin(row, removed ? kRemoved : 0);
}

void LinkSnapshot::AddTwin(uint32_t row, uint32_t head_slot) {
  Begin(row, kTwin);
  words_.push_back(head_slot);
}

void LinkSnapshot::AddNode(uint32_t row, bool removed,
                           const index::Graph& graph, uint32_t slot) {
  const uint32_t layers = graph.top_layer(slot) + 1;
  Begin(row, layers | (removed ? kRemoved : 0));
  for (uint32_t layer = 0; layer < layers; ++layer) {
    const size_t degree = words_.size();
    words_.push_back(0);
    graph.AppendLinks(slot, layer, &words_);
    words_[degree] = static_cast<uint32_t>(words_.size() - degree - 1);
  }
}

void LinkSnapshot::Sort(Words rows_of_slots) {
  rows_of_slots_ = std::move(rows_of_slots);
  std::sort(starts_.begin(), starts_.end());
}

uint32_t LinkSnapshot::RowOf(uint32_t slot) const {
  const uint32_t row = rows_of_slots_[slot];
  ENGRAM_CHECK(row != kNoRow);
  return row;
}

void LinkSnapshot::TakeOne(schema::LinkPartBuilder* part) {
  const auto [row, start] = starts_[taken_++];
  size_t word = start;
  const uint32_t flags = words_[word++];
  const bool removed = (flags & kRemoved) != 0;
  if ((flags & kTwin) != 0) {
    part->AddTwin(row, RowOf(words_[word]));
    return;
  }
  const uint32_t layers = flags & ~kRemoved;
  if (layers == 0) {
    part->AddPlain(row, removed);
    return;
  }
  part->AddNode(row, removed, layers);
  for (uint32_t layer = 0; layer < layers; ++layer) {
    const uint32_t degree = words_[word++];
    neighbors_.clear();
    for (uint32_t i = 0; i < degree; ++i) {
      neighbors_.push_back(RowOf(words_[word++]));
    }
    std::sort(neighbors_.begin(), neighbors_.end());
    part->AddLayer(neighbors_);
  }
}

bool LinkSnapshot::Take(size_t count, schema::LinkPartBuilder* part) {
  for (; count > 0 && taken_ < starts_.size(); --count) TakeOne(part);
  return taken_ < starts_.size();
}

}  // namespace engram::space

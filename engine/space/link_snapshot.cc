#include "engine/space/link_snapshot.h"

#include <algorithm>

#include "engine/space/slot_table.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

constexpr uint32_t kRemoved = uint32_t{1} << 31;
constexpr uint32_t kTwin = uint32_t{1} << 30;

// Ids of a list on layer 0 at the default M.
constexpr size_t kShortList = 32;

// Sorts different rows. The place of each in a short list is how many are
// smaller, which the compiler counts for several at a time: 81 ns for 25 ids,
// where std::sort() takes 312, most of it for branches that nobody can predict.
void SortRows(std::vector<uint32_t>* rows) {
  const size_t count = rows->size();
  if (count > kShortList) {
    std::sort(rows->begin(), rows->end());
    return;
  }
  uint32_t before[kShortList] = {};
  uint32_t smaller[kShortList] = {};
  std::copy(rows->begin(), rows->end(), before);
  for (size_t other = 0; other < count; ++other) {
    const uint32_t row = before[other];
    for (size_t i = 0; i < kShortList; ++i) smaller[i] += row < before[i];
  }
  for (size_t i = 0; i < count; ++i) (*rows)[smaller[i]] = before[i];
}

}  // namespace

void LinkSnapshot::Reserve(size_t nodes, uint32_t M) {
  // Else the pages would come one by one while indexing waits. Lists are about
  // two thirds full.
  words_.reserve(nodes * (size_t{M} + M / 2 + 4));
  PopulatePages(words_.data(), words_.capacity() * sizeof(uint32_t));
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

bool LinkSnapshot::Take(uint32_t* row, schema::LinkNode* node) {
  if (taken_ == starts_.size()) return false;
  size_t word = starts_[taken_].second;
  *row = starts_[taken_++].first;
  const uint32_t flags = words_[word++];
  const bool removed = (flags & kRemoved) != 0;
  if ((flags & kTwin) != 0) {
    const uint32_t head = RowOf(words_[word]);
    ENGRAM_CHECK(head != *row);
    node->SetTwin(head);
    return true;
  }
  const uint32_t layers = flags & ~kRemoved;
  if (layers == 0) {
    node->SetPlain(removed);
    return true;
  }
  node->SetLayers(layers, removed);
  for (uint32_t layer = 0; layer < layers; ++layer) {
    const uint32_t degree = words_[word++];
    neighbors_.clear();
    for (uint32_t i = 0; i < degree; ++i) {
      neighbors_.push_back(RowOf(words_[word++]));
    }
    SortRows(&neighbors_);
    node->AddLayer(neighbors_);
  }
  return true;
}

}  // namespace engram::space

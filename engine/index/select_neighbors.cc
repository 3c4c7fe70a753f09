#include "engine/index/select_neighbors.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/neighbor.h"

namespace engram::index {
namespace {

// Moves the candidates behind `chosen` that are closer to it than to the base
// from `left` to `occluded`. All that are left are compared at once: the first
// choices occlude most candidates, so about as few distances are computed as by
// asking for each candidate, with a quarter of the queries to prepare.
void Occlude(const SlotDistance& distance, Comparison comparison,
             const Neighbor& chosen, std::vector<Neighbor>* left,
             std::vector<Neighbor>* occluded, Scratch& scratch) {
  distance.PrepareSlot(chosen.slot, &scratch.other);
  Hop& hop = scratch.hop;
  size_t kept = 0;
  for (size_t begin = 0; begin < left->size(); begin += kHopSlotsMax) {
    const size_t count = std::min(kHopSlotsMax, left->size() - begin);
    for (size_t i = 0; i < count; ++i) hop.slots[i] = (*left)[begin + i].slot;
    (distance.*comparison)(scratch.other, hop.slots, count, hop.distances);
    for (size_t i = 0; i < count; ++i) {
      const Neighbor candidate = (*left)[begin + i];
      if (hop.distances[i] < candidate.distance) {
        if (occluded != nullptr) occluded->push_back(candidate);
      } else {
        (*left)[kept++] = candidate;
      }
    }
  }
  left->resize(kept);
}

bool Nearer(const Neighbor& a, const Neighbor& b) {
  return KeyOf(a.distance, a.slot) < KeyOf(b.distance, b.slot);
}

// What occludes a candidate is mostly among the nearest: asked a few at a time,
// half of the distances need not be computed (4: 122 us for a removal at 768
// dimensions, 8: 136, 16: 157).
constexpr size_t kOccludersAtOnce = 4;

// Whether `candidate` is closer to one of `nearer`, which are ascending, than
// to the base.
bool IsOccluded(const SlotDistance& distance, const Neighbor& candidate,
                absl::Span<const Neighbor> nearer, Scratch& scratch) {
  if (nearer.empty()) return false;
  distance.PrepareSlot(candidate.slot, &scratch.other);
  Hop& hop = scratch.hop;
  while (!nearer.empty()) {
    const auto some = nearer.subspan(0, kOccludersAtOnce);
    hop.count = 0;
    for (const Neighbor& neighbor : some) hop.Add(neighbor.slot);
    distance.Fine(scratch.other, hop.slots, hop.count, hop.distances);
    for (size_t i = 0; i < hop.count; ++i) {
      if (hop.distances[i] < candidate.distance) return true;
    }
    nearer.remove_prefix(some.size());
  }
  return false;
}

}  // namespace

size_t SelectNeighbors(const SlotDistance& distance, Comparison comparison,
                       size_t limit, size_t fill_to, Scratch& scratch) {
  std::vector<Neighbor>& selected = scratch.selected;
  selected.clear();
  if (scratch.pool.size() < limit) {
    selected = scratch.pool;
    return selected.size();
  }
  // Nearest last, so that taking the nearest moves nothing.
  std::vector<Neighbor>& left = scratch.left;
  left.assign(scratch.pool.rbegin(), scratch.pool.rend());
  std::vector<Neighbor>& occluded = scratch.occluded;
  occluded.clear();
  while (!left.empty()) {
    selected.push_back(left.back());
    left.pop_back();
    if (selected.size() == limit || left.empty()) break;
    Occlude(distance, comparison, selected.back(), &left,
            fill_to > 0 ? &occluded : nullptr, scratch);
  }
  const size_t chosen = selected.size();
  if (chosen >= fill_to) return chosen;
  const size_t missing = std::min(fill_to - chosen, occluded.size());
  std::partial_sort(occluded.begin(),
                    occluded.begin() + static_cast<ptrdiff_t>(missing),
                    occluded.end(), Nearer);
  selected.insert(selected.end(), occluded.begin(),
                  occluded.begin() + static_cast<ptrdiff_t>(missing));
  return chosen;
}

void ExtendNeighbors(const SlotDistance& distance, size_t limit, size_t fill_to,
                     Scratch& scratch) {
  std::vector<Neighbor>& selected = scratch.selected;
  std::vector<Neighbor>& occluded = scratch.occluded;
  occluded.clear();
  for (const Neighbor& candidate : scratch.pool) {
    if (selected.size() >= limit) return;
    const auto place =
        std::lower_bound(selected.begin(), selected.end(), candidate, Nearer);
    const auto nearer = absl::MakeConstSpan(selected).subspan(
        0, static_cast<size_t>(place - selected.begin()));
    if (IsOccluded(distance, candidate, nearer, scratch)) {
      occluded.push_back(candidate);
    } else {
      selected.insert(place, candidate);
    }
  }
  if (selected.size() >= fill_to) return;
  occluded.resize(std::min(occluded.size(), fill_to - selected.size()));
  selected.insert(selected.end(), occluded.begin(), occluded.end());
}

}  // namespace engram::index

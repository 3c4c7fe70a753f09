// Links out of the graph and back in. What comes back may be hostile.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/index/graph.h"
#include "storage/base/parallel_ranges.h"
#include "storage/base/status_macros.h"

namespace engram::index {
namespace {

// The errors of links that are wrong in themselves.
absl::Status CheckLinks(uint32_t slot, uint32_t layer, uint32_t slot_count,
                        uint32_t capacity, const std::vector<uint32_t>& links) {
  if (links.size() > capacity) {
    return absl::DataLossError(absl::StrCat("slot ", slot, " layer ", layer,
                                            ": ", links.size(),
                                            " links, the limit is ", capacity));
  }
  for (uint32_t id : links) {
    if (id >= slot_count) {
      return absl::DataLossError(
          absl::StrCat("slot ", slot, " layer ", layer, ": link to slot ", id,
                       ", but there are ", slot_count, " slots"));
    }
    if (id == slot) {
      return absl::DataLossError(
          absl::StrCat("slot ", slot, " layer ", layer, ": link to itself"));
    }
  }
  std::vector<uint32_t> sorted = links;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    return absl::DataLossError(absl::StrCat("slot ", slot, " layer ", layer,
                                            ": two links to slot ", *twice));
  }
  return absl::OkStatus();
}

}  // namespace

void Graph::CopyLinks(uint32_t slot, uint32_t layer,
                      std::vector<uint32_t>* out) const {
  out->clear();
  if (nodes_.StandsOn(slot, layer)) nodes_.links(slot, layer).CopyTo(out);
}

absl::Status Graph::RestoreNode(
    uint32_t slot, uint32_t top_layer,
    absl::Span<const std::vector<uint32_t>> links_by_layer) {
  if (slot >= slot_count()) {
    return absl::DataLossError(
        absl::StrCat("slot ", slot, ": there are ", slot_count(), " slots"));
  }
  if (nodes_.is_linked(slot)) {
    return absl::DataLossError(absl::StrCat("slot ", slot, ": links twice"));
  }
  if (top_layer > kLayerMax) {
    return absl::DataLossError(absl::StrCat("slot ", slot, ": top layer is ",
                                            top_layer, ", the limit is ",
                                            kLayerMax));
  }
  if (links_by_layer.size() != size_t{top_layer} + 1) {
    return absl::DataLossError(
        absl::StrCat("slot ", slot, ": links of ", links_by_layer.size(),
                     " layers, top layer is ", top_layer));
  }
  for (uint32_t layer = 0; layer <= top_layer; ++layer) {
    ENGRAM_RETURN_IF_ERROR(CheckLinks(slot, layer, slot_count(),
                                      nodes_.LinkCapacity(layer),
                                      links_by_layer[layer]));
  }
  nodes_.MakeNode(slot, top_layer);
  for (uint32_t layer = 0; layer <= top_layer; ++layer) {
    nodes_.links(slot, layer).Fill(links_by_layer[layer]);
  }
  return absl::OkStatus();
}

absl::Status Graph::RestoreTwin(uint32_t slot, uint32_t head) {
  if (slot >= slot_count() || head >= slot_count() || slot == head) {
    return absl::DataLossError(absl::StrCat("slot ", slot, ": twin of slot ",
                                            head, ", there are ", slot_count(),
                                            " slots"));
  }
  if (nodes_.is_linked(slot)) {
    return absl::DataLossError(absl::StrCat("slot ", slot, ": links twice"));
  }
  restored_twins_.emplace_back(slot, head);
  return absl::OkStatus();
}

absl::Status Graph::RestoreEntryPoint(const EntryPoint& entry_point) {
  if (!entry_point.exists) {
    entry_point_.store(kNoEntryPoint, std::memory_order_release);
    return absl::OkStatus();
  }
  if (entry_point.slot >= slot_count()) {
    return absl::DataLossError(
        absl::StrCat("entry point is slot ", entry_point.slot,
                     ", but there are ", slot_count(), " slots"));
  }
  if (entry_point.layer > kLayerMax) {
    return absl::DataLossError(
        absl::StrCat("entry point slot ", entry_point.slot, ": layer is ",
                     entry_point.layer, ", the limit is ", kLayerMax));
  }
  StoreEntryPoint(entry_point.slot, entry_point.layer);
  return absl::OkStatus();
}

absl::Status Graph::CheckRestoredLinks(uint32_t slot, uint32_t layer) const {
  const LinkList links = nodes_.links(slot, layer);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    if (!nodes_.is_node(id)) {
      return absl::DataLossError(absl::StrCat("slot ", slot, " layer ", layer,
                                              ": link to slot ", id,
                                              ", which is no node"));
    }
    if (nodes_.top_layer(id) < layer) {
      return absl::DataLossError(
          absl::StrCat("slot ", slot, " layer ", layer, ": link to slot ", id,
                       ", whose top layer is ", nodes_.top_layer(id)));
    }
  }
  return absl::OkStatus();
}

// The copies hang on nodes that may have been restored after them.
absl::Status Graph::LinkRestoredTwins() {
  for (const auto& [slot, head] : restored_twins_) {
    if (!nodes_.is_node(head)) {
      return absl::DataLossError(absl::StrCat("slot ", slot, ": twin of slot ",
                                              head, ", which is no node"));
    }
    if (nodes_.is_linked(slot)) {
      return absl::DataLossError(absl::StrCat("slot ", slot, ": links twice"));
    }
    nodes_.MakeTwin(slot, head);
    twin_count_.fetch_add(1, std::memory_order_relaxed);
  }
  restored_twins_ = {};
  return absl::OkStatus();
}

// Of all nodes. The first error in the order of slots.
absl::Status Graph::CheckRestoredLinks(size_t threads) const {
  const bool has_entry = entry_point().exists;
  const auto check = [&](uint32_t slot) {
    if (!has_entry) {
      return absl::DataLossError(absl::StrCat(
          "slot ", slot, " is a node, but there is no entry point"));
    }
    for (uint32_t layer = 0; layer <= top_layer(slot); ++layer) {
      ENGRAM_RETURN_IF_ERROR(CheckRestoredLinks(slot, layer));
    }
    return absl::OkStatus();
  };
  std::vector<absl::Status> statuses(threads);
  ForParallelRanges(threads, slot_count(),
                    [&](size_t range, uint32_t begin, uint32_t end) {
                      absl::Status& status = statuses[range];
                      for (uint32_t slot = begin; slot < end; ++slot) {
                        if (nodes_.is_node(slot)) status = check(slot);
                        if (!status.ok()) return;
                      }
                    });
  absl::Status first;
  for (const absl::Status& status : statuses) first.Update(status);
  return first;
}

// What finding one-way links looks at for each neighbor on layer 0: they stand
// anywhere in memory.
void Graph::PrefetchNeighbors(uint32_t slot) const {
  if (!nodes_.is_node(slot)) return;
  const LinkList links = nodes_.links(slot, 0);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) return;
    nodes_.PrefetchLinks(id);
    nodes_.PrefetchHeader(id);
  }
}

// Makes in-degrees and one-way in-links known, which are not saved.
void Graph::RestoreInLinks(size_t threads) {
  std::vector<OneWayLinkList> found(threads);
  ForParallelRanges(
      threads, slot_count(), [&](size_t range, uint32_t begin, uint32_t end) {
        for (uint32_t slot = begin; slot < end; ++slot) {
          if (slot + 1 < end) PrefetchNeighbors(slot + 1);
          if (!nodes_.is_node(slot)) continue;
          for (uint32_t layer = 0; layer <= top_layer(slot); ++layer) {
            editor_.FindOneWay(slot, layer, &found[range]);
          }
        }
      });
  for (OneWayLinkList& links : found) {
    for (const OneWayLink& link : links) editor_.RestoreOneWay(link);
    links = {};
  }
}

absl::Status Graph::FinishRestore(size_t threads) {
  const EntryPoint entry = entry_point();
  if (entry.exists && !nodes_.is_node(entry.slot)) {
    return absl::DataLossError(
        absl::StrCat("entry point is slot ", entry.slot, ", which is no node"));
  }
  if (entry.exists && top_layer(entry.slot) != entry.layer) {
    return absl::DataLossError(absl::StrCat(
        "entry point slot ", entry.slot, ": layer is ", entry.layer,
        ", but its top layer is ", top_layer(entry.slot)));
  }
  ENGRAM_RETURN_IF_ERROR(CheckRestoredLinks(threads));
  ENGRAM_RETURN_IF_ERROR(LinkRestoredTwins());
  // What follows is not as it was saved.
  nodes_.TakeChanged();
  RestoreInLinks(threads);
  StoreSpanningTree();
  return absl::OkStatus();
}

}  // namespace engram::index

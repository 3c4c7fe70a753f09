#include "engine/index/link_editor.h"

#include <algorithm>
#include <atomic>

#include "storage/base/check.h"

namespace engram::index {
namespace {

bool Contains(absl::Span<const uint32_t> ids, uint32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

void LinkEditor::NoteAdded(uint32_t from, uint32_t layer, uint32_t to) {
  if (layer == 0) ++nodes_.in_degree(to);
  if (nodes_.links(to, layer).Contains(from)) {
    // `to` linked to `from` one way until now.
    ENGRAM_CHECK(one_way_.Remove(nodes_.one_way(from, layer), to));
  } else {
    one_way_.Add(nodes_.one_way(to, layer), from);
  }
}

void LinkEditor::NoteDropped(uint32_t from, uint32_t layer, uint32_t to) {
  if (layer == 0) --nodes_.in_degree(to);
  LinkList back = nodes_.links(to, layer);
  if (!back.Contains(from)) {
    ENGRAM_CHECK(one_way_.Remove(nodes_.one_way(to, layer), from));
    return;
  }
  if (!IsHub(from, layer) || (layer == 0 && nodes_.parent(from) == to)) {
    one_way_.Add(nodes_.one_way(from, layer), to);
    return;
  }
  // One hub the less in the list of `to`; no list of in-links is concerned.
  if (layer == 0) --nodes_.in_degree(from);
  nodes_.MarkChanged(to);
  back.Remove(from);
}

void LinkEditor::Add(uint32_t from, uint32_t layer, uint32_t to) {
  LinkList links = nodes_.links(from, layer);
  nodes_.MarkChanged(from);
  NoteAdded(from, layer, to);
  links.Append(links.degree(), to);
}

void LinkEditor::Assign(uint32_t from, uint32_t layer,
                        absl::Span<const uint32_t> ids) {
  LinkList links = nodes_.links(from, layer);
  links.CopyTo(&gone_);
  come_.clear();
  for (const uint32_t id : ids) {
    const auto old = std::find(gone_.begin(), gone_.end(), id);
    if (old == gone_.end()) {
      come_.push_back(id);
    } else {
      *old = gone_.back();
      gone_.pop_back();
    }
  }
  if (gone_.empty() && come_.empty()) return;
  nodes_.MarkChanged(from);
  links.Exchange(gone_, come_);
  for (const uint32_t id : come_) NoteAdded(from, layer, id);
  for (const uint32_t id : gone_) NoteDropped(from, layer, id);
}

void LinkEditor::Replace(uint32_t from, uint32_t layer, uint32_t i,
                         uint32_t to) {
  LinkList links = nodes_.links(from, layer);
  const uint32_t before = links.id(i);
  nodes_.MarkChanged(from);
  links.Replace(i, to);
  NoteAdded(from, layer, to);
  NoteDropped(from, layer, before);
}

void LinkEditor::Succeed(uint32_t slot, uint32_t heir, uint32_t layer,
                         absl::Span<const uint32_t> in_neighbors) {
  const LinkList links = nodes_.links(slot, layer);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    if (Contains(in_neighbors, id)) continue;
    one_way_.Replace(*nodes_.one_way(id, layer), slot, heir);
  }
  for (const uint32_t in_neighbor : in_neighbors) {
    nodes_.MarkChanged(in_neighbor);
    nodes_.links(in_neighbor, layer).ReplaceId(slot, heir);
  }
}

void LinkEditor::Forget(uint32_t from, uint32_t layer) {
  const LinkList links = nodes_.links(from, layer);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    ENGRAM_CHECK(one_way_.Remove(nodes_.one_way(id, layer), from));
    if (layer == 0) --nodes_.in_degree(id);
  }
  one_way_.Clear(nodes_.one_way(from, layer));
}

void LinkEditor::CopyInNeighbors(uint32_t slot, uint32_t layer,
                                 std::vector<uint32_t>* out) const {
  out->clear();
  const LinkList links = nodes_.links(slot, layer);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    if (nodes_.links(id, layer).Contains(slot)) out->push_back(id);
  }
  const absl::Span<const uint32_t> one_way =
      one_way_.ids(*nodes_.one_way(slot, layer));
  out->insert(out->end(), one_way.begin(), one_way.end());
}

void LinkEditor::FindOneWay(uint32_t slot, uint32_t layer,
                            OneWayLinkList* found) const {
  const LinkList links = nodes_.links(slot, layer);
  for (uint32_t i = 0; i < links.capacity(); ++i) {
    const uint32_t id = links.id(i);
    if (id == kNoSlot) break;
    if (!nodes_.links(id, layer).Contains(slot)) {
      found->push_back({slot, layer, id});
    } else if (layer == 0) {
      // Relaxed: a count, read when all threads have ended.
      std::atomic_ref<uint16_t>(nodes_.in_degree(id))
          .fetch_add(1, std::memory_order_relaxed);
    }
  }
}

void LinkEditor::RestoreOneWay(const OneWayLink& link) {
  if (IsHub(link.to, link.layer)) {
    nodes_.MarkChanged(link.from);
    nodes_.links(link.from, link.layer).Remove(link.to);
    return;
  }
  one_way_.Add(nodes_.one_way(link.to, link.layer), link.from);
  if (link.layer == 0) ++nodes_.in_degree(link.to);
}

}  // namespace engram::index

#include "engine/index/one_way_links.h"

#include <algorithm>

#include "storage/base/check.h"

namespace engram::index {

OneWayLinks::Handle OneWayLinks::Allocate(uint32_t size_class) {
  ENGRAM_CHECK(size_class < kClasses);
  std::vector<Handle>& free = free_[size_class];
  if (!free.empty()) {
    const Handle list = free.back();
    free.pop_back();
    return list;
  }
  const size_t words = Words(size_class);
  const size_t room = pages_.size() * kPageWords - used_words_;
  if (room < words) {
    // What is left of the page becomes smaller blocks.
    size_t left = room;
    for (uint32_t smaller = size_class; smaller > 0; --smaller) {
      if (left < Words(smaller - 1)) continue;
      free_[smaller - 1].push_back(((smaller - 1) << (32 - kClassBits)) |
                                   static_cast<uint32_t>(used_words_ / 4 + 1));
      used_words_ += Words(smaller - 1);
      left -= Words(smaller - 1);
    }
    used_words_ = pages_.size() * kPageWords;
    pages_.push_back(std::make_unique<Page>());
    bytes_.fetch_add(sizeof(Page), std::memory_order_relaxed);
  }
  const size_t unit = used_words_ / 4 + 1;
  ENGRAM_CHECK(unit < (size_t{1} << (32 - kClassBits)));
  used_words_ += words;
  return (size_class << (32 - kClassBits)) | static_cast<uint32_t>(unit);
}

void OneWayLinks::Add(Handle* list, uint32_t id) {
  if (*list == kEmpty) {
    *list = Allocate(0);
    block(*list)[0] = 0;
  }
  const uint32_t size_class = ClassOf(*list);
  const uint32_t count = block(*list)[0];
  if (count + 1 == Words(size_class)) {
    const Handle larger = Allocate(size_class + 1);
    std::copy_n(block(*list), count + 1, block(larger));
    Free(*list);
    *list = larger;
  }
  uint32_t* words = block(*list);
  ENGRAM_DCHECK(std::find(words + 1, words + 1 + count, id) ==
                words + 1 + count);
  words[1 + count] = id;
  words[0] = count + 1;
}

bool OneWayLinks::Remove(Handle* list, uint32_t id) {
  if (*list == kEmpty) return false;
  uint32_t* words = block(*list);
  uint32_t* const end = words + 1 + words[0];
  // From the end: what is taken out has most often just come in.
  uint32_t* place = end - 1;
  while (place > words && *place != id) --place;
  if (place == words) return false;
  *place = end[-1];
  if (--words[0] == 0) {
    Clear(list);
    return true;
  }
  // Shrinks with room to spare, so that a list that goes up and down by one
  // does not move each time.
  const uint32_t size_class = ClassOf(*list);
  if (size_class > 0 && 4 * size_t{words[0]} < Words(size_class)) {
    const Handle smaller = Allocate(size_class - 1);
    std::copy_n(block(*list), words[0] + 1, block(smaller));
    Free(*list);
    *list = smaller;
  }
  return true;
}

void OneWayLinks::Replace(Handle list, uint32_t old_id, uint32_t new_id) {
  ENGRAM_CHECK(list != kEmpty);
  uint32_t* words = block(list);
  uint32_t* const end = words + 1 + words[0];
  uint32_t* const place = std::find(words + 1, end, old_id);
  ENGRAM_CHECK(place != end);
  *place = new_id;
}

void OneWayLinks::Clear(Handle* list) {
  if (*list == kEmpty) return;
  Free(*list);
  *list = kEmpty;
}

absl::Span<const uint32_t> OneWayLinks::ids(Handle list) const {
  if (list == kEmpty) return {};
  const uint32_t* words = block(list);
  return {words + 1, words[0]};
}

}  // namespace engram::index

// The tail of a space: what was acknowledged and is not yet in the index.
// Searches scan it exactly; workers consume it from the front.

#ifndef ENGRAM_ENGINE_SPACE_TAIL_H_
#define ENGRAM_ENGINE_SPACE_TAIL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "schema/wal_codec.h"
#include "storage/wal/group.h"

namespace engram::space {

// remove_lsn of a version that is current.
inline constexpr Lsn kNeverRemoved = ~Lsn{0};

// One record of the log. Constant once it is in the tail, but for remove_lsn.
struct TailEntry {
  schema::RecordView record;  // points into `group`
  std::shared_ptr<const wal::Group> group;
  absl::string_view id;    // in the space's IdArena; kObserve only
  float inverse_norm = 0;  // see index::VectorDistance
  uint32_t admitted_bytes = 0;

  // The LSN of the record that replaced or removed this version. Written in
  // the order of LSNs; a reader compares it with a snapshot that it took under
  // the space's mutex, so relaxed order is enough.
  std::atomic<Lsn> remove_lsn{kNeverRemoved};
};

inline constexpr size_t kTailChunkEntries = 64;

struct TailChunk {
  std::array<TailEntry, kTailChunkEntries> entries;
  std::shared_ptr<TailChunk> next;
};

// A range of the tail that stays in memory while someone looks at it.
class TailPin {
 public:
  TailPin() = default;
  TailPin(std::shared_ptr<TailChunk> first, size_t offset, size_t count)
      : first_(std::move(first)), offset_(offset), count_(count) {}

  size_t count() const { return count_; }

  // The pinned entries in LSN order, valid as long as the pin.
  std::vector<TailEntry*> Entries() const {
    std::vector<TailEntry*> entries;
    entries.reserve(count_);
    TailChunk* chunk = first_.get();
    size_t index = offset_;
    for (size_t i = 0; i < count_; ++i, ++index) {
      if (index == kTailChunkEntries) {
        chunk = chunk->next.get();
        index = 0;
      }
      entries.push_back(&chunk->entries[index]);
    }
    return entries;
  }

 private:
  std::shared_ptr<TailChunk> first_;
  size_t offset_ = 0;
  size_t count_ = 0;
};

// An append-only list of chunks; those in front go when nobody has them
// pinned.
//
// Thread safety: none of its own; the space's mutex guards it. A pin is used
// without the mutex.
class Tail {
 public:
  // The entry behind the last one, for the caller to fill in.
  TailEntry& Append() {
    if (last_ == nullptr || last_used_ == kTailChunkEntries) {
      auto chunk = std::make_shared<TailChunk>();
      if (last_ == nullptr) {
        first_ = chunk;
        offset_ = 0;
      } else {
        last_->next = chunk;
      }
      last_ = std::move(chunk);
      last_used_ = 0;
    }
    ++count_;
    return last_->entries[last_used_++];
  }

  // Pins the first `count_max` entries, or all.
  TailPin Pin(size_t count_max) const {
    return TailPin(first_, offset_, count_ < count_max ? count_ : count_max);
  }

  // Takes `count` entries off the front.
  void PopFront(size_t count) {
    count_ -= count;
    offset_ += count;
    if (count_ == 0) {
      first_ = nullptr;
      last_ = nullptr;
      return;
    }
    while (offset_ >= kTailChunkEntries) {
      first_ = first_->next;
      offset_ -= kTailChunkEntries;
    }
  }

  const TailEntry* front() const {
    return count_ == 0 ? nullptr : &first_->entries[offset_];
  }
  size_t count() const { return count_; }

 private:
  std::shared_ptr<TailChunk> first_;
  std::shared_ptr<TailChunk> last_;
  size_t offset_ = 0;     // of the first entry, in *first_
  size_t last_used_ = 0;  // entries of *last_
  size_t count_ = 0;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_TAIL_H_

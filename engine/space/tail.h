// The tail of a space: what was acknowledged and is not yet in the index.
// Searches scan it exactly; workers consume it from the front.

#ifndef ENGRAM_ENGINE_SPACE_TAIL_H_
#define ENGRAM_ENGINE_SPACE_TAIL_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "engine/index/neighbor.h"
#include "schema/wal_codec.h"
#include "storage/wal/group.h"

namespace engram::space {

// remove_lsn of a version that is current.
inline constexpr Lsn kNeverRemoved = ~Lsn{0};

// One record of the log. Constant once it is in the tail, but for what is said
// below.
struct TailEntry {
  schema::RecordView record;  // points into `group`
  std::shared_ptr<const wal::Group> group;
  float inverse_norm = 0;  // see index::VectorDistance
  uint32_t admitted_bytes = 0;
  int64_t published_micros = 0;

  // How the slot of a version finds the record that ends it, which is the one
  // that takes it out of the index. Under the space's mutex.
  TailEntry* successor = nullptr;  // replaces this version; later in the tail
  uint32_t replaced_slot = index::kNoSlot;  // of the version that this one ends
  Lsn replaced_dead_lsn = 0;  // of it, if that is a dead letter; else 0
  bool dead = false;          // stands among the dead letters, not in a tail

  // The LSN of the record that replaced or removed this version. Written in
  // the order of LSNs; a reader compares it with a snapshot that it took under
  // the space's mutex, so relaxed order is enough.
  std::atomic<Lsn> remove_lsn{kNeverRemoved};
};

inline constexpr size_t kTailChunkEntries = 64;

using TailChunk = std::array<TailEntry, kTailChunkEntries>;

// A range of the tail, with just the chunks that hold it, that stays in memory
// while someone looks at it.
class TailPin {
 public:
  TailPin() = default;
  TailPin(std::vector<std::shared_ptr<TailChunk>> chunks, size_t offset,
          size_t count)
      : chunks_(std::move(chunks)), offset_(offset), count_(count) {}

  size_t count() const { return count_; }

  // The pinned entries in LSN order, valid as long as the pin.
  std::vector<TailEntry*> Entries() const {
    std::vector<TailEntry*> entries;
    entries.reserve(count_);
    for (size_t i = offset_; i < offset_ + count_; ++i) {
      entries.push_back(
          &(*chunks_[i / kTailChunkEntries])[i % kTailChunkEntries]);
    }
    return entries;
  }

 private:
  std::vector<std::shared_ptr<TailChunk>> chunks_;
  size_t offset_ = 0;  // of the first entry in the first chunk
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
    const size_t index = offset_ + count_;
    if (index == chunks_.size() * kTailChunkEntries) {
      chunks_.push_back(std::make_shared<TailChunk>());
    }
    ++count_;
    return (*chunks_.back())[index % kTailChunkEntries];
  }

  // Pins the first `count_max` entries, or all.
  TailPin Pin(size_t count_max) const { return Pin(0, count_max); }

  // Pins up to `count_max` entries from the one behind the first `skipped`, of
  // which there are that many.
  TailPin Pin(size_t skipped, size_t count_max) const {
    const size_t count = std::min(count_ - skipped, count_max);
    if (count == 0) return TailPin();
    const size_t first = offset_ + skipped;
    const size_t end = first + count;
    return TailPin(
        {chunks_.begin() + static_cast<ptrdiff_t>(first / kTailChunkEntries),
         chunks_.begin() +
             static_cast<ptrdiff_t>((end + kTailChunkEntries - 1) /
                                    kTailChunkEntries)},
        first % kTailChunkEntries, count);
  }

  // Takes `count` entries off the front.
  void PopFront(size_t count) {
    count_ -= count;
    offset_ += count;
    const size_t left = offset_ / kTailChunkEntries;
    chunks_.erase(chunks_.begin(),
                  chunks_.begin() + static_cast<ptrdiff_t>(left));
    offset_ %= kTailChunkEntries;
    if (count_ == 0) {
      chunks_.clear();
      offset_ = 0;
    }
  }

  const TailEntry* front() const {
    return count_ == 0 ? nullptr : &(*chunks_.front())[offset_];
  }
  size_t count() const { return count_; }

 private:
  std::vector<std::shared_ptr<TailChunk>> chunks_;
  size_t offset_ = 0;  // of the first entry in the first chunk
  size_t count_ = 0;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_TAIL_H_

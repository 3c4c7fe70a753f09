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
#include "engine/index/code_layout.h"
#include "engine/index/neighbor.h"
#include "engine/index/scan_codes.h"
#include "schema/wal_codec.h"
#include "storage/base/check.h"
#include "storage/wal/group.h"

namespace engram::space {

// remove_lsn of a version that is current.
inline constexpr Lsn kNeverRemoved = ~Lsn{0};

// One record of the log. Constant once it is in the tail, but for what is said
// below. What a scan looks at, up to where the vector is, is one cache line of
// three.
struct alignas(64) TailEntry {
  // The LSN of the record that replaced or removed this version. Written in
  // the order of LSNs; a reader compares it with a snapshot that it took under
  // the space's mutex, so relaxed order is enough.
  std::atomic<Lsn> remove_lsn{kNeverRemoved};

  float inverse_norm = 0;  // see index::VectorDistance
  uint32_t admitted_bytes = 0;
  schema::RecordView record;  // points into `group`
  std::shared_ptr<const wal::Group> group;
  int64_t published_micros = 0;

  // How the slot of a version finds the record that ends it, which is the one
  // that takes it out of the index. Under the space's mutex.
  TailEntry* successor = nullptr;  // replaces this version; later in the tail
  uint32_t replaced_slot = index::kNoSlot;  // of the version that this one ends
  Lsn replaced_dead_lsn = 0;  // of it, if that is a dead letter; else 0
  bool dead = false;          // stands among the dead letters, not in a tail
};

inline constexpr size_t kTailChunkEntries = 64;

// Where entries stand, and stay. They are filled in from the first on.
struct TailChunk {
  std::array<TailEntry, kTailChunkEntries> entries;
  // A row for each entry, written before the entry is in the tail; null where
  // the chunk has none.
  std::unique_ptr<index::ScanCodes> codes;
};
static_assert(index::ScanCodes::kRows == kTailChunkEntries);

// Where the next entry of a tail is to stand. Keeps the chunk.
struct TailPlace {
  std::shared_ptr<TailChunk> chunk;
  size_t row = 0;

  TailEntry& entry() const { return chunk->entries[row]; }
};

// Finds places, for whoever appends to one tail: an entry is filled in before
// anybody sees it, and so without the mutex that guards the tail.
//
// Not thread-safe.
class TailPlaces {
 public:
  // To be appended before the next call. A chunk that begins here gets codes of
  // `layout`, or none if that is null.
  TailPlace Next(const index::CodeLayout* layout) {
    std::shared_ptr<TailChunk> chunk = chunk_.lock();
    if (chunk == nullptr || used_ == kTailChunkEntries) {
      // Not in one block with the reference count, which this weak reference
      // would keep: an idle tail holds no memory.
      chunk = std::make_unique<TailChunk>();
      if (layout != nullptr) {
        chunk->codes = std::make_unique<index::ScanCodes>(*layout);
      }
      chunk_ = chunk;
      used_ = 0;
    }
    return {std::move(chunk), used_++};
  }

 private:
  std::weak_ptr<TailChunk> chunk_;  // the last one, if it is still in use
  size_t used_ = 0;                 // of it
};

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
          &chunks_[i / kTailChunkEntries]->entries[i % kTailChunkEntries]);
    }
    return entries;
  }

  // The same in runs that stand together: calls `visit` with each chunk, and
  // the first and the number of its entries.
  template <typename Visit>
  void ForEachRun(Visit visit) const {
    for (size_t i = offset_; i < offset_ + count_;) {
      const size_t row = i % kTailChunkEntries;
      const size_t run =
          std::min(kTailChunkEntries - row, offset_ + count_ - i);
      visit(std::as_const(*chunks_[i / kTailChunkEntries]), row, run);
      i += run;
    }
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
  // Adds the entry at `place`, which is the next one of the tail's TailPlaces.
  void Append(const TailPlace& place) {
    if (chunks_.empty() || chunks_.back() != place.chunk) {
      // A chunk whose first entries have been taken off may come back.
      if (chunks_.empty()) offset_ = place.row;
      chunks_.push_back(place.chunk);
      code_bytes_ += CodeBytes(*place.chunk);
    }
    ENGRAM_DCHECK((offset_ + count_) % kTailChunkEntries == place.row);
    ++count_;
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
    // An empty tail keeps no chunk that is partly filled.
    const size_t left =
        count_ == 0 ? chunks_.size() : offset_ / kTailChunkEntries;
    for (size_t i = 0; i < left; ++i) code_bytes_ -= CodeBytes(*chunks_[i]);
    chunks_.erase(chunks_.begin(),
                  chunks_.begin() + static_cast<ptrdiff_t>(left));
    offset_ = count_ == 0 ? 0 : offset_ % kTailChunkEntries;
  }

  const TailEntry* front() const {
    return count_ == 0 ? nullptr : &chunks_.front()->entries[offset_];
  }
  size_t count() const { return count_; }

  // Of the codes of its chunks.
  uint64_t code_bytes() const { return code_bytes_; }

 private:
  static uint64_t CodeBytes(const TailChunk& chunk) {
    return chunk.codes == nullptr ? 0 : chunk.codes->memory_bytes();
  }

  std::vector<std::shared_ptr<TailChunk>> chunks_;
  size_t offset_ = 0;  // of the first entry in the first chunk
  size_t count_ = 0;
  uint64_t code_bytes_ = 0;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_TAIL_H_

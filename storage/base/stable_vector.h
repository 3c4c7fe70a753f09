// An array that grows at its end and never moves an element, so that readers
// need no lock.

#ifndef ENGRAM_STORAGE_BASE_STABLE_VECTOR_H_
#define ENGRAM_STORAGE_BASE_STABLE_VECTOR_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "storage/base/check.h"

namespace engram {

// Elements are value-initialised when their block is made. Block b holds
// 2^(b + kFirstBlockBits) elements, so 32-bit indexes need few blocks and an
// empty vector costs little.
//
// Thread safety: one writer at a time calls Next() and Publish(); operator[]
// may be called concurrently for every index below a size() that the caller has
// read. Elements synchronise themselves.
template <typename T>
class StableVector {
 public:
  StableVector() = default;
  StableVector(const StableVector&) = delete;
  StableVector& operator=(const StableVector&) = delete;

  ~StableVector() {
    // Relaxed: nobody else is left.
    for (auto& block : blocks_) {
      std::unique_ptr<T[]> owned(block.load(std::memory_order_relaxed));
    }
  }

  // Pairs with the release in Publish(): elements below are initialised.
  size_t size() const { return size_.load(std::memory_order_acquire); }

  T& operator[](size_t index) { return *Locate(index); }
  const T& operator[](size_t index) const { return *Locate(index); }

  // Returns the element behind the last one, for the writer to fill in. It
  // becomes part of the vector with Publish().
  T& Next() {
    // Relaxed: only the writer changes it.
    const size_t index = size_.load(std::memory_order_relaxed);
    const size_t block = BlockOf(index);
    ENGRAM_CHECK(block < kBlocks);
    if (blocks_[block].load(std::memory_order_relaxed) == nullptr) {
      auto fresh = std::make_unique<T[]>(BlockSize(block));
      // Readers get to the block only through size_, which is released later.
      blocks_[block].store(fresh.release(), std::memory_order_relaxed);
    }
    return *Locate(index);
  }

  // Makes the element of the last Next() visible to readers.
  void Publish() {
    size_.store(size_.load(std::memory_order_relaxed) + 1,
                std::memory_order_release);
  }

 private:
  static constexpr size_t kFirstBlockBits = 6;
  static constexpr size_t kBlocks = 32 - kFirstBlockBits + 1;

  static constexpr size_t BlockSize(size_t block) {
    return size_t{1} << (block + kFirstBlockBits);
  }
  static constexpr size_t BlockOf(size_t index) {
    return std::bit_width((index >> kFirstBlockBits) + 1) - 1;
  }

  T* Locate(size_t index) const {
    const size_t block = BlockOf(index);
    const size_t first = BlockSize(block) - BlockSize(0);
    // Relaxed: see Next().
    return blocks_[block].load(std::memory_order_relaxed) + (index - first);
  }

  std::array<std::atomic<T*>, kBlocks> blocks_{};
  std::atomic<size_t> size_{0};
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_STABLE_VECTOR_H_

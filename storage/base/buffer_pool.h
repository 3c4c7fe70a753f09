// Keeps large buffers for the next who needs one.

#ifndef ENGRAM_STORAGE_BASE_BUFFER_POOL_H_
#define ENGRAM_STORAGE_BASE_BUFFER_POOL_H_

#include <cstddef>
#include <utility>
#include <vector>

#include "storage/base/aligned_buffer.h"
#include "storage/base/mutex.h"

namespace engram {

// Buffers of one size. A megabyte fresh from the system costs a page fault for
// each of its 256 pages: as much time as a disk takes to write it.
//
// Thread safety: all methods may be called concurrently.
class BufferPool {
 public:
  // Keeps up to `buffers_max` buffers of `buffer_bytes`.
  BufferPool(size_t buffer_bytes, size_t buffers_max)
      : buffer_bytes_(buffer_bytes), buffers_max_(buffers_max) {}

  size_t buffer_bytes() const { return buffer_bytes_; }

  // A buffer of buffer_bytes(), kept or new; what is in it is undefined.
  AlignedBuffer Take() {
    {
      MutexLock lock(mutex_);
      if (!kept_.empty()) {
        AlignedBuffer buffer = std::move(kept_.back());
        kept_.pop_back();
        return buffer;
      }
    }
    return AlignedBuffer(buffer_bytes_);
  }

  // Keeps the buffer, or frees it where it has another size or there are
  // enough.
  void Put(AlignedBuffer buffer) {
    MutexLock lock(mutex_);
    if (buffer.size() != buffer_bytes_ || kept_.size() >= buffers_max_) return;
    kept_.push_back(std::move(buffer));
  }

  size_t kept() const {
    MutexLock lock(mutex_);
    return kept_.size();
  }

 private:
  const size_t buffer_bytes_;
  const size_t buffers_max_;

  mutable Mutex mutex_;
  std::vector<AlignedBuffer> kept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_BUFFER_POOL_H_

// A block of memory whose address suits O_DIRECT.

#ifndef ENGRAM_STORAGE_BASE_ALIGNED_BUFFER_H_
#define ENGRAM_STORAGE_BASE_ALIGNED_BUFFER_H_

#include <cstddef>
#include <memory>

namespace engram {

// Owns `size()` bytes aligned to kAlignment, not initialised. Move-only.
class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 4096;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);

  char* data() { return data_.get(); }
  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* data) const;
  };

  std::unique_ptr<char[], Free> data_;
  size_t size_ = 0;
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_ALIGNED_BUFFER_H_

// Memory for ids: many short strings, each of which stays where it is until it
// is freed.

#ifndef ENGRAM_ENGINE_SPACE_ID_ARENA_H_
#define ENGRAM_ENGINE_SPACE_ID_ARENA_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "schema/limits.h"
#include "storage/base/check.h"

namespace engram::space {

// Ids are cut from blocks, in sizes that are multiples of 8 bytes; a freed one
// is kept for the next id of its size. So an id costs 4 bytes more than its own
// on average, and overwriting the same ids for ever costs nothing.
//
// Not thread-safe.
class IdArena {
 public:
  // `id` has at most kIdBytesMax bytes.
  absl::string_view Copy(absl::string_view id) {
    ENGRAM_CHECK(id.size() <= schema::kIdBytesMax);
    const size_t size_class = SizeClass(id.size());
    char* copy = free_[size_class];
    if (copy != nullptr) {
      std::memcpy(&free_[size_class], copy, sizeof(char*));
    } else {
      copy = Cut((size_class + 1) * kUnit);
    }
    std::memcpy(copy, id.data(), id.size());
    return absl::string_view(copy, id.size());
  }

  // `id` was made by Copy(), and nobody reads it any more.
  void Free(absl::string_view id) {
    const size_t size_class = SizeClass(id.size());
    // Free ids of a size are a list, each holding the address of the next.
    auto* const copy = const_cast<char*>(id.data());
    std::memcpy(copy, &free_[size_class], sizeof(char*));
    free_[size_class] = copy;
  }

  // Whole blocks.
  size_t bytes() const { return blocks_.size() * kBlockBytes; }

 private:
  static constexpr size_t kBlockBytes = 4096;
  static constexpr size_t kUnit = 8;
  static constexpr size_t kSizeClasses = schema::kIdBytesMax / kUnit;
  static_assert(kUnit >= sizeof(char*));
  static_assert(schema::kIdBytesMax % kUnit == 0);
  static_assert(kBlockBytes >= schema::kIdBytesMax);

  static size_t SizeClass(size_t bytes) {
    return bytes == 0 ? 0 : (bytes - 1) / kUnit;
  }

  char* Cut(size_t bytes) {
    if (bytes > left_) {
      blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
      next_ = blocks_.back().get();
      left_ = kBlockBytes;
    }
    char* const cut = next_;
    next_ += bytes;
    left_ -= bytes;
    return cut;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  std::array<char*, kSizeClasses> free_{};  // by size; the first of each list
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_ID_ARENA_H_

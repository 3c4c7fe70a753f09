// Ids that stay where they are for as long as their space lives.

#ifndef ENGRAM_ENGINE_SPACE_ID_ARENA_H_
#define ENGRAM_ENGINE_SPACE_ID_ARENA_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace engram::space {

// Searches copy ids out of slots without a lock, also of versions that were
// removed a moment ago: so an id is never freed. Not thread-safe.
class IdArena {
 public:
  absl::string_view Copy(absl::string_view id) {
    if (id.size() > left_) {
      left_ = std::max(kBlockBytes, id.size());
      blocks_.push_back(std::make_unique<char[]>(left_));
      next_ = blocks_.back().get();
      bytes_ += left_;
    }
    char* const copy = next_;
    std::memcpy(copy, id.data(), id.size());
    next_ += id.size();
    left_ -= id.size();
    return absl::string_view(copy, id.size());
  }

  size_t bytes() const { return bytes_; }

 private:
  static constexpr size_t kBlockBytes = 4096;

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t bytes_ = 0;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_ID_ARENA_H_

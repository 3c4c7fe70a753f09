// The best few of many keys.

#ifndef ENGRAM_ENGINE_INDEX_RESULT_HEAP_H_
#define ENGRAM_ENGINE_INDEX_RESULT_HEAP_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "engine/index/neighbor.h"

namespace engram::index {

// The least `limit` keys so far, as a max-heap in borrowed memory. `limit` is
// at least 1.
class ResultHeap {
 public:
  ResultHeap(std::vector<NeighborKey>* keys, size_t limit)
      : keys_(*keys), limit_(limit) {
    keys_.clear();
  }

  // What a key has to stay below to be of use: the worst result once `limit`
  // results are held.
  NeighborKey bound() const { return bound_; }

  // `key` must be below bound().
  void Push(NeighborKey key) {
    if (keys_.size() == limit_) {
      std::pop_heap(keys_.begin(), keys_.end());
      keys_.back() = key;
    } else {
      keys_.push_back(key);
    }
    std::push_heap(keys_.begin(), keys_.end());
    if (keys_.size() == limit_) bound_ = keys_.front();
  }

  void SortAscending() { std::sort_heap(keys_.begin(), keys_.end()); }

 private:
  std::vector<NeighborKey>& keys_;
  const size_t limit_;
  NeighborKey bound_ = kKeyMax;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_RESULT_HEAP_H_

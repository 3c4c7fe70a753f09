// Splits work among threads that end with it.

#ifndef ENGRAM_STORAGE_BASE_PARALLEL_RANGES_H_
#define ENGRAM_STORAGE_BASE_PARALLEL_RANGES_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "storage/base/helper_thread.h"

namespace engram {

// Calls work(i, begin, end) for each of `ranges` ranges that together are
// [0, count), the i-th ones in ascending order; each on a thread of its own
// where there is one, the first on the caller's. Returns when all have ended.
template <typename Work>
void ForParallelRanges(size_t ranges, uint32_t count, const Work& work) {
  const auto start = [ranges, count](size_t range) {
    return static_cast<uint32_t>(uint64_t{count} * range / ranges);
  };
  std::list<HelperThread> others;
  for (size_t range = 1; range < ranges; ++range) {
    others.emplace_back(
        [&, range] { work(range, start(range), start(range + 1)); });
  }
  work(size_t{0}, start(0), start(1));
  for (HelperThread& other : others) other.Join();
}

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_PARALLEL_RANGES_H_

#include "tools/bench/wal_busy.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <limits>
#include <random>

#include "storage/base/check.h"
#include "tools/bench/machine.h"

namespace engram::bench {
namespace {

constexpr int kNice = 5;
constexpr size_t kDimension = 768;
constexpr size_t kVectors = (size_t{256} << 20) / (kDimension * sizeof(float));

}  // namespace

IndexingLoad::IndexingLoad() : vectors_(kVectors * kDimension, 0.25f) {
  for (unsigned i = 0; i < Processors(); ++i) {
    threads_.emplace_back([this, i] { Compare(i); });
  }
}

IndexingLoad::~IndexingLoad() {
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads_) thread.join();
}

void IndexingLoad::Compare(unsigned seed) const {
  // Of this thread alone; one that is nicer than asked for is no load.
  ENGRAM_CHECK(
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice) == 0);
  std::mt19937 random(seed);
  const float* const query = vectors_.data();
  float nearest = std::numeric_limits<float>::max();
  while (!stop_.load(std::memory_order_relaxed)) {
    const float* const other =
        vectors_.data() + random() % kVectors * kDimension;
    float sum = 0;
    for (size_t i = 0; i < kDimension; ++i) {
      const float difference = query[i] - other[i];
      sum += difference * difference;
    }
    nearest = sum < nearest ? sum : nearest;
  }
  ENGRAM_CHECK(nearest >= 0);  // so that it is computed
}

}  // namespace engram::bench

// Counts of durations, from which quantiles follow.

#ifndef ENGRAM_STORAGE_BASE_HISTOGRAM_H_
#define ENGRAM_STORAGE_BASE_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram {

// A histogram of microseconds in the manner of HdrHistogram: each power of two
// is cut into eight buckets, so that a quantile is right to an eighth. Values
// are those from 0 to about an hour; others count as the nearest. Only buckets
// that have a value take memory: each of ten thousand spaces has three of
// these, and few values.
//
// Thread safety: none of its own.
class Histogram {
 public:
  void Add(int64_t micros) {
    const auto value = static_cast<uint64_t>(
        std::clamp<int64_t>(micros, 0, int64_t{kValueMax}));
    CountOf(BucketOf(value)) += 1;
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
  }

  void Merge(const Histogram& other) {
    for (const Bucket& bucket : other.buckets_) {
      CountOf(bucket.number) += bucket.count;
    }
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
  }

  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }  // exact
  uint64_t max() const { return max_; }

  // The smallest bound that at least this share of the values, 0 to 1, does not
  // exceed; 0 without values.
  uint64_t Quantile(double share) const {
    const auto wanted =
        static_cast<uint64_t>(std::ceil(share * static_cast<double>(count_)));
    uint64_t seen = 0;
    for (const Bucket& bucket : buckets_) {
      seen += bucket.count;
      if (seen >= wanted) return std::min(LastOf(bucket.number), max_);
    }
    return max_;
  }

 private:
  static constexpr uint64_t kSteps = 8;
  static constexpr uint64_t kValueMax = (uint64_t{1} << 32) - 1;

  struct Bucket {
    size_t number = 0;
    uint64_t count = 0;  // above 0, once it is added to
  };

  uint64_t& CountOf(size_t number) {
    auto it = std::lower_bound(buckets_.begin(), buckets_.end(), number,
                               [](const Bucket& bucket, size_t wanted) {
                                 return bucket.number < wanted;
                               });
    if (it == buckets_.end() || it->number != number) {
      it = buckets_.insert(it, {number, 0});
    }
    return it->count;
  }

  // Up to 15 each value has its bucket.
  static size_t BucketOf(uint64_t value) {
    if (value < 2 * kSteps) return value;
    const auto shift = static_cast<uint64_t>(std::bit_width(value)) - 4;
    return shift * kSteps + (value >> shift);
  }

  // The largest value of a bucket.
  static uint64_t LastOf(size_t bucket) {
    if (bucket < 2 * kSteps) return bucket;
    const uint64_t shift = bucket / kSteps - 1;
    return ((bucket % kSteps + kSteps + 1) << shift) - 1;
  }

  std::vector<Bucket> buckets_;  // by number
  uint64_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t max_ = 0;
};

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_HISTOGRAM_H_

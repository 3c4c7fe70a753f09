#include "engine/space/tail_scan.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace engram::space {

TailScan::TailScan(const index::VectorDistance& distance,
                   const index::ScanCodec& codec, absl::Span<const float> query,
                   size_t k, Lsn snapshot)
    : distance_(distance),
      codec_(codec),
      query_(distance.Prepare(query)),
      k_(k),
      snapshot_(snapshot) {
  ENGRAM_CHECK(k > 0);
  waiting_.reserve(kBatch);
}

void TailScan::Add(const TailEntry& entry) {
  if (!IsVisible(entry)) return;
  ++compared_;
  waiting_.push_back(&entry);
  if (waiting_.size() == kBatch) CompareWaiting(/*tighten=*/true);
}

void TailScan::Add(const TailPin& pin) {
  // Where all are wanted, bounds tell nothing.
  const bool by_codes = pin.count() > k_;
  pin.ForEachRun([&](const TailChunk& chunk, size_t first, size_t count) {
    if (by_codes && chunk.codes != nullptr) {
      AddCoded(chunk, first, count);
      return;
    }
    for (size_t row = first; row < first + count; ++row) {
      Add(chunk.entries[row]);
    }
  });
}

void TailScan::AddCoded(const TailChunk& chunk, size_t first, size_t count) {
  if (!has_coded_query_) {
    // What was added before it gives a bound to begin with.
    CompareWaiting(/*tighten=*/true);
    coded_query_ = codec_.Prepare(query_);
    has_coded_query_ = true;
  }
  compared_ += count;
  float lower[kTailChunkEntries];
  float upper[kTailChunkEntries];
  codec_.CoarseBounds(coded_query_, *chunk.codes, first, count, lower);
  uint8_t rows[kTailChunkEntries];
  size_t left = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lower[i] <= bound_) rows[left++] = static_cast<uint8_t>(first + i);
  }
  if (left == 0) return;
  codec_.FineBounds(coded_query_, *chunk.codes, rows, left, lower, upper);
  for (size_t i = 0; i < left; ++i) {
    // Few entries are looked at: they are large, and not in cache.
    if (lower[i] > bound_ || !IsVisible(chunk.entries[rows[i]])) continue;
    candidates_.push_back({&chunk.entries[rows[i]], lower[i]});
    AddUpper(upper[i]);
  }
}

std::vector<TailScan::Found> TailScan::Finish() {
  CompareWaiting(/*tighten=*/true);
  for (const Candidate& candidate : candidates_) {
    // It was one by the bound of its time.
    if (candidate.lower > bound_) continue;
    waiting_.push_back(candidate.entry);
    if (waiting_.size() == kBatch) CompareWaiting(/*tighten=*/false);
  }
  CompareWaiting(/*tighten=*/false);
  const auto nearer = [](const Found& a, const Found& b) {
    if (a.distance != b.distance) return a.distance < b.distance;
    return a.entry->record.lsn < b.entry->record.lsn;
  };
  const size_t keep = std::min(k_, found_.size());
  std::partial_sort(found_.begin(),
                    found_.begin() + static_cast<ptrdiff_t>(keep), found_.end(),
                    nearer);
  found_.resize(keep);
  return std::move(found_);
}

void TailScan::CompareWaiting(bool tighten) {
  const float* rows[kBatch];
  float inverse_norms[kBatch];
  float distances[kBatch];
  const size_t count = waiting_.size();
  if (count == 0) return;
  for (size_t i = 0; i < count; ++i) {
    rows[i] = waiting_[i]->record.vector.data();
    inverse_norms[i] = waiting_[i]->inverse_norm;
  }
  distance_.DistancesToRows(query_, rows, inverse_norms, count, distances);
  for (size_t i = 0; i < count; ++i) {
    if (distances[i] > bound_) continue;
    found_.push_back({waiting_[i], distances[i]});
    if (tighten) AddUpper(distances[i]);
  }
  waiting_.clear();
}

void TailScan::AddUpper(float upper) {
  if (uppers_.size() < k_) {
    uppers_.push(upper);
  } else if (upper < uppers_.top()) {
    uppers_.pop();
    uppers_.push(upper);
  }
  if (uppers_.size() == k_) bound_ = uppers_.top();
}

}  // namespace engram::space

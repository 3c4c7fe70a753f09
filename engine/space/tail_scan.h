// The nearest of the entries of a tail, exactly.

#ifndef ENGRAM_ENGINE_SPACE_TAIL_SCAN_H_
#define ENGRAM_ENGINE_SPACE_TAIL_SCAN_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <queue>
#include <vector>

#include "absl/types/span.h"
#include "engine/index/scan_codec.h"
#include "engine/index/vector_distance.h"
#include "engine/space/tail.h"

namespace engram::space {

// One search's look at a tail.
//
//   TailScan scan(distance, codec, query, k, snapshot);
//   for (const auto& letter : dead_letters) scan.Add(*letter);
//   scan.Add(pin);
//   for (const TailScan::Found& found : scan.Finish()) ...
//
// An entry with codes has bounds of its distance. It cannot be among the k
// nearest if its lower one is above the k-th least upper one of all so far, and
// most entries are done with after half of their codes. Only those that are
// left in the end are compared as vectors. So the result is, bit for bit, that
// of comparing all of them.
class TailScan {
 public:
  struct Found {
    const TailEntry* entry;
    float distance;
  };

  // Finds the `k` nearest, at least 1, that are visible at `snapshot`. Borrows
  // what it is given, and `query`, until it is gone; added entries, too.
  TailScan(const index::VectorDistance& distance, const index::ScanCodec& codec,
           absl::Span<const float> query, size_t k, Lsn snapshot);

  void Add(const TailEntry& entry);
  void Add(const TailPin& pin);

  // In ascending distance; the older one first where that is equal. Once.
  std::vector<Found> Finish();

  // How many entries were compared, by vectors or by codes, which stand for
  // versions that are not visible any more, too.
  uint64_t compared() const { return compared_; }

 private:
  static constexpr size_t kBatch = 256;

  struct Candidate {
    const TailEntry* entry;
    float lower;
  };

  bool IsVisible(const TailEntry& entry) const {
    // Relaxed: see TailEntry.
    return entry.record.type == schema::RecordType::kObserve &&
           entry.remove_lsn.load(std::memory_order_relaxed) > snapshot_;
  }
  void AddCoded(const TailChunk& chunk, size_t first, size_t count);
  // `tighten` bound_ by their distances, unless it knows them by their codes:
  // two upper bounds of one entry would count as two entries.
  void CompareWaiting(bool tighten);
  void AddUpper(float upper);

  const index::VectorDistance& distance_;
  const index::ScanCodec& codec_;
  const index::PreparedQuery query_;
  const size_t k_;
  const Lsn snapshot_;
  index::ScanQuery coded_query_;  // made for the first codes
  bool has_coded_query_ = false;
  uint64_t compared_ = 0;

  // No entry whose distance is above it is among the k nearest: the k-th least
  // of what is known that distances do not exceed.
  float bound_ = std::numeric_limits<float>::infinity();
  std::priority_queue<float> uppers_;  // the k least

  std::vector<const TailEntry*> waiting_;  // to be compared; up to kBatch
  std::vector<Candidate> candidates_;      // by their codes
  std::vector<Found> found_;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_TAIL_SCAN_H_

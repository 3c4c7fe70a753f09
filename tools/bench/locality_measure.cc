#include "tools/bench/locality_measure.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/locality_spaces.h"
#include "tools/bench/machine.h"

namespace engram::bench {
namespace {

// Observations that a space begins with, on average and if not fewer are asked
// for: enough for a graph, and so few that all that is measured takes 7 GB with
// 768 dimensions.
constexpr uint32_t kPreloadMax = 1500;

// Some begin with less than that and others with more. Spaces of one size would
// all need their next piece of memory in the same moment, and clearing it takes
// as long as ten batches: one placement would pay for it, by chance.
constexpr double kPreloadSpread = 0.3;

constexpr size_t kPreloadBatch = 500;

// The two batches of engine/ingest/batch_policy.h that a load below saturation
// makes.
constexpr std::array<size_t, 2> kBatches = {100, 10};

// Each is a slice of both placements, one after the other.
constexpr int kPairs = 9;

// What each space gets before a slice, uncounted: brings what caches can hold
// to where the slice's placement has it.
constexpr size_t kSettlingBatch = 10;

// A slice ends after so many records, although its time is not over. Nothing
// is removed here, so this is what bounds the memory.
constexpr uint64_t kSliceRecords = 10'000;

class Measurement {
 public:
  Measurement(int spaces, uint32_t dimension, const IngestOptions& options,
              NoisyRows* rows)
      : preload_(std::min(options.preload, kPreloadMax)),
        slice_s_(options.seconds / kPairs),
        spaces_(spaces, dimension, options, rows) {}

  absl::StatusOr<LocalityResult> Run() {
    ENGRAM_RETURN_IF_ERROR(Preload());
    LocalityResult result;
    result.spaces = static_cast<int>(spaces_.count());
    result.workers = static_cast<int>(spaces_.workers());
    result.preload = preload_;
    result.shared_cache_bytes = SharedCacheBytes();
    result.memory_bytes_before = spaces_.MemoryBytes();
    for (const size_t batch : kBatches) {
      LocalityRow home = {.placement = "home", .batch = batch};
      LocalityRow random = {.placement = "random", .batch = batch};
      ENGRAM_RETURN_IF_ERROR(MeasurePairs(&home, &random));
      result.rows.push_back(std::move(home));
      result.rows.push_back(std::move(random));
    }
    result.memory_bytes_after = spaces_.MemoryBytes();
    const uint64_t live = spaces_.CountLive();
    if (live == published_) return result;
    return absl::InternalError(
        absl::StrCat("observations found: ", live, " instead of ", published_));
  }

 private:
  absl::StatusOr<Indexed> Index(Placement placement,
                                const std::vector<size_t>& batches) {
    published_ += std::accumulate(batches.begin(), batches.end(), uint64_t{0});
    return spaces_.IndexOneBatchEach(placement, batches);
  }

  absl::StatusOr<Indexed> Index(Placement placement, size_t batch) {
    return Index(placement, std::vector<size_t>(spaces_.count(), batch));
  }

  absl::Status Preload() {
    std::vector<size_t> left(spaces_.count());
    const auto count = static_cast<double>(std::max(left.size(), size_t{2}));
    for (size_t i = 0; i < left.size(); ++i) {
      const double place = 2 * static_cast<double>(i) / (count - 1) - 1;
      left[i] = static_cast<size_t>(preload_ * (1 + kPreloadSpread * place));
    }
    while (std::any_of(left.begin(), left.end(),
                       [](size_t records) { return records > 0; })) {
      std::vector<size_t> batches;
      for (size_t& records : left) {
        batches.push_back(std::min(records, kPreloadBatch));
        records -= batches.back();
      }
      ENGRAM_RETURN_IF_ERROR(Index(Placement::kHome, batches).status());
    }
    return absl::OkStatus();
  }

  // Home first and random first in turn, so that neither gets the smaller
  // graphs.
  absl::Status MeasurePairs(LocalityRow* home, LocalityRow* random) {
    for (int pair = 0; pair < kPairs; ++pair) {
      const bool home_first = pair % 2 == 0;
      for (const bool is_home : {home_first, !home_first}) {
        LocalityRow* const row = is_home ? home : random;
        ENGRAM_ASSIGN_OR_RETURN(
            const Indexed slice,
            MeasureSlice(is_home ? Placement::kHome : Placement::kRandom,
                         row->batch));
        const auto records = static_cast<double>(slice.records);
        row->indexed += slice.records;
        row->moves += slice.moves;
        row->cpu_us.push_back(slice.cpu_s * 1e6 / records);
        row->per_s.push_back(records / slice.wall_s);
        row->cache_misses_status.Update(slice.cache_misses.status());
        if (slice.cache_misses.ok()) row->cache_misses += *slice.cache_misses;
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Indexed> MeasureSlice(Placement placement, size_t batch) {
    ENGRAM_RETURN_IF_ERROR(Index(placement, kSettlingBatch).status());
    Indexed slice;
    do {
      ENGRAM_ASSIGN_OR_RETURN(const Indexed more, Index(placement, batch));
      slice += more;
    } while (slice.wall_s < slice_s_ && slice.records < kSliceRecords);
    return slice;
  }

  const uint32_t preload_;
  const double slice_s_;
  uint64_t published_ = 0;
  LocalitySpaces spaces_;
};

}  // namespace

absl::StatusOr<LocalityResult> MeasureLocality(int spaces, uint32_t dimension,
                                               const IngestOptions& options,
                                               NoisyRows* rows) {
  return Measurement(spaces, dimension, options, rows).Run();
}

}  // namespace engram::bench

#include "engine/db/options_check.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/ingest/priority.h"
#include "engram/observation.h"
#include "schema/limits.h"
#include "schema/metric.h"
#include "schema/quantization.h"
#include "schema/wal_layout.h"
#include "storage/base/status_macros.h"

namespace engram::internal {

// The public headers and the formats state the same limits.
static_assert(kIdBytesMax == schema::kIdBytesMax);
static_assert(kPayloadBytesMax == schema::kPayloadBytesMax);
static_assert(kDimensionMax == schema::kDimensionMax);
static_assert(kSquaredNormMax == schema::kSquaredNormMax);
static_assert(kSquaredNormMin == schema::kSquaredNormMin);
static_assert(kSpaceNameBytesMax == schema::kSpaceNameBytesMax);
static_assert(kWriteBatchBytesMax == schema::kWriteBatchBytesMax);
static_assert(static_cast<int>(Metric::kL2) ==
              static_cast<int>(schema::Metric::kL2));
static_assert(static_cast<int>(Metric::kCosine) ==
              static_cast<int>(schema::Metric::kCosine));
static_assert(static_cast<int>(Metric::kInnerProduct) ==
              static_cast<int>(schema::Metric::kInnerProduct));
static_assert(static_cast<int>(Quantization::kAuto) ==
              static_cast<int>(schema::Quantization::kAuto));
static_assert(static_cast<int>(Quantization::kNone) ==
              static_cast<int>(schema::Quantization::kNone));
static_assert(static_cast<int>(Quantization::kInt8) ==
              static_cast<int>(schema::Quantization::kInt8));
static_assert(static_cast<int>(Quantization::kInt4) ==
              static_cast<int>(schema::Quantization::kInt4));
static_assert(static_cast<int>(Quantization::kInt2) ==
              static_cast<int>(schema::Quantization::kInt2));
static_assert(static_cast<int>(Quantization::kInt2) ==
              schema::kQuantizationLast);
static_assert(static_cast<int>(Stored::kF32) ==
              static_cast<int>(schema::Stored::kF32));
static_assert(static_cast<int>(Stored::kNone) ==
              static_cast<int>(schema::Stored::kNone));
static_assert(static_cast<int>(Stored::kNone) == schema::kStoredLast);

namespace {

constexpr int kWorkersMax = 1024;
constexpr uint32_t kKMax = 10'000;
constexpr uint32_t kEfSearchMax = 100'000;
constexpr uint32_t kEfSearchDefault = 100;
constexpr uint64_t kSegmentsMin = 4;
constexpr uint64_t kAsyncWritesMax = 1'000'000;
constexpr uint64_t kDeadLettersMax = 1'000'000;
// Each is a family of RocksDB's, and there may be four times as many with large
// spaces.
constexpr uint64_t kDedicatedSpacesMax = 10'000;

// So that what cannot be saved yet is not tried too often.
constexpr absl::Duration kCheckpointIntervalMin = absl::Milliseconds(100);

// The 256 MB of log that a space may keep are saved in four minutes.
constexpr uint64_t kCheckpointRateMin = uint64_t{1} << 20;

constexpr uint64_t kRateMax = 1'000'000'000'000;

absl::Status CheckRange(absl::string_view name, uint64_t value, uint64_t low,
                        uint64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is ", value, ", allowed are ", low, " to ", high));
}

absl::Status CheckDurability(Durability durability) {
  return CheckRange("durability", static_cast<uint64_t>(durability), 0,
                    static_cast<uint64_t>(Durability::kProcess));
}

absl::string_view MetricName(int metric) {
  constexpr absl::string_view kNames[] = {"L2", "cosine", "inner product"};
  return metric >= 0 && metric <= schema::kMetricLast ? kNames[metric]
                                                      : "unknown";
}

template <typename Value>
absl::Status Differs(const schema::SpaceDescription& space,
                     absl::string_view option, Value is, Value asked) {
  return absl::FailedPreconditionError(absl::StrCat(
      "space \"", space.name, "\": ", option, " is ", is, ", not ", asked));
}

absl::Status CheckStamp(const ProducerStamp& stamp) {
  constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
  ENGRAM_RETURN_IF_ERROR(CheckRange("stamp.producer", stamp.producer, 1, kMax));
  ENGRAM_RETURN_IF_ERROR(CheckRange("stamp.sequence", stamp.sequence, 1, kMax));
  if (!stamp.previous.has_value()) return absl::OkStatus();
  return CheckRange("stamp.previous", *stamp.previous, 0, stamp.sequence - 1);
}

}  // namespace

absl::Status CheckOptions(const Options& options) {
  if (options.workers < 0 || options.workers > kWorkersMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "workers is ", options.workers, ", allowed are 0 to ", kWorkersMax));
  }
  ENGRAM_RETURN_IF_ERROR(
      CheckRange("wal_segment_bytes", options.wal_segment_bytes,
                 schema::kSegmentBytesMin, schema::kSegmentBytesMax));
  if (options.wal_segment_bytes % schema::kWalBlockBytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("wal_segment_bytes is ", options.wal_segment_bytes,
                     ", it must be a multiple of ", schema::kWalBlockBytes));
  }
  ENGRAM_RETURN_IF_ERROR(CheckRange("wal_limit_bytes", options.wal_limit_bytes,
                                    kSegmentsMin * options.wal_segment_bytes,
                                    UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckDurability(options.durability));
  ENGRAM_RETURN_IF_ERROR(
      CheckRange("wal_backend", static_cast<uint64_t>(options.wal_backend), 0,
                 static_cast<uint64_t>(WalBackend::kPwrite)));
  ENGRAM_RETURN_IF_ERROR(CheckRange(
      "async_writes_max", options.async_writes_max, 1, kAsyncWritesMax));
  ENGRAM_RETURN_IF_ERROR(CheckQuota(options.space_quota));
  if (options.stats_interval < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stats_interval is ", absl::FormatDuration(options.stats_interval),
        ", it must not be negative"));
  }
  if (options.recovery_time_target <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat("recovery_time_target is ",
                     absl::FormatDuration(options.recovery_time_target),
                     ", it must be above 0"));
  }
  if (options.checkpoint_interval < kCheckpointIntervalMin) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint_interval is ",
                     absl::FormatDuration(options.checkpoint_interval),
                     ", it must be at least ",
                     absl::FormatDuration(kCheckpointIntervalMin)));
  }
  if (options.checkpoint_bytes_per_second != 0) {
    ENGRAM_RETURN_IF_ERROR(CheckRange("checkpoint_bytes_per_second",
                                      options.checkpoint_bytes_per_second,
                                      kCheckpointRateMin, kRateMax));
  }
  ENGRAM_RETURN_IF_ERROR(CheckRange(
      "dead_letters_max", options.dead_letters_max, 1, kDeadLettersMax));
  ENGRAM_RETURN_IF_ERROR(CheckRange(
      "checkpoint_wal_bytes", options.checkpoint_wal_bytes, 1, UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckRange("max_dedicated_spaces",
                                    options.max_dedicated_spaces, 0,
                                    kDedicatedSpacesMax));
  ENGRAM_RETURN_IF_ERROR(CheckRange(
      "pending_records_max", options.pending_records_max, 1, UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckRange("pending_bytes_max",
                                    options.pending_bytes_max, 1, UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckRange("total_pending_records_max",
                                    options.total_pending_records_max, 1,
                                    UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckRange("total_pending_bytes_max",
                                    options.total_pending_bytes_max, 1,
                                    UINT64_MAX));
  ENGRAM_RETURN_IF_ERROR(CheckRange("normal_priority_percent",
                                    options.normal_priority_percent, 1, 100));
  return CheckRange("low_priority_percent", options.low_priority_percent, 1,
                    options.normal_priority_percent);
}

absl::Status CheckQuota(const SpaceQuota& quota) {
  ENGRAM_RETURN_IF_ERROR(CheckRange("quota.records_per_second",
                                    quota.records_per_second, 0, kRateMax));
  return CheckRange("quota.bytes_per_second", quota.bytes_per_second, 0,
                    kRateMax);
}

absl::Status CheckWriteOptions(const WriteOptions& options) {
  ENGRAM_RETURN_IF_ERROR(CheckDurability(options.durability));
  if (options.stamp.has_value()) {
    ENGRAM_RETURN_IF_ERROR(CheckStamp(*options.stamp));
  }
  return CheckRange("priority", static_cast<uint64_t>(options.priority), 0,
                    ingest::kPriorities - 1);
}

absl::Status CheckStage(Stage stage) {
  return CheckRange("stage", static_cast<uint64_t>(stage), 0,
                    static_cast<uint64_t>(Stage::kCheckpointed));
}

absl::Status CheckSearchOptions(const SearchOptions& options) {
  ENGRAM_RETURN_IF_ERROR(CheckRange("k", options.k, 1, kKMax));
  return CheckRange("ef_search", options.ef_search, 0, kEfSearchMax);
}

uint32_t EffectiveEfSearch(const SearchOptions& options) {
  const uint32_t ef =
      options.ef_search == 0 ? kEfSearchDefault : options.ef_search;
  return std::max(ef, options.k);
}

absl::Status CheckSameOptions(const schema::SpaceDescription& space,
                              const SpaceOptions& options) {
  if (space.dimension != options.dimension) {
    return Differs(space, "dimension", space.dimension, options.dimension);
  }
  if (static_cast<int>(space.metric) != static_cast<int>(options.metric)) {
    return Differs(space, "metric", MetricName(static_cast<int>(space.metric)),
                   MetricName(static_cast<int>(options.metric)));
  }
  if (space.M != options.M) return Differs(space, "M", space.M, options.M);
  if (space.ef_construction != options.ef_construction) {
    return Differs(space, "ef_construction", space.ef_construction,
                   options.ef_construction);
  }
  const auto quantization =
      static_cast<schema::Quantization>(options.quantization);
  if (space.quantization != quantization) {
    return Differs(space, "quantization",
                   schema::QuantizationName(space.quantization),
                   schema::QuantizationName(quantization));
  }
  const auto stored = static_cast<schema::Stored>(options.stored);
  if (space.stored != stored) {
    return Differs(space, "stored", schema::StoredName(space.stored),
                   schema::StoredName(stored));
  }
  return absl::OkStatus();
}

}  // namespace engram::internal

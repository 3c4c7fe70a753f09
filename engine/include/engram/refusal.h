// Why a write was refused, and when to try again.

#ifndef ENGRAM_REFUSAL_H_
#define ENGRAM_REFUSAL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace engram {

// What was full.
enum class RefusalCause : uint8_t {
  kSpaceRecords = 0,     // Options::pending_records_max
  kSpaceBytes = 1,       // Options::pending_bytes_max
  kTotalRecords = 2,     // Options::total_pending_records_max
  kTotalBytes = 3,       // Options::total_pending_bytes_max
  kLog = 4,              // Options::wal_limit_bytes, or the disk
  kAsyncWrites = 5,      // Options::async_writes_max
  kDeadLetters = 6,      // Options::dead_letters_max
  kSpaceRecordRate = 7,  // SpaceQuota::records_per_second
  kSpaceByteRate = 8,    // SpaceQuota::bytes_per_second
  kMemory = 9,           // Options::memory_budget_bytes
};
inline constexpr int kRefusalCauses = 10;

// "space records", "space bytes", ...
const char* RefusalCauseName(RefusalCause cause);

struct Refusal {
  RefusalCause cause = RefusalCause::kSpaceRecords;

  // When there would be room for this write if indexing goes on as fast as it
  // did, and nobody else takes it; of a quota, when it is that write's turn.
  // Infinite where that is not known: nothing was indexed yet, or it is neither
  // that is waited for.
  absl::Duration retry_after = absl::InfiniteDuration();
};

// What the RESOURCE_EXHAUSTED of a write carries beside its message; nothing
// for another status. Thread safety: a free function without state.
std::optional<Refusal> RefusalOf(const absl::Status& status);

}  // namespace engram

#endif  // ENGRAM_REFUSAL_H_

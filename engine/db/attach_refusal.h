// How the status of a refused write comes to carry its Refusal.

#ifndef ENGRAM_ENGINE_DB_ATTACH_REFUSAL_H_
#define ENGRAM_ENGINE_DB_ATTACH_REFUSAL_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "engram/refusal.h"

namespace engram::internal {

// `status` with what RefusalOf() reads.
absl::Status AttachRefusal(absl::Status status, RefusalCause cause,
                           std::optional<int64_t> retry_after_micros);

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_ATTACH_REFUSAL_H_

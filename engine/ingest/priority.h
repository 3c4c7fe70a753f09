// How urgent a record is.

#ifndef ENGRAM_ENGINE_INGEST_PRIORITY_H_
#define ENGRAM_ENGINE_INGEST_PRIORITY_H_

#include <cstddef>
#include <cstdint>

namespace engram::ingest {

// It decides how full the queues may be for it to be admitted, and how often
// its backlog gets its turn; never the order within a backlog.
enum class Priority : uint8_t { kLow, kNormal, kHigh };
inline constexpr size_t kPriorities = 3;

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_PRIORITY_H_

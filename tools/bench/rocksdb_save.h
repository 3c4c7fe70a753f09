// What RocksDB takes to save as much as a checkpoint does.

#ifndef ENGRAM_TOOLS_BENCH_ROCKSDB_SAVE_H_
#define ENGRAM_TOOLS_BENCH_ROCKSDB_SAVE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace engram::bench {

// Puts `records` of `bytes` each into a new database in `folder`, by its log,
// and flushes them: how long the two take together.
absl::StatusOr<absl::Duration> SaveInRocksdb(const std::string& folder,
                                             uint64_t records, size_t bytes);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ROCKSDB_SAVE_H_

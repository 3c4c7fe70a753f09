// How RocksDB is set up, and what its errors are called here.

#ifndef ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_
#define ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/cache.h"
#include "rocksdb/options.h"
#include "rocksdb/rate_limiter.h"
#include "rocksdb/slice.h"
#include "rocksdb/status.h"

namespace engram::kv {

// From this size on the manifest, which lists every change, is replaced by one
// that lists what there is. 8,000 tables, more than a store has, take half.
inline constexpr size_t kManifestBytesMax = size_t{4} << 20;
inline constexpr absl::string_view kManifestPrefix = "MANIFEST-";

rocksdb::DBOptions MakeDbOptions(rocksdb::Env* env);

// Every one of `tables` tables is opened at once and stays open: whoever reads
// beside the owner may not find it later. Raises the soft limit of descriptors
// to the hard one for that; changes no options, and returns false, if even then
// it would take more than half of what the process has left.
bool HoldAllFiles(size_t tables, rocksdb::DBOptions* options);

// Tables are handed to the disk in steps of this, not all at their sync. Beside
// a compaction of 190 MB 8 writers waited for 258, 427 and 429 ms without (P99
// of three runs on a busy machine), and for 16 and 214 with steps.
inline constexpr uint64_t kBytesPerSync = uint64_t{1} << 20;

// Null where it is 0.
std::shared_ptr<rocksdb::RateLimiter> MakeLimiter(uint64_t bytes_per_second);

// A rate that limits nothing.
inline constexpr int64_t kNoLimit = int64_t{1} << 50;

// All families of a store share one block cache.
std::shared_ptr<rocksdb::Cache> MakeBlockCache();
rocksdb::ColumnFamilyOptions MakeFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& block_cache);

// OK stays OK; Corruption becomes DATA_LOSS, NoSpace RESOURCE_EXHAUSTED, a
// held lock UNAVAILABLE, NotFound NOT_FOUND, anything else INTERNAL.
absl::Status ToStatus(const rocksdb::Status& status);

// Whether a file was not there.
bool SaysMissing(const rocksdb::Status& status);

inline rocksdb::Slice ToSlice(absl::string_view bytes) {
  return rocksdb::Slice(bytes.data(), bytes.size());
}

inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return absl::string_view(slice.data(), slice.size());
}

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_

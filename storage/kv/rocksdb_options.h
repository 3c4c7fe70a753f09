// How RocksDB is set up, and what its errors are called here.

#ifndef ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_
#define ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/cache.h"
#include "rocksdb/options.h"
#include "rocksdb/slice.h"
#include "rocksdb/status.h"

namespace engram::kv {

rocksdb::DBOptions MakeDbOptions(rocksdb::Env* env);

// All families of a store share one block cache.
std::shared_ptr<rocksdb::Cache> MakeBlockCache();
rocksdb::ColumnFamilyOptions MakeFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& block_cache);

// OK stays OK; Corruption becomes DATA_LOSS, NoSpace RESOURCE_EXHAUSTED, a
// held lock UNAVAILABLE, NotFound NOT_FOUND, anything else INTERNAL.
absl::Status ToStatus(const rocksdb::Status& status);

inline rocksdb::Slice ToSlice(absl::string_view bytes) {
  return rocksdb::Slice(bytes.data(), bytes.size());
}

inline absl::string_view ToView(const rocksdb::Slice& slice) {
  return absl::string_view(slice.data(), slice.size());
}

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_ROCKSDB_OPTIONS_H_

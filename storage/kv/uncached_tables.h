// Writes tables of many vectors past the page cache.

#ifndef ENGRAM_STORAGE_KV_UNCACHED_TABLES_H_
#define ENGRAM_STORAGE_KV_UNCACHED_TABLES_H_

#include <memory>

#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace engram::kv {

// What the names of an ingestion's tables of many vectors end with.
inline constexpr absl::string_view kUncachedTableSuffix = "-many-vectors.sst";

// `files`, but that an ingestion writes, and reads back, such tables
// with O_DIRECT where the file system has it. As long as their space is in
// memory hardly anybody reads them (the next checkpoints the last segment, and
// Get() where memory keeps codes only), so pages for them would be taken from
// others, and cleared or fetched from a host, for little: 42 MB took 98 ms to
// write and 21 to sync, and take 22 ms like this (28 where the pages of a file
// just removed were at hand). What else a checkpoint saves the next ones read
// again.
std::shared_ptr<rocksdb::FileSystem> NewUncachedTables(
    std::shared_ptr<rocksdb::FileSystem> files);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_UNCACHED_TABLES_H_

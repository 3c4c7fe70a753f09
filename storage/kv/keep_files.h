// Keeps RocksDB from removing files that it may still need.

#ifndef ENGRAM_STORAGE_KV_KEEP_FILES_H_
#define ENGRAM_STORAGE_KV_KEEP_FILES_H_

#include <memory>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "storage/kv/stop_listener.h"

namespace engram::kv {

// `files`, but that once RocksDB has stopped it removes nothing. An ingestion
// whose manifest could not be written or synced removes its tables again,
// although the manifest may hold them: the next owner, who reads it from the
// page cache, or from the disk after all, would find damage.
std::unique_ptr<rocksdb::Env> NewKeepFilesEnv(
    const std::shared_ptr<rocksdb::FileSystem>& files,
    std::shared_ptr<const StopListener> stop);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_KEEP_FILES_H_

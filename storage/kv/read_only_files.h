// Keeps RocksDB from writing where it only reads.

#ifndef ENGRAM_STORAGE_KV_READ_ONLY_FILES_H_
#define ENGRAM_STORAGE_KV_READ_ONLY_FILES_H_

#include <memory>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

namespace engram::kv {

// `files`, but that everything fails that would change a file or a folder, or
// take a lock. A store that is read beside its owner must not remove what it
// takes for garbage: the owner may be about to ingest it.
std::unique_ptr<rocksdb::Env> NewReadOnlyEnv(
    const std::shared_ptr<rocksdb::FileSystem>& files);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_READ_ONLY_FILES_H_

// Writes to a file while the next bytes for it are made.

#ifndef ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_
#define ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_

#include <memory>

#include "rocksdb/file_system.h"

namespace engram::kv {

// `file`, which is written with O_DIRECT, but that one write of many bytes may
// still be on its way when the call returns. Its error is that of the call
// after it, at the latest of Sync() or Close().
std::unique_ptr<rocksdb::FSWritableFile> NewWriteBehindFile(
    std::unique_ptr<rocksdb::FSWritableFile> file);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_

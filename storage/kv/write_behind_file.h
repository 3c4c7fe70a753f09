// Writes to a file while the next bytes for it are made.

#ifndef ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_
#define ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_

#include <memory>

#include "rocksdb/file_system.h"

namespace engram::kv {

// `file`, which is written with O_DIRECT, but that one write of many bytes may
// still be on its way when the call returns, and while the next ones' buffer is
// filled. Its error is that of the next write, or of Truncate(), Sync() or
// Close(). Nothing is preallocated.
std::unique_ptr<rocksdb::FSWritableFile> NewWriteBehindFile(
    std::unique_ptr<rocksdb::FSWritableFile> file);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_WRITE_BEHIND_FILE_H_

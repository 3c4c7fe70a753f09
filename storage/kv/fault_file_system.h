// RocksDB's files on a simulated disk.

#ifndef ENGRAM_STORAGE_KV_FAULT_FILE_SYSTEM_H_
#define ENGRAM_STORAGE_KV_FAULT_FILE_SYSTEM_H_

#include <memory>

#include "rocksdb/env.h"
#include "storage/io/sim_disk.h"

namespace engram::kv {

// An Env for StoreOptions::env: threads and time are the machine's, files those
// of `disk`, which outlives it. RocksDB buffers as it does on a real disk, and
// syncs where it would.
std::unique_ptr<rocksdb::Env> NewSimEnv(io::SimDisk* disk);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_FAULT_FILE_SYSTEM_H_

// What a database stands on, so that a test can put a simulated disk, or less
// memory, in its place.

#ifndef ENGRAM_ENGINE_DB_ENVIRONMENT_H_
#define ENGRAM_ENGINE_DB_ENVIRONMENT_H_

#include <cstdint>

#include "storage/io/file_system.h"
#include "storage/wal/writer.h"

namespace rocksdb {
class Env;
}  // namespace rocksdb

namespace engram::internal {

// The first three are views of one disk: what one writes, the others see.
// Everything outlives the database.
struct Environment {
  io::FileSystem* files = io::FileSystem::System();

  // How the log writes; by default what Options::wal_backend says.
  wal::QueueFactory log_queue;

  // Where RocksDB keeps its files; null: RocksDB's own.
  rocksdb::Env* store_env = nullptr;

  // Versions that a space may index, as if memory ended there; 0: no limit.
  uint32_t slots_max = 0;
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_ENVIRONMENT_H_

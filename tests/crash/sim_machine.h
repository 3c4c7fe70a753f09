// A machine whose only disk is simulated, with a database on it.

#ifndef ENGRAM_TESTS_CRASH_SIM_MACHINE_H_
#define ENGRAM_TESTS_CRASH_SIM_MACHINE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "engine/db/environment.h"
#include "engram/db.h"
#include "rocksdb/env.h"
#include "storage/io/sim_disk.h"
#include "storage/io/sim_file_system.h"

namespace engram::testing {

inline constexpr char kSimDatabasePath[] = "/db";

// A disk that has never been used.
inline io::SimState EmptyDisk() { return io::SimState("kv"); }

// Small, so that a recovery takes milliseconds, and one worker, so that the
// same work makes much the same operations.
Options SimOptions();

class SimMachine {
 public:
  // `seed` chooses how the log is written: by a queue whose requests overtake
  // each other, or by blocking calls.
  SimMachine(io::SimState state, uint64_t seed);

  SimMachine(const SimMachine&) = delete;
  SimMachine& operator=(const SimMachine&) = delete;

  io::SimDisk& disk() { return disk_; }

  // The machine outlives the database.
  absl::StatusOr<std::unique_ptr<Db>> Open(
      const Options& options, const std::string& path = kSimDatabasePath);

 private:
  io::SimDisk disk_;
  io::SimFileSystem files_;
  std::unique_ptr<rocksdb::Env> env_;
  internal::Environment environment_;
};

// What `engram-ctl verify` says of the database in the folder
// `database` of the disk as it is:
// empty if it is clean. The database must not be open.
std::string VerifySimDisk(const io::SimDisk& disk,
                          const std::string& database = kSimDatabasePath);

// The files of the database that hold these bytes, in one line.
std::string SimFilesWith(const io::SimDisk& disk, const std::string& bytes);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_CRASH_SIM_MACHINE_H_

// A database made of a backup.

#ifndef ENGRAM_TOOLS_CTL_RESTORE_H_
#define ENGRAM_TOOLS_CTL_RESTORE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace engram::ctl {

struct Restored {
  uint64_t files = 0;
  uint64_t bytes = 0;
  uint64_t warnings = 0;  // that verify has of it
};

// Copies the database in the folder `backup`, which nobody has open, to the
// folder `dir`, which must not exist: every byte of it, so that the two share
// nothing. The copy is verified before it gets its name.
//   DATA_LOSS       the backup is damaged; names the first place
//   ALREADY_EXISTS  there is something under that name
//   as Db::Open()   `backup` is no database, or is open
absl::StatusOr<Restored> RestoreDatabase(const std::string& backup,
                                         const std::string& dir);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_RESTORE_H_

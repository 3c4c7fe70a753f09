// Opening and closing the database that a verb works on.

#ifndef ENGRAM_TOOLS_CTL_OPEN_DATABASE_H_
#define ENGRAM_TOOLS_CTL_OPEN_DATABASE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engram/db.h"

namespace engram::ctl {

// How a verb uses the database.
enum class Access {
  kRead,    // read-only; it must exist
  kWrite,   // it must exist
  kCreate,  // it is created where there is none
};

// Errors as for Db::Open(), with their exit codes.
absl::StatusOr<std::unique_ptr<Db>> OpenDatabase(const std::string& path,
                                                 Access access);

// Opens a space that must exist, whatever its options. NOT_FOUND.
absl::StatusOr<Space> FindSpace(Db& db, absl::string_view name);

// Closes `db` after a verb that ended in `status`; returns the first failure.
absl::Status CloseAfter(Db& db, absl::Status status);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_OPEN_DATABASE_H_

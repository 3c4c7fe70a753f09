// Reads everything that a database stores and says what is wrong with it.

#ifndef ENGRAM_TOOLS_CTL_VERIFY_H_
#define ENGRAM_TOOLS_CTL_VERIFY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace engram::ctl {

struct VerifyFinding {
  enum class Severity {
    kWarning,  // nothing acknowledged is lost, but it is not as it should be
    kDamage,   // stored data is lost or contradicts itself
  };

  Severity severity = Severity::kDamage;
  std::string place;  // a file, with its offset, or a key
  std::string message;
};

// An id that should be in no file of the database.
struct AbsentId {
  std::string id;
  std::string space;  // its name; "": in that of no space
};

struct VerifyReport {
  std::vector<VerifyFinding> findings;

  // Of the id that was looked for, if any was.
  std::optional<bool> absent;

  // What was read. The log:
  uint64_t segments = 0;
  uint64_t groups = 0;
  uint64_t records = 0;
  // and the checkpoints:
  uint64_t spaces = 0;
  uint64_t nodes = 0;  // rows: all versions that were ever saved
  uint64_t live_nodes = 0;
  uint64_t twins = 0;              // live, and found through another node
  uint64_t unreachable_nodes = 0;  // live, and not found from the entry point
};

// Verifies the database in the directory `path` without changing it, and that
// `absent`, if given, is in none of its files. Damage is a finding, not an
// error. Fails as Db::Open() does where it cannot begin:
//   NOT_FOUND, UNAVAILABLE, FAILED_PRECONDITION, UNIMPLEMENTED
absl::StatusOr<VerifyReport> VerifyDatabase(
    const std::string& path,
    const std::optional<AbsentId>& absent = std::nullopt);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERIFY_H_

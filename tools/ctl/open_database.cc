#include "tools/ctl/open_database.h"

#include <utility>

#include "tools/ctl/exit_code.h"

namespace engram::ctl {

absl::StatusOr<std::unique_ptr<Db>> OpenDatabase(const std::string& path,
                                                 Access access) {
  Options options;
  options.create_if_missing = access == Access::kCreate;
  options.read_only = access == Access::kRead;
  absl::StatusOr<std::unique_ptr<Db>> db = Db::Open(path, options);
  if (!db.ok()) return OpenError(std::move(db).status());
  return db;
}

absl::StatusOr<Space> FindSpace(Db& db, absl::string_view name) {
  SpaceOptions options;
  options.dimension = 0;  // accepts what the space has, and creates none
  return db.OpenSpace(name, options);
}

absl::Status CloseAfter(Db& db, absl::Status status) {
  absl::Status closed = db.Close();
  return status.ok() ? closed : status;
}

}  // namespace engram::ctl

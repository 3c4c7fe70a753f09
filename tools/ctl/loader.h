// Writes the observations of a LoadSource into a space, batch by batch.

#ifndef ENGRAM_TOOLS_CTL_LOADER_H_
#define ENGRAM_TOOLS_CTL_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/db.h"
#include "storage/base/clock.h"
#include "tools/ctl/load_source.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {

// Not thread-safe.
class Loader {
 public:
  // The arguments are borrowed for the object's life.
  Loader(Db& db, const LoadArguments& arguments, const Clock& clock);

  // Loads `source` to its end, to the limit, or until Interrupted(), and waits
  // until all of it is indexed. An error leaves the batches before it written,
  // and nothing of the batch that it is in. Called once.
  absl::Status Run(LoadSource& source);

  uint64_t written() const { return written_; }
  Lsn last_lsn() const { return last_lsn_; }
  uint32_t dimension() const { return dimension_; }

  // From the beginning until all was acknowledged, and until all was indexed.
  double acknowledged_seconds() const { return acknowledged_seconds_; }
  double indexed_seconds() const { return indexed_seconds_; }

 private:
  // Finds the space and checks what the arguments say of it. It is created
  // with the first batch, so that a bad first line leaves none behind.
  absl::Status FindTarget(const LoadSource& source);
  absl::Status CreateTarget();

  absl::Status CheckRecord(const Record& record, const LoadSource& source);
  absl::Status ReadAndWrite(LoadSource& source, Progress& progress);
  absl::Status WriteBatchOf(const std::vector<Record>& records);
  absl::Status WaitUntilIndexed();
  double SecondsSince(int64_t start_us) const;

  Db& db_;
  const LoadArguments& arguments_;
  const Clock& clock_;

  std::optional<Space> space_;
  uint32_t dimension_ = 0;  // 0: not known yet
  uint64_t written_ = 0;
  Lsn last_lsn_ = 0;
  double acknowledged_seconds_ = 0;
  double indexed_seconds_ = 0;
};

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_LOADER_H_

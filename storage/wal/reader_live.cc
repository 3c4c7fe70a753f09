// Reading beside the owner of the log.

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/wal/reader.h"

namespace engram::wal {
namespace {

// A reader that is overtaken once starts over at once; one that is overtaken so
// often is slower than a whole turn of the owner's segments.
constexpr int kAttemptsMax = 100;

bool SameLoss(const LogLoss& a, const LogLoss& b) {
  return a.path == b.path && a.offset == b.offset && a.first_lsn == b.first_lsn;
}

bool SameLosses(const RecoveredLog& a, const RecoveredLog& b) {
  return a.warnings == b.warnings &&
         std::equal(a.losses.begin(), a.losses.end(), b.losses.begin(),
                    b.losses.end(), SameLoss);
}

}  // namespace

absl::StatusOr<RecoveredLog> ReadLive(io::Directory* directory,
                                      RecoveryOptions options) {
  options.live = true;
  options.salvage = true;
  uint64_t reported = 0;  // segments up to here
  const auto on_group = std::move(options.on_group);
  options.on_group = [&](const LocatedGroup& group) {
    if (on_group && group.segment > reported) on_group(group);
  };
  const auto on_segment = std::move(options.on_segment);
  options.on_segment = [&](const RecoveredSegment& segment) {
    if (segment.number <= reported) return;
    reported = segment.number;
    if (on_segment) on_segment(segment);
  };
  RecoveredLog before;
  absl::Status status;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (options.on_restart) options.on_restart();
    absl::StatusOr<RecoveredLog> log =
        Recover(directory, options,
                [](std::shared_ptr<const Group>) { return absl::OkStatus(); });
    if (absl::IsAborted(log.status())) {
      status = log.status();
      continue;
    }
    if (!log.ok() || (log->losses.empty() && log->warnings.empty())) return log;
    // What the owner did while we read never looks the same a second time:
    // what vouched for the missing bytes was written after they were.
    if (SameLosses(*log, before)) return log;
    status = absl::AbortedError(log->losses.empty()
                                    ? log->warnings[0]
                                    : LossText(log->losses[0], nullptr));
    before = *std::move(log);
  }
  return absl::UnavailableError(absl::StrCat(
      directory->path(), ": the log changed each of ", kAttemptsMax,
      " times that it was read: ", status.message()));
}

}  // namespace engram::wal

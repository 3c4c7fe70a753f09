#include "tools/ctl/exit_code.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"

namespace engram::ctl {
namespace {

constexpr char kExitCodePayload[] = "engram-ctl/exit-code";

}  // namespace

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  status.SetPayload(kExitCodePayload,
                    absl::Cord(absl::StrCat(static_cast<int>(code))));
  return status;
}

absl::Status UsageError(absl::string_view message) {
  return WithExitCode(absl::InvalidArgumentError(message), ExitCode::kUsage);
}

absl::Status OpenError(absl::Status status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kFailedPrecondition:
      return WithExitCode(std::move(status), ExitCode::kUnavailable);
    case absl::StatusCode::kUnimplemented:
      return WithExitCode(std::move(status), ExitCode::kNewerFormat);
    default:
      return status;
  }
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  const absl::optional<absl::Cord> payload =
      status.GetPayload(kExitCodePayload);
  int code = 0;
  if (payload.has_value() && absl::SimpleAtoi(std::string(*payload), &code)) {
    return static_cast<ExitCode>(code);
  }
  return status.code() == absl::StatusCode::kDataLoss ? ExitCode::kDamaged
                                                      : ExitCode::kFailed;
}

}  // namespace engram::ctl

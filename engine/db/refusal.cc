#include "engram/refusal.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "engine/db/attach_refusal.h"

namespace engram {
namespace {

// "<cause> <microseconds>", or without the latter.
constexpr char kPayloadUrl[] = "engram/refusal";

constexpr const char* kNames[kRefusalCauses] = {"space records",
                                                "space bytes",
                                                "total records",
                                                "total bytes",
                                                "log",
                                                "async writes",
                                                "dead letters",
                                                "space record rate",
                                                "space byte rate",
                                                "memory"};

}  // namespace

const char* RefusalCauseName(RefusalCause cause) {
  const auto number = static_cast<int>(cause);
  return number < kRefusalCauses ? kNames[number] : "unknown";
}

std::optional<Refusal> RefusalOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  const std::string text(*payload);
  const std::pair<std::string, std::string> parts =
      absl::StrSplit(text, absl::MaxSplits(' ', 1));
  int cause = 0;
  if (!absl::SimpleAtoi(parts.first, &cause) || cause < 0 ||
      cause >= kRefusalCauses) {
    return std::nullopt;
  }
  Refusal refusal;
  refusal.cause = static_cast<RefusalCause>(cause);
  int64_t micros = 0;
  if (absl::SimpleAtoi(parts.second, &micros)) {
    refusal.retry_after = absl::Microseconds(micros);
  }
  return refusal;
}

namespace internal {

absl::Status AttachRefusal(absl::Status status, RefusalCause cause,
                           std::optional<int64_t> retry_after_micros) {
  std::string text = absl::StrCat(static_cast<int>(cause));
  if (retry_after_micros.has_value()) {
    absl::StrAppend(&text, " ", *retry_after_micros);
  }
  status.SetPayload(kPayloadUrl, absl::Cord(text));
  return status;
}

}  // namespace internal
}  // namespace engram

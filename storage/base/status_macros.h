// Early return on a failed absl::Status or absl::StatusOr.
//
//   ENGRAM_RETURN_IF_ERROR(file.Sync());
//   ENGRAM_ASSIGN_OR_RETURN(auto file, directory.Open(name));

#ifndef ENGRAM_STORAGE_BASE_STATUS_MACROS_H_
#define ENGRAM_STORAGE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define ENGRAM_RETURN_IF_ERROR(expression)                                \
  do {                                                                    \
    if (absl::Status engram_status_ = (expression); !engram_status_.ok()) \
        [[unlikely]] {                                                    \
      return engram_status_;                                              \
    }                                                                     \
  } while (false)

#define ENGRAM_MACRO_JOIN_INNER(a, b) a##b
#define ENGRAM_MACRO_JOIN(a, b) ENGRAM_MACRO_JOIN_INNER(a, b)

#define ENGRAM_ASSIGN_OR_RETURN(lhs, expression) \
  ENGRAM_ASSIGN_OR_RETURN_INNER(                 \
      ENGRAM_MACRO_JOIN(engram_status_or_, __LINE__), lhs, expression)

#define ENGRAM_ASSIGN_OR_RETURN_INNER(result, lhs, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) [[unlikely]] {                             \
    return std::move(result).status();                         \
  }                                                            \
  lhs = std::move(result).value()

#endif  // ENGRAM_STORAGE_BASE_STATUS_MACROS_H_

// Checks for what cannot happen unless Engram itself is wrong.
//
// ENGRAM_CHECK is on in every build and costs O(1); ENGRAM_DCHECK is for inner
// loops and is compiled out unless ENGRAM_DEBUG_CHECKS is defined. What *can*
// happen (bad input, a full disk, a damaged file) is an absl::Status instead.

#ifndef ENGRAM_STORAGE_BASE_CHECK_H_
#define ENGRAM_STORAGE_BASE_CHECK_H_

namespace engram {

// Prints the failed condition with its place to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line,
                              const char* condition);

}  // namespace engram

#define ENGRAM_CHECK(condition)                              \
  do {                                                       \
    if (!(condition)) [[unlikely]] {                         \
      ::engram::CheckFailed(__FILE__, __LINE__, #condition); \
    }                                                        \
  } while (false)

#ifdef ENGRAM_DEBUG_CHECKS
#define ENGRAM_DCHECK(condition) ENGRAM_CHECK(condition)
#else
#define ENGRAM_DCHECK(condition) \
  do {                           \
    if (false) {                 \
      (void)(condition);         \
    }                            \
  } while (false)
#endif

#endif  // ENGRAM_STORAGE_BASE_CHECK_H_

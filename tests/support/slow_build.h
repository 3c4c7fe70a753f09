// How much slower the code is that a test runs.

#ifndef ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_
#define ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_

namespace engram::testing {

// ThreadSanitizer makes indexing slower by about so much. A test that needs a
// certain time of work divides the amount by it.
#if defined(__SANITIZE_THREAD__)
inline constexpr int kSlowdown = 10;
#else
inline constexpr int kSlowdown = 1;
#endif

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_

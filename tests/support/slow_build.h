// How much slower the code is that a test runs.

#ifndef ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_
#define ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_

namespace engram::testing {

// g++ and clang say in different ways what watches the code.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
inline constexpr bool kAddressSanitizer = false;
#elif defined(__SANITIZE_ADDRESS__)
inline constexpr bool kThreadSanitizer = false;
inline constexpr bool kAddressSanitizer = true;
#elif defined(__has_feature)
inline constexpr bool kThreadSanitizer = __has_feature(thread_sanitizer);
inline constexpr bool kAddressSanitizer = __has_feature(address_sanitizer);
#else
inline constexpr bool kThreadSanitizer = false;
inline constexpr bool kAddressSanitizer = false;
#endif
inline constexpr bool kSanitizer = kThreadSanitizer || kAddressSanitizer;

// ThreadSanitizer makes indexing slower by about so much. A test that needs a
// certain time of work divides the amount by it.
inline constexpr int kSlowdown = kThreadSanitizer ? 10 : 1;

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_SLOW_BUILD_H_

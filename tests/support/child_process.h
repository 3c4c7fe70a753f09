// Code that runs in a process of its own, which ends without a farewell.

#ifndef ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_
#define ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <functional>

namespace engram::testing {

// Whether what runs in a child may start threads, as every database does:
// ThreadSanitizer ends a forked child that does.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kChildrenMayStartThreads = false;
#elif defined(__has_feature)
inline constexpr bool kChildrenMayStartThreads =
    !__has_feature(thread_sanitizer);
#else
inline constexpr bool kChildrenMayStartThreads = true;
#endif

// Forks, runs `body` in the child and ends that with _exit(): nothing is
// closed, flushed or destroyed. Returns what `body` returned, 0..255, or -1 if
// the child ended in another way.
int RunInChild(const std::function<int()>& body);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_

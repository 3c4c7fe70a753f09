// Code that runs in a process of its own, which ends without a farewell.

#ifndef ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_
#define ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <functional>

#include "tests/support/slow_build.h"

namespace engram::testing {

// Whether what runs in a child may start threads, as every database does:
// ThreadSanitizer ends a forked child that does.
inline constexpr bool kChildrenMayStartThreads = !kThreadSanitizer;

// Forks, runs `body` in the child and ends that with _exit(): nothing is
// closed, flushed or destroyed. Returns what `body` returned, 0..255, or -1 if
// the child ended in another way.
int RunInChild(const std::function<int()>& body);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_CHILD_PROCESS_H_

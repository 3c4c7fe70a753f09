// System calls that the rest of this process, and what it starts, is refused:
// what a container's runtime or a poor file system does to a program.

#ifndef ENGRAM_TESTS_SUPPORT_REFUSED_CALLS_H_
#define ENGRAM_TESTS_SUPPORT_REFUSED_CALLS_H_

namespace engram::testing {

// Makes io_uring_setup, _enter and _register fail with EPERM, as container
// runtimes do. False where the system knows no seccomp filters.
bool RefuseUring();

// Makes open and openat with O_DIRECT fail with EINVAL, as file systems do that
// have no such writes.
bool RefuseDirectIo();

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_REFUSED_CALLS_H_

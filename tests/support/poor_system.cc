// Runs a command on a poorer system than this one:
//
//   poor_system no-io-uring|no-direct-io COMMAND [ARGUMENT...]

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/support/refused_calls.h"

int main(int argc, char** argv) {
  using engram::testing::RefuseDirectIo;
  using engram::testing::RefuseUring;
  const bool uring = argc > 2 && std::strcmp(argv[1], "no-io-uring") == 0;
  const bool direct = argc > 2 && std::strcmp(argv[1], "no-direct-io") == 0;
  if (!uring && !direct) {
    std::fprintf(stderr,
                 "usage: %s no-io-uring|no-direct-io COMMAND [ARGUMENT...]\n",
                 argv[0]);
    return 2;
  }
  if (uring ? !RefuseUring() : !RefuseDirectIo()) {
    std::perror("poor_system: seccomp");
    return 2;
  }
  ::execvp(argv[2], argv + 2);
  std::perror(argv[2]);
  return 127;
}

// Where a test of formats gets its database from.

#ifndef ENGRAM_TESTS_FORMAT_UNPACK_H_
#define ENGRAM_TESTS_FORMAT_UNPACK_H_

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"

namespace engram::testing {

// The name of a fixture, or this: a database that this build makes.
inline constexpr char kMadeNow[] = "made_now";

// Puts a fixture, or what the program `make` makes, to `directory` as "db".
inline void Unpack(const std::string& fixture, const std::string& make,
                   const TemporaryDirectory& directory) {
  const std::string command =
      fixture == kMadeNow
          ? absl::StrCat(make, " ", directory.PathOf("db"))
          : absl::StrCat("tar -xzf ", ENGRAM_FIXTURES, "/", fixture,
                         ".tar.gz -C ", directory.path());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_FORMAT_UNPACK_H_

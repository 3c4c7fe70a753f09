// Which files hold something.

#ifndef ENGRAM_TESTS_SUPPORT_FILES_WITH_H_
#define ENGRAM_TESTS_SUPPORT_FILES_WITH_H_

#include <string>
#include <vector>

namespace engram::testing {

// The names of the files in and below `folder` that hold these bytes.
std::vector<std::string> FilesWith(const std::string& folder,
                                   const std::string& bytes);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_FILES_WITH_H_

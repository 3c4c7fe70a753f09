#include "tests/support/temporary_directory.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "gtest/gtest.h"
#include "storage/base/check.h"

namespace engram::testing {

TemporaryDirectory::TemporaryDirectory(const std::string& parent)
    : path_((parent.empty() ? ::testing::TempDir() : parent + "/") +
            "engram_test_XXXXXX") {
  ENGRAM_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace engram::testing

// A file of given bytes for the duration of a test.

#ifndef ENGRAM_TESTS_UNIT_TOOLS_VECTORS_TEMPORARY_FILE_H_
#define ENGRAM_TESTS_UNIT_TOOLS_VECTORS_TEMPORARY_FILE_H_

#include <unistd.h>

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace engram {

class TemporaryFile {
 public:
  // The name ends in `ending`, as in ".fvecs".
  TemporaryFile(const std::string& ending, const std::string& bytes)
      : path_(::testing::TempDir() + "engram_vectors_" +
              std::to_string(::getpid()) + ending) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  ~TemporaryFile() { ::unlink(path_.c_str()); }

  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The bytes of `value` as they stand in memory.
template <typename T>
std::string BytesOf(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace engram

#endif  // ENGRAM_TESTS_UNIT_TOOLS_VECTORS_TEMPORARY_FILE_H_

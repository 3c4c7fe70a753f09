// A folder for the duration of a test.

#ifndef ENGRAM_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
#define ENGRAM_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

#include <string>

namespace engram::testing {

// Creates an empty folder, and removes it with all it holds.
class TemporaryDirectory {
 public:
  // In `parent`, or where temporary files go.
  explicit TemporaryDirectory(const std::string& parent = "");
  ~TemporaryDirectory();

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string PathOf(const std::string& name) const {
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

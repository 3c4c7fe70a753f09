#include "tests/support/files_with.h"

#include <filesystem>
#include <fstream>

namespace engram::testing {

std::vector<std::string> FilesWith(const std::string& folder,
                                   const std::string& bytes) {
  std::vector<std::string> found;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    // At once: under a sanitizer each character would cost a call.
    std::ifstream stream(file.path(), std::ios::binary | std::ios::ate);
    if (!stream) continue;  // gone meanwhile
    std::string contents(static_cast<size_t>(stream.tellg()), '\0');
    stream.seekg(0);
    stream.read(contents.data(), static_cast<std::streamsize>(contents.size()));
    if (contents.find(bytes) != std::string::npos) {
      found.push_back(file.path().filename().string());
    }
  }
  return found;
}

}  // namespace engram::testing

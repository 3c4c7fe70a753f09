// The rules of the house that a program can check. Each check looks at text
// alone and returns one line for each finding, so that it is itself tested on
// text.

#ifndef ENGRAM_TESTS_TIDY_CHECKS_H_
#define ENGRAM_TESTS_TIDY_CHECKS_H_

#include <string>
#include <vector>

namespace engram::tidy {

struct SourceFile {
  std::string path;  // from the root, "storage/wal/writer.cc"
  std::string text;
};

using Findings = std::vector<std::string>;

// Includes that the folder's row of the table does not allow.
Findings CheckIncludes(const SourceFile& file);

// Files and lines that are too long.
Findings CheckLengths(const SourceFile& file);

// Words that must not stand in code, and notes to oneself anywhere.
Findings CheckWords(const SourceFile& file);

// A header's guard is named after its path.
Findings CheckGuard(const SourceFile& file);

// Sources that no CMakeLists.txt names, and headers that nothing includes.
Findings CheckNoDeadFiles(const std::vector<SourceFile>& sources,
                          const std::vector<SourceFile>& cmake_lists);

// The visible entries of the root are those of the user's card.
Findings CheckTopLevel(const std::vector<std::string>& names);

// `text` with comments and the insides of literals replaced by spaces.
std::string CodeOnly(const std::string& text);

}  // namespace engram::tidy

#endif  // ENGRAM_TESTS_TIDY_CHECKS_H_

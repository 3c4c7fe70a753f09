// The rules of the house, on the source tree.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"
#include "tests/tidy/checks.h"

namespace engram::tidy {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolders[] = {"engine", "schema", "storage", "tests",
                                    "tools"};

std::string ReadText(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

class TidyTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const fs::path root = ENGRAM_SOURCE_DIR;
    for (const char* const folder : kFolders) {
      for (const auto& entry :
           fs::recursive_directory_iterator(root / folder)) {
        if (!entry.is_regular_file()) continue;
        const std::string path = fs::relative(entry.path(), root).string();
        if (absl::EndsWith(path, ".cc") || absl::EndsWith(path, ".h")) {
          sources_.push_back({path, ReadText(entry.path())});
        }
        if (entry.path().filename() == "CMakeLists.txt") {
          cmake_lists_.push_back({path, ReadText(entry.path())});
        }
      }
    }
  }

  static void ExpectClean(Findings (*check)(const SourceFile&)) {
    Findings all;
    for (const SourceFile& source : sources_) {
      const Findings findings = check(source);
      all.insert(all.end(), findings.begin(), findings.end());
    }
    EXPECT_TRUE(all.empty()) << absl::StrJoin(all, "\n");
  }

  static inline std::vector<SourceFile> sources_;
  static inline std::vector<SourceFile> cmake_lists_;
};

TEST_F(TidyTest, TheTreeIsThere) { EXPECT_GT(sources_.size(), 100u); }
TEST_F(TidyTest, IncludesFollowTheTable) { ExpectClean(CheckIncludes); }
TEST_F(TidyTest, FilesAndLinesAreShort) { ExpectClean(CheckLengths); }
TEST_F(TidyTest, NoBannedWords) { ExpectClean(CheckWords); }
TEST_F(TidyTest, GuardsAreNamedAfterPaths) { ExpectClean(CheckGuard); }

TEST_F(TidyTest, NoDeadFiles) {
  const Findings findings = CheckNoDeadFiles(sources_, cmake_lists_);
  EXPECT_TRUE(findings.empty()) << absl::StrJoin(findings, "\n");
}

TEST_F(TidyTest, TheTopLevelIsTheUsersCard) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(ENGRAM_SOURCE_DIR)) {
    const std::string name = entry.path().filename().string();
    // Hidden files, and the build folder that git ignores.
    if (name[0] != '.' && name != "build") names.push_back(name);
  }
  const Findings findings = CheckTopLevel(names);
  EXPECT_TRUE(findings.empty()) << absl::StrJoin(findings, "\n");
}

}  // namespace
}  // namespace engram::tidy

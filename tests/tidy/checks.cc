#include "tests/tidy/checks.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <memory>
#include <regex>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace engram::tidy {
namespace {

constexpr int kFileLinesMax = 500;
constexpr size_t kLineCharactersMax = 80;

// What each folder may include, as prefixes. The row with the longest folder
// that holds a file is the one that counts.
struct Row {
  std::string folder;
  std::vector<std::string> allowed;
};

const std::vector<Row>& IncludeTable() {
  static const auto* const table =
      std::make_unique<std::vector<Row>>(
          std::vector<Row>{
              {"storage/base/", {"storage/base/", "absl/"}},
              {"schema/",
               {"schema/", "storage/base/", "flatbuffers/", "absl/"}},
              {"storage/io/",
               {"storage/io/", "storage/base/", "schema/", "absl/"}},
              {"storage/wal/",
               {"storage/wal/", "storage/io/", "storage/base/", "schema/",
                "absl/"}},
              {"storage/kv/",
               {"storage/kv/", "storage/io/", "storage/base/", "schema/",
                "rocksdb/", "absl/"}},
              {"engine/include/", {"engram/", "absl/"}},
              {"engine/simd/", {"engine/simd/", "storage/base/", "absl/"}},
              {"engine/index/",
               {"engine/index/", "engine/simd/", "storage/base/", "schema/",
                "absl/"}},
              {"engine/ingest/", {"engine/ingest/", "storage/base/", "absl/"}},
              {"engine/space/",
               {"engine/space/", "engine/index/", "engine/simd/",
                "engine/ingest/", "storage/", "schema/", "engram/", "absl/"}},
              {"engine/db/",
               {"engine/db/", "engine/space/", "engine/ingest/", "storage/",
                "schema/", "engram/", "prometheus/", "absl/"}},
              {"tools/",
               {"tools/", "engram/", "storage/base/", "nlohmann/", "CLI/",
                "absl/"}},
              {"tools/bench/",
               {"tools/", "engram/", "storage/base/", "hnswlib/", "faiss/",
                "nlohmann/", "CLI/", "absl/"}},
              // Measures the log alone, and RocksDB beside it.
              {"tools/bench/wal_",
               {"tools/", "storage/", "schema/", "rocksdb/", "nlohmann/",
                "absl/"}},
              // Drives the workers and spaces of a database without one.
              {"tools/bench/locality_spaces",
               {"tools/", "engine/ingest/", "engine/space/",
                "engine/index/epoch.h", "storage/", "schema/", "absl/"}},
              // Readers of foreign files: no engine, but the leaf's file
              // handling.
              {"tools/vectors/", {"tools/vectors/", "storage/base/", "absl/"}},
              {"tools/ctl/",
               {"tools/", "engram/", "storage/", "schema/", "nlohmann/", "CLI/",
                "absl/"}},
          })
          .release();
  return *table;
}

// Libraries that one place alone knows, as prefixes of <> or "" includes.
struct Owner {
  std::string include;
  std::string place;
  std::string peer = "-";  // a file that measures the library beside ours
};

const Owner kOwners[] = {
    {"liburing", "storage/io/uring_queue.cc"},
    {"prometheus/", "engine/db/prometheus_text.cc"},
    {"rocksdb/", "storage/kv/", "tools/bench/wal_rocksdb_path.cc"},
    {"schema/checkpoint_generated.h", "schema/"},
    {"schema/flatbuffer_access.h", "schema/"},
};

const char* const kTopLevel[] = {"CMakeLists.txt", "CMakePresets.json",
                                 "LICENSE",        "README.md",
                                 "docs",           "engine",
                                 "schema",         "storage",
                                 "tests",          "tools"};

bool IsTest(const SourceFile& file) {
  return absl::StartsWith(file.path, "tests/");
}

std::string At(const SourceFile& file, size_t line, const std::string& what) {
  return absl::StrCat(file.path, ":", line, ": ", what);
}

struct Include {
  std::string path;
  size_t line;
  bool quoted;
};

std::vector<Include> IncludesOf(const SourceFile& file) {
  static const std::regex pattern(R"(^\s*#\s*include\s*(["<])([^">]+)[">].*)");
  std::vector<Include> includes;
  size_t number = 0;
  for (const auto line : absl::StrSplit(file.text, '\n')) {
    ++number;
    std::smatch match;
    const std::string text(line);
    if (!std::regex_match(text, match, pattern)) continue;
    includes.push_back({match[2], number, match[1] == "\""});
  }
  return includes;
}

const Row* RowOf(const SourceFile& file) {
  const Row* best = nullptr;
  for (const Row& row : IncludeTable()) {
    if (!absl::StartsWith(file.path, row.folder)) continue;
    if (best == nullptr || row.folder.size() > best->folder.size()) best = &row;
  }
  return best;
}

std::string FolderOf(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

// A private constructor cannot be called by make_unique.
bool IsOwnedNew(const std::string& code, size_t at) {
  static const std::regex owner(
      R"(.*(unique_ptr|shared_ptr)<[^;]*>\s*\w*\(\s*)");
  const size_t start = code.find_last_of(";{}", at);
  std::string before =
      code.substr(start == std::string::npos ? 0 : start + 1,
                  at - (start == std::string::npos ? 0 : start + 1));
  std::replace(before.begin(), before.end(), '\n', ' ');
  return std::regex_match(before, owner);
}

size_t LineOf(const std::string& text, size_t at) {
  return 1 +
         static_cast<size_t>(std::count(
             text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
}

}  // namespace

std::string CodeOnly(const std::string& text) {
  std::string code = text;
  enum class State { kCode, kLine, kBlock, kString, kCharacter };
  State state = State::kCode;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const bool raw =
        c == '"' && i > 0 && text[i - 1] == 'R' && state == State::kCode;
    if (raw) {
      const size_t open = text.find('(', i);
      const std::string closing = ")" + text.substr(i + 1, open - i - 1) + "\"";
      const size_t end = std::min(text.find(closing, open), text.size() - 1);
      for (++i; i < end; ++i) {
        if (code[i] != '\n') code[i] = ' ';
      }
      i = std::min(end + closing.size() - 1, text.size() - 1);
      continue;
    }
    switch (state) {
      case State::kCode:
        if (c == '/' && next == '/') state = State::kLine;
        if (c == '/' && next == '*') state = State::kBlock;
        if (c == '"') state = State::kString;
        // Between digits it separates thousands.
        if (c == '\'' && (i == 0 || !std::isxdigit(static_cast<unsigned char>(
                                        text[i - 1])))) {
          state = State::kCharacter;
        }
        if (state == State::kLine || state == State::kBlock) code[i] = ' ';
        break;
      case State::kLine:
        if (c == '\n') {
          state = State::kCode;
        } else {
          code[i] = ' ';
        }
        break;
      case State::kBlock:
        if (c != '\n') code[i] = ' ';
        if (c == '/' && text[i - 1] == '*') state = State::kCode;
        break;
      case State::kString:
      case State::kCharacter:
        if (c == (state == State::kString ? '"' : '\'')) {
          state = State::kCode;
        } else if (c == '\\') {
          code[i] = ' ';
          if (i + 1 < text.size()) code[++i] = ' ';
        } else {
          code[i] = ' ';
        }
        break;
    }
  }
  return code;
}

Findings CheckIncludes(const SourceFile& file) {
  Findings findings;
  const Row* const row = RowOf(file);
  for (const Include& include : IncludesOf(file)) {
    for (const Owner& owner : kOwners) {
      if (absl::StartsWith(include.path, owner.include) &&
          !absl::StartsWith(file.path, owner.place) &&
          file.path != owner.peer && !IsTest(file)) {
        findings.push_back(
            At(file, include.line, include.path + " is for " + owner.place));
      }
    }
    if (!include.quoted || IsTest(file)) continue;
    const bool allowed =
        row != nullptr &&
        std::any_of(row->allowed.begin(), row->allowed.end(),
                    [&include](const std::string& prefix) {
                      return absl::StartsWith(include.path, prefix);
                    });
    if (!allowed) {
      findings.push_back(
          At(file, include.line, "may not include " + include.path));
    }
  }
  return findings;
}

Findings CheckLengths(const SourceFile& file) {
  Findings findings;
  size_t number = 0;
  for (const auto line :
       absl::StrSplit(absl::StripSuffix(file.text, "\n"), '\n')) {
    ++number;
    // Bytes that continue a UTF-8 character do not count.
    const auto characters = static_cast<size_t>(std::count_if(
        line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    if (characters > kLineCharactersMax &&
        !absl::StartsWith(line, "#include") &&
        !absl::StrContains(line, "://")) {
      findings.push_back(
          At(file, number, absl::StrCat("has ", characters, " characters")));
    }
  }
  if (number > kFileLinesMax) {
    findings.push_back(
        At(file, number, absl::StrCat("more than ", kFileLinesMax, " lines")));
  }
  return findings;
}

Findings CheckWords(const SourceFile& file) {
  // In two pieces, so that this file passes.
  static const std::regex notes(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X|HA"
      "CK)\\b");
  static const std::regex words(
      R"(\busing\s+namespace\b|\bthrow\b|\bdelete\b\s*(\[\s*\])?\s*[\w(*:])");
  static const std::regex allocation(R"(\bnew\b)");
  Findings findings;
  const auto report = [&](const std::string& text, const std::regex& pattern,
                          const auto& allowed) {
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end;
         it != end; ++it) {
      const auto at = static_cast<size_t>(it->position());
      if (allowed(at)) continue;
      findings.push_back(
          At(file, LineOf(text, at), "has \"" + it->str() + "\""));
    }
  };
  const auto never = [](size_t) { return false; };
  report(file.text, notes, never);
  // Preprocessor lines are no code: <new> is a header.
  static const std::regex directive(R"((^|\n)[ \t]*#[^\n]*)");
  std::string code = CodeOnly(file.text);
  for (std::smatch match; std::regex_search(code, match, directive);) {
    const auto at = static_cast<size_t>(match.position());
    const size_t bytes = static_cast<size_t>(match.length());
    const std::string blank = code[at] == '\n' ? "\n" : " ";
    code.replace(at, bytes, blank + std::string(bytes - 1, ' '));
  }
  report(code, words, never);
  report(code, allocation, [&code](size_t at) { return IsOwnedNew(code, at); });
  return findings;
}

Findings CheckGuard(const SourceFile& file) {
  if (!absl::EndsWith(file.path, ".h")) return {};
  std::string guard(absl::StripPrefix(file.path, "engine/include/engram/"));
  for (char& c : guard) {
    c = std::isalnum(static_cast<unsigned char>(c))
            ? static_cast<char>(std::toupper(static_cast<unsigned char>(c)))
            : '_';
  }
  guard = "ENGRAM_" + guard + "_";
  if (absl::StrContains(file.text,
                        "#ifndef " + guard + "\n#define " + guard + "\n") &&
      absl::EndsWith(file.text, "#endif  // " + guard + "\n")) {
    return {};
  }
  return {At(file, 1, "its guard is not " + guard)};
}

Findings CheckNoDeadFiles(const std::vector<SourceFile>& sources,
                          const std::vector<SourceFile>& cmake_lists) {
  std::set<std::string> named;
  static const std::regex word(R"([\w./-]+\.cc)");
  for (const SourceFile& list : cmake_lists) {
    for (std::sregex_iterator it(list.text.begin(), list.text.end(), word), end;
         it != end; ++it) {
      // What is left of "${CMAKE_SOURCE_DIR}/a.cc" and the like starts with a
      // slash, and may count from the root.
      const std::string name(absl::StripPrefix(it->str(), "/"));
      named.insert(FolderOf(list.path) + name);
      if (name != it->str()) named.insert(name);
      // engram_test() counts from tests/.
      if (IsTest(list)) named.insert("tests/" + name);
    }
  }
  std::set<std::string> included;
  for (const SourceFile& source : sources) {
    for (const Include& include : IncludesOf(source)) {
      included.insert(include.path);
      included.insert(FolderOf(source.path) + include.path);
    }
  }
  Findings findings;
  for (const SourceFile& source : sources) {
    if (absl::EndsWith(source.path, ".cc") && named.count(source.path) == 0) {
      findings.push_back(At(source, 1, "no CMakeLists.txt names it"));
    }
    const std::string spelled(
        absl::StripPrefix(source.path, "engine/include/"));
    if (absl::EndsWith(source.path, ".h") && included.count(spelled) == 0) {
      findings.push_back(At(source, 1, "nothing includes it"));
    }
  }
  return findings;
}

Findings CheckTopLevel(const std::vector<std::string>& names) {
  const std::set<std::string> expected(std::begin(kTopLevel),
                                       std::end(kTopLevel));
  const std::set<std::string> found(names.begin(), names.end());
  Findings findings;
  for (const std::string& name : found) {
    if (expected.count(name) == 0) {
      findings.push_back(name + " does not belong at the top");
    }
  }
  for (const std::string& name : expected) {
    if (found.count(name) == 0) findings.push_back(name + " is missing");
  }
  return findings;
}

}  // namespace engram::tidy

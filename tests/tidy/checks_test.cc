// The checks themselves, on text that breaks each rule.

#include "tests/tidy/checks.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace engram::tidy {
namespace {

size_t IncludeFindings(const std::string& path, const std::string& include) {
  return CheckIncludes({path, absl::StrCat("#include ", include, "\n")}).size();
}

TEST(CheckIncludesTest, AllowsWhatTheTableAllows) {
  EXPECT_EQ(IncludeFindings("storage/wal/a.cc", "\"storage/io/b.h\""), 0u);
  EXPECT_EQ(IncludeFindings("schema/a.cc", "\"flatbuffers/b.h\""), 0u);
  EXPECT_EQ(IncludeFindings("engine/db/a.cc", "\"engine/space/b.h\""), 0u);
  EXPECT_EQ(IncludeFindings("engine/db/a.cc", "\"engram/b.h\""), 0u);
  EXPECT_EQ(IncludeFindings("engine/index/a.cc", "<vector>"), 0u);
  EXPECT_EQ(IncludeFindings("tools/ctl/a.cc", "\"storage/wal/b.h\""), 0u);
  EXPECT_EQ(IncludeFindings("tools/bench/locality_spaces.cc",
                            "\"engine/ingest/b.h\""),
            0u);
  EXPECT_EQ(IncludeFindings("tests/api/a.cc", "\"engine/db/b.h\""), 0u);
}

TEST(CheckIncludesTest, RefusesEveryOtherDirection) {
  for (const auto& [path, include] :
       std::vector<std::pair<std::string, std::string>>{
           {"storage/base/a.h", "schema/limits.h"},
           {"schema/a.cc", "storage/io/b.h"},
           {"storage/io/a.cc", "storage/wal/b.h"},
           {"storage/wal/a.cc", "storage/kv/b.h"},
           {"storage/kv/a.cc", "storage/wal/b.h"},
           {"engine/simd/a.cc", "schema/metric.h"},
           {"engine/index/a.cc", "storage/io/b.h"},
           {"engine/index/a.cc", "engram/db.h"},
           {"engine/ingest/a.cc", "engine/space/b.h"},
           {"engine/space/a.cc", "engine/db/b.h"},
           {"engine/db/a.cc", "engine/index/graph.h"},
           {"engine/include/engram/a.h", "storage/base/b.h"},
           {"tools/bench/a.cc", "engine/db/b.h"},
           {"tools/bench/a.cc", "storage/wal/b.h"},
           {"tools/bench/wal_a.cc", "engram/db.h"},
           {"tools/bench/locality_measure.cc", "engine/ingest/b.h"},
           {"tools/bench/locality_spaces.cc", "engine/index/graph.h"},
           {"tools/vectors/a.cc", "engram/db.h"},
           {"engine/new_folder/a.cc", "absl/b.h"}}) {
    EXPECT_EQ(IncludeFindings(path, "\"" + include + "\""), 1u)
        << path << " " << include;
  }
}

TEST(CheckIncludesTest, RefusesLibrariesOutsideTheirPlace) {
  EXPECT_EQ(IncludeFindings("storage/io/uring_queue.cc", "<liburing.h>"), 0u);
  EXPECT_EQ(IncludeFindings("storage/io/pwrite_queue.cc", "<liburing.h>"), 1u);
  EXPECT_EQ(IncludeFindings("storage/kv/a.cc", "\"rocksdb/db.h\""), 0u);
  EXPECT_EQ(IncludeFindings("engine/db/a.cc", "<rocksdb/db.h>"), 1u);
  EXPECT_EQ(IncludeFindings("engine/db/prometheus_text.cc",
                            "\"prometheus/text_serializer.h\""),
            0u);
  EXPECT_EQ(IncludeFindings("engine/db/db.cc", "<prometheus/registry.h>"), 1u);
  EXPECT_EQ(IncludeFindings("tools/bench/wal_a.cc", "<rocksdb/db.h>"), 1u);
  EXPECT_EQ(
      IncludeFindings("tools/bench/wal_rocksdb_path.cc", "\"rocksdb/db.h\""),
      0u);
  EXPECT_EQ(IncludeFindings("engine/db/a.cc", "\"schema/flatbuffer_access.h\""),
            1u);
}

TEST(CheckLengthsTest, CountsLinesAndCharacters) {
  const std::string longest(80, 'x');
  EXPECT_TRUE(CheckLengths({"a.cc", longest + "\n"}).empty());
  EXPECT_EQ(CheckLengths({"a.cc", longest + "x\n"}).size(), 1u);
  EXPECT_TRUE(CheckLengths({"a.cc", "#include <" + longest + ">\n"}).empty());
  EXPECT_TRUE(CheckLengths({"a.cc", "// http://" + longest + "\n"}).empty());
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "x\n";
  EXPECT_TRUE(CheckLengths({"a.cc", lines}).empty());
  EXPECT_EQ(CheckLengths({"a.cc", lines + "x\n"}).size(), 1u);
}

size_t WordFindings(const std::string& text) {
  return CheckWords({"a.cc", text}).size();
}

TEST(CheckWordsTest, RefusesNotesAlsoInComments) {
  for (const std::string& word :
       {std::string("TO") + "DO", std::string("FIX") + "ME",
        std::string("XX") + "X", std::string("HA") + "CK"}) {
    EXPECT_EQ(WordFindings("// " + word + ": later\n"), 1u) << word;
  }
  EXPECT_EQ(WordFindings("mkdtemp(\"a_XXXXXX\");\n"), 0u);
}

TEST(CheckWordsTest, RefusesWordsInCodeOnly) {
  EXPECT_EQ(WordFindings("using namespace std;\n"), 1u);
  EXPECT_EQ(WordFindings("throw Error();\n"), 1u);
  EXPECT_EQ(WordFindings("delete node;\ndelete[] nodes;\n"), 2u);
  EXPECT_EQ(WordFindings("auto* node = new Node;\n"), 1u);
  EXPECT_EQ(WordFindings("// a new node, using namespace, throw x\n"), 0u);
  EXPECT_EQ(WordFindings("/* delete x\n throw */ int a;\n"), 0u);
  EXPECT_EQ(WordFindings("Print(\"throw a new x\");\n"), 0u);
  EXPECT_EQ(WordFindings("Print(R\"(throw \"a\" new x)\");\n"), 0u);
  EXPECT_EQ(WordFindings("A(const A&) = delete;\n"), 0u);
  EXPECT_EQ(WordFindings("#include <new>\nint new_count;\n"), 0u);
  EXPECT_EQ(WordFindings("int a = 1'000; throw 2'000;\n"), 1u);
}

TEST(CheckWordsTest, AllowsNewWhereASmartPointerTakesIt) {
  EXPECT_EQ(WordFindings("std::unique_ptr<A> a(new A(1));\n"), 0u);
  EXPECT_EQ(WordFindings("return std::unique_ptr<A>(\n    new A(1));\n"), 0u);
  EXPECT_EQ(WordFindings("std::unique_ptr<A> a; A* b = new A;\n"), 1u);
}

TEST(CheckGuardTest, WantsThePathsName) {
  const auto header = [](const std::string& guard) {
    return "#ifndef " + guard + "\n#define " + guard + "\n\n#endif  // " +
           guard + "\n";
  };
  EXPECT_TRUE(
      CheckGuard({"schema/a_b.h", header("ENGRAM_SCHEMA_A_B_H_")}).empty());
  EXPECT_TRUE(CheckGuard({"engine/include/engram/db.h", header("ENGRAM_DB_H_")})
                  .empty());
  EXPECT_EQ(CheckGuard({"schema/b.h", header("ENGRAM_SCHEMA_A_H_")}).size(),
            1u);
  EXPECT_EQ(CheckGuard({"schema/b.h", "#pragma once\n"}).size(), 1u);
  EXPECT_TRUE(CheckGuard({"schema/b.cc", ""}).empty());
}

TEST(CheckNoDeadFilesTest, FindsSourcesAndHeadersThatNothingUses) {
  const std::vector<SourceFile> lists = {
      {"schema/CMakeLists.txt", "SOURCES a.cc"},
      {"tests/CMakeLists.txt",
       "SOURCES unit/x_test.cc ${CMAKE_CURRENT_SOURCE_DIR}/y.cc "
       "${CMAKE_SOURCE_DIR}/tests/api/z.cc"}};
  const std::vector<SourceFile> used = {
      {"schema/a.cc", "#include \"schema/a.h\"\n"},
      {"schema/a.h", "#include \"engram/db.h\"\n"},
      {"engine/include/engram/db.h", ""},
      {"tests/unit/x_test.cc", "#include \"x.h\"\n"},
      {"tests/unit/x.h", ""},
      {"tests/y.cc", ""},
      {"tests/api/z.cc", ""}};
  EXPECT_EQ(CheckNoDeadFiles(used, lists), Findings());
  std::vector<SourceFile> dead = used;
  dead.push_back({"schema/b.cc", ""});
  dead.push_back({"schema/b.h", ""});
  dead.push_back({"engine/db/a.cc", ""});
  EXPECT_EQ(CheckNoDeadFiles(dead, lists).size(), 3u);
}

TEST(CheckTopLevelTest, WantsExactlyTheCard) {
  std::vector<std::string> names = {"CMakeLists.txt", "CMakePresets.json",
                                    "LICENSE",        "README.md",
                                    "docs",           "engine",
                                    "schema",         "storage",
                                    "tests",          "tools"};
  EXPECT_EQ(CheckTopLevel(names), Findings());
  names.push_back("scripts");
  EXPECT_EQ(CheckTopLevel(names).size(), 1u);
  names.erase(names.begin());
  EXPECT_EQ(CheckTopLevel(names).size(), 2u);
}

}  // namespace
}  // namespace engram::tidy

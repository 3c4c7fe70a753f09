// What stands in files that somebody else wrote does not get to command the
// terminal.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "storage/kv/store.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"
#include "tools/ctl/published_stats.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStdout;

constexpr uint32_t kDimension = 4;
constexpr uint32_t kRoom = 2;

// Clears a terminal, and names its window.
const std::string kCommand = "\x1b[2J\x1b]0;gone\x07";
const std::string kCommandShown = "\\x1b[2J\\x1b]0;gone\\x07";

TEST(TerminalTest, LinesStayLinesAndEscapesEscapes) {
  EXPECT_EQ(PrintableLines("a{b=\"\\\"\"} 1\n\xc3\xa9 \t\r\n\xff\xc2\x9b"),
            "a{b=\"\\\"\"} 1\n\xc3\xa9 \\x09\\x0d\n\\xff\\xc2\\x9b");
  EXPECT_EQ(Printable("a\\\n\t\x7f"), "a\\\\\\n\\t\\x7f");
}

TEST(TerminalTest, PublishedStatsAreShownWithoutCommands) {
  const schema::StatsPage page = {1, 1, absl::StrCat("a", kCommand, " 1\n")};
  for (const bool prometheus : {false, true}) {
    CaptureStdout();
    const VerbResult result =
        PrintPublishedStats({"db"}, {"", prometheus}, page);
    const std::string out = GetCapturedStdout();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(out, HasSubstr(absl::StrCat("a", kCommandShown, " 1\n")));
    EXPECT_THAT(out, Not(HasSubstr("\x1b")));
  }
}

// A database with one dead letter, which says this of itself.
void MakeDatabase(const std::string& path, const std::string& message) {
  internal::Environment environment;
  environment.slots_max = kRoom;
  auto db = internal::DbImpl::OpenOn(environment, path, {});
  ASSERT_TRUE(db.ok()) << db.status();
  SpaceOptions options;
  options.dimension = kDimension;
  Space space = (*db)->OpenSpace("a", options).value();
  for (uint32_t i = 0; i <= kRoom; ++i) {
    const std::vector<float> vector = testing::TestVector(kDimension, i);
    ASSERT_TRUE(space.Observe({absl::StrCat("id", i), vector, ""}).ok());
  }
  ASSERT_TRUE((*db)->Close().ok());

  auto store = kv::Store::Open(absl::StrCat(path, "/kv"), {});
  ASSERT_TRUE(store.ok()) << store.status();
  const std::string family = (*store)->Families().front();
  const auto head =
      schema::DecodeHead(1, *(*store)->Get(family, schema::kHeadKey));
  ASSERT_TRUE(head.ok()) << head.status();
  ASSERT_EQ(head->dead_letters, 1u);
  auto ingest = (*store)->NewIngest(family);
  ASSERT_TRUE(ingest.ok()) << ingest.status();
  ASSERT_TRUE(
      (*store)
          ->Scan(family, schema::kDeadLetterPrefix,
                 [&](absl::string_view key, absl::string_view value) {
                   const auto letter = schema::DecodeDeadLetter(
                       1, schema::NumberInKey(schema::kDeadLetterPrefix, key),
                       kDimension, value);
                   EXPECT_TRUE(letter.ok()) << letter.status();
                   return (*ingest)->Put(
                       key, schema::EncodeDeadLetter(
                                1, {letter->lsn, letter->timestamp_us,
                                    letter->id, letter->vector, letter->payload,
                                    letter->status.code(), message}));
                 })
          .ok());
  ASSERT_TRUE((*ingest)->Commit().ok());
}

TEST(TerminalTest, DeadLettersAreShownWithoutCommands) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.PathOf("db");
  MakeDatabase(path, kCommand);
  if (HasFatalFailure()) return;
  DeadLettersArguments arguments;
  arguments.space = "a";
  CaptureStdout();
  const VerbResult result = DeadLetters({path}, arguments);
  const std::string out = GetCapturedStdout();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(out, HasSubstr(kCommandShown));
  EXPECT_THAT(out, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace engram::ctl

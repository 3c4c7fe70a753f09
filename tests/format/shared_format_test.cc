// Databases with shared families, too, must open for ever.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/space/catalog.h"
#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/key_layout.h"
#include "shared_fixture.h"
#include "storage/kv/store.h"
#include "tests/support/temporary_directory.h"
#include "tools/ctl/verify.h"
#include "unpack.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using testing::IsRemoved;
using testing::kMadeNow;
using ::testing::Pair;
using testing::SharedFixtureId;
using testing::SharedFixtureOptions;
using testing::SharedFixturePayload;
using testing::SharedFixtureSpace;
using testing::SharedFixtureVector;

class SharedFormatTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        testing::Unpack(GetParam(), ENGRAM_MAKE_SHARED_FIXTURE, directory_));
  }

  std::string path() const { return directory_.PathOf("db"); }

  std::unique_ptr<Db> Open() {
    auto db = Db::Open(path(), SharedFixtureOptions());
    EXPECT_TRUE(db.ok()) << db.status();
    return db.ok() ? *std::move(db) : nullptr;
  }

  testing::TemporaryDirectory directory_;
};

void ExpectDeadLetters(const Space& space) {
  const auto letters = space.ListDeadLetters();
  ASSERT_TRUE(letters.ok()) << letters.status();
  ASSERT_EQ(letters->size(),
            size_t{testing::kFullSpace.ids - testing::kFullSpaceRoom});
  EXPECT_EQ(letters->front().id, SharedFixtureId(testing::kFullSpaceRoom));
  EXPECT_TRUE(absl::IsResourceExhausted(letters->front().status));
}

void ExpectContents(Db* db, const SharedFixtureSpace& expected) {
  SCOPED_TRACE(expected.name);
  auto space = db->OpenSpace(expected.name, testing::OptionsOf(expected));
  ASSERT_TRUE(space.ok()) << space.status();
  size_t live = 0;
  for (int i = 0; i < expected.ids; ++i) {
    const std::string id = SharedFixtureId(i);
    const auto stored = space->Get(id);
    if (IsRemoved(expected, i)) {
      EXPECT_TRUE(absl::IsNotFound(stored.status())) << id;
      continue;
    }
    ++live;
    ASSERT_TRUE(stored.ok()) << id << ": " << stored.status();
    EXPECT_EQ(stored->vector, SharedFixtureVector(expected, i));
    EXPECT_EQ(stored->payload, SharedFixturePayload(expected, i));
    EXPECT_EQ(stored->timestamp_us, i);
    const auto hits = space->Search(stored->vector, {1, 0});
    ASSERT_TRUE(hits.ok()) << hits.status();
    ASSERT_EQ(hits->size(), 1u);
    EXPECT_EQ((*hits)[0].id, id);
  }
  EXPECT_EQ(space->ListIds()->size(), live);
  if (expected.name == std::string(testing::kFullSpace.name)) {
    ExpectDeadLetters(*space);
  } else {
    EXPECT_TRUE(space->ListDeadLetters()->empty());
  }
}

void ExpectAllContents(Db* db) {
  std::vector<std::string> names;
  for (const SharedFixtureSpace& space : testing::kSharedFixtureSpaces) {
    names.emplace_back(space.name);
    ExpectContents(db, space);
  }
  EXPECT_EQ(*db->ListSpaces(), names);
}

TEST_P(SharedFormatTest, SpacesShareAFamily) {
  const auto store = kv::Store::Open(path() + "/kv", {.read_only = true});
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_THAT((*store)->Families(), ElementsAre("p000001", "p000002"));
  const auto loaded = space::LoadCatalog(**store);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  std::map<std::string, std::string> places;  // by space
  for (const schema::CatalogEntry& entry : loaded->entries) {
    const uint64_t id = entry.space.id;
    const bool shares = entry.family == schema::MemberName("p000002", id);
    places[entry.space.name] = shares ? "shared" : entry.family;
  }
  EXPECT_THAT(places,
              ElementsAre(Pair("again", "shared"), Pair("flat", "shared"),
                          Pair("full", "shared"), Pair("gone", "shared"),
                          Pair("graph", "shared"), Pair("own", "p000001")));
}

TEST_P(SharedFormatTest, OpensWithAllThatItHeld) {
  // The second time it reads what the first one saved, the third time what the
  // second one wrote anew.
  for (int round = 0; round < 3; ++round) {
    SCOPED_TRACE(round);
    const auto report = ctl::VerifyDatabase(path());
    ASSERT_TRUE(report.ok()) << report.status();
    for (const ctl::VerifyFinding& finding : report->findings) {
      ADD_FAILURE() << finding.place << ": " << finding.message;
    }
    EXPECT_EQ(report->unreachable_nodes, 0u);
    const std::unique_ptr<Db> db = Open();
    ASSERT_NE(db, nullptr);
    ExpectAllContents(db.get());
    EXPECT_TRUE((round == 0 ? db->Checkpoint() : db->Compact()).ok());
    EXPECT_TRUE(db->Close().ok());
  }
}

// No member's keys may stay behind for the next space of the family.
TEST_P(SharedFormatTest, AllSpacesCanBeDropped) {
  {
    const std::unique_ptr<Db> db = Open();
    ASSERT_NE(db, nullptr);
    for (const SharedFixtureSpace& space : testing::kSharedFixtureSpaces) {
      EXPECT_TRUE(db->DropSpace(space.name).ok());
    }
    EXPECT_TRUE(db->Checkpoint().ok());
    EXPECT_TRUE(db->Close().ok());
  }
  // An unlisted family with a key in it would be damage.
  const std::unique_ptr<Db> db = Open();
  ASSERT_NE(db, nullptr);
  EXPECT_TRUE(db->ListSpaces()->empty());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, SharedFormatTest,
                         ::testing::Values("v4_shared", kMadeNow),
                         [](const auto& test) {
                           return std::string(test.param);
                         });

}  // namespace
}  // namespace engram

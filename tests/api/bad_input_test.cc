// What is refused, with the message that it gets.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "engram/db.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram {
namespace {

using ::testing::HasSubstr;
using testing::TemporaryDirectory;
using testing::TestVector;

constexpr uint32_t kDimension = 8;

class BadInputTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Options options;
    options.wal_segment_bytes = 1 << 20;
    auto db = Db::Open(directory_.path() + "/db", options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = *std::move(db);
    SpaceOptions cosine;
    cosine.dimension = kDimension;
    cosine.metric = Metric::kCosine;
    space_ = *db_->OpenSpace("agent-7", cosine);
  }

  // Neither the refused write, nor anything else, may be there afterwards.
  void TearDown() override {
    EXPECT_TRUE(space_.ListIds()->empty());
    EXPECT_EQ(db_->GetStats()->accepted_records, 0u);
  }

  void ExpectRefused(const Observation& observation, const std::string& text) {
    const absl::Status status = space_.Observe(observation).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
    WriteBatch batch;
    batch.Observe(space_, {"good", TestVector(kDimension, 1), ""});
    batch.Observe(space_, observation);
    EXPECT_EQ(db_->Write(batch).status().message(), status.message());
  }

  void ExpectSearchRefused(const std::vector<float>& query,
                           const SearchOptions& options,
                           const std::string& text) {
    const absl::Status status = space_.Search(query, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Db> db_;
  Space space_;
};

TEST_F(BadInputTest, WrongDimension) {
  const std::string text =
      "space \"agent-7\": vector has 7 components, dimension is 8";
  ExpectRefused({"a", TestVector(7, 1), ""}, text);
  ExpectSearchRefused(TestVector(7, 1), {}, text);
}

TEST_F(BadInputTest, ComponentsThatAreNoNumbers) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    auto vector = TestVector(kDimension, 1);
    vector[3] = bad;
    const std::string text = "component 3 of the vector is ";
    ExpectRefused({"a", vector, ""}, text);
    ExpectSearchRefused(vector, {}, text);
  }
}

TEST_F(BadInputTest, NormsOutOfRange) {
  std::vector<float> huge(kDimension, 1e16f);
  ExpectRefused({"a", huge, ""}, "squared norm of the vector is 8e+32");
  std::vector<float> tiny(kDimension, 1e-17f);
  ExpectRefused({"a", tiny, ""}, "for cosine it must be at least 1e-30");
  ExpectRefused({"a", std::vector<float>(kDimension, 0.0f), ""},
                "squared norm of the vector is 0, for cosine");
  ExpectSearchRefused(tiny, {}, "for cosine it must be at least 1e-30");
}

TEST_F(BadInputTest, IdsThatAreEmptyOrTooLong) {
  const auto vector = TestVector(kDimension, 1);
  ExpectRefused({"", vector, ""}, "id has 0 bytes, allowed are 1 to 512");
  const std::string long_id(513, 'x');
  ExpectRefused({long_id, vector, ""},
                "id has 513 bytes, allowed are 1 to 512");
  EXPECT_EQ(space_.Remove("").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(space_.Get(long_id).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(BadInputTest, AnIdAndAPayloadOfTheLargestSizeAreTaken) {
  const std::string id(kIdBytesMax, 'x');
  const std::string payload(200 << 10, 'p');
  Space other = *db_->OpenSpace("other", space_.options());
  ASSERT_TRUE(other.Observe({id, TestVector(kDimension, 1), payload}).ok());
  EXPECT_EQ(other.Get(id)->payload, payload);
  const std::string too_long(kPayloadBytesMax + 1, 'p');
  ExpectRefused({"a", TestVector(kDimension, 1), too_long},
                "payload has 1048577 bytes, allowed are up to 1048576");
  ASSERT_TRUE(db_->DropSpace("other").ok());
  // Counted, though gone: TearDown() wants none accepted in the space.
  ASSERT_TRUE(db_->Close().ok());
  SetUp();
}

TEST_F(BadInputTest, SearchOptionsOutOfRange) {
  const auto query = TestVector(kDimension, 1);
  ExpectSearchRefused(query, {0, 0}, "k is 0, allowed are 1 to 10000");
  ExpectSearchRefused(query, {10001, 0}, "k is 10001");
  ExpectSearchRefused(query, {10, 100001}, "ef_search is 100001");
}

TEST_F(BadInputTest, AnUnknownSpace) {
  const absl::Status status = db_->OpenSpace("nobody", {}).status();
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("there is no space \"nobody\""));
  EXPECT_TRUE(absl::IsNotFound(db_->DropSpace("nobody")));
}

TEST_F(BadInputTest, OtherOptionsForAnExistingSpaceNameBothValues) {
  const auto expect = [this](SpaceOptions options, const std::string& text) {
    const absl::Status status = db_->OpenSpace("agent-7", options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(status.message(), "space \"agent-7\": " + text);
  };
  SpaceOptions options = space_.options();
  options.dimension = 9;
  expect(options, "dimension is 8, not 9");
  options = space_.options();
  options.metric = Metric::kL2;
  expect(options, "metric is cosine, not L2");
  options = space_.options();
  options.M = 17;
  expect(options, "M is 16, not 17");
  options = space_.options();
  options.ef_construction = 200;
  expect(options, "ef_construction is 100, not 200");
}

TEST_F(BadInputTest, SpaceNamesAndOptionsOutOfRange) {
  const auto expect = [this](const std::string& name, SpaceOptions options,
                             const std::string& text) {
    const absl::Status status = db_->OpenSpace(name, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  };
  SpaceOptions options = space_.options();
  expect("", options, "space name has 0 bytes, allowed are 1 to 128");
  expect(std::string(129, 'a'), options, "space name has 129 bytes");
  expect("a/b", options, "allowed characters are A-Z a-z 0-9 _ . -");
  options.dimension = 65536;
  expect("new", options, "dimension is 65536, allowed are 1 to 65535");
  options = space_.options();
  options.M = 1;
  expect("new", options, "M is 1, allowed are 2 to 128");
  options.M = 129;
  expect("new", options, "M is 129");
  options = space_.options();
  options.ef_construction = 15;
  expect("new", options, "ef_construction is 15, allowed are M = 16 to 4096");
}

TEST_F(BadInputTest, Batches) {
  EXPECT_EQ(db_->Write({}).status().message(), "the batch is empty");
  WriteBatch foreign;
  foreign.Remove(Space(), "a");
  EXPECT_THAT(std::string(db_->Write(foreign).status().message()),
              HasSubstr("entry 0 of the batch names no space"));
  // It fits the batch's limit, but not this database's small segments.
  WriteBatch large;
  const std::string payload(kPayloadBytesMax, 'p');
  for (int i = 0; i < 3; ++i) {
    large.Observe(space_,
                  {absl::StrCat(i), TestVector(kDimension, 1), payload});
  }
  EXPECT_THAT(std::string(db_->Write(large).status().message()),
              HasSubstr("a log segment holds"));
  for (int i = 0; i < 15; ++i) {
    large.Observe(space_,
                  {absl::StrCat(i), TestVector(kDimension, 1), payload});
  }
  EXPECT_THAT(std::string(db_->Write(large).status().message()),
              HasSubstr("allowed are up to 16777216"));
}

TEST_F(BadInputTest, AHandleOfNoSpace) {
  Space none;
  EXPECT_EQ(none.name(), "");
  EXPECT_EQ(none.Get("a").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(none.Search({}, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(BadOptionsTest, OptionsOutOfRangeAreNamed) {
  TemporaryDirectory directory;
  const auto expect = [&directory](const Options& options,
                                   const std::string& text) {
    const absl::Status status =
        Db::Open(directory.path() + "/db", options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  };
  Options options;
  options.wal_segment_bytes = 4096;
  expect(options, "wal_segment_bytes is 4096, allowed are 262144 to");
  options = {};
  options.wal_segment_bytes = (1 << 20) + 1;
  expect(options, "must be a multiple of 4096");
  options = {};
  options.wal_limit_bytes = options.wal_segment_bytes;
  expect(options, "wal_limit_bytes is 67108864, allowed are 268435456 to");
  options = {};
  options.workers = -1;
  expect(options, "workers is -1, allowed are 0 to 1024");
  options = {};
  options.pending_records_max = 0;
  expect(options, "pending_records_max is 0");
}

}  // namespace
}  // namespace engram

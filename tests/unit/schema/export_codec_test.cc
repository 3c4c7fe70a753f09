#include "schema/export_codec.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schema/limits.h"
#include "storage/base/crc32c.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr DatabaseId kDatabase = {{1, 2, 3}};

SpaceDescription Space() {
  SpaceDescription space;
  space.id = 5;
  space.name = "notes";
  space.dimension = 2;
  space.metric = Metric::kCosine;
  return space;
}

std::string ObservationOf(const std::string& id, float x,
                          const std::string& payload) {
  const std::vector<float> vector = {x, 1};
  std::string body;
  AppendExportObservation({id, vector, payload, -7, 11}, &body);
  return body;
}

// A file with two observations, of which the first is gone again.
std::string File() {
  std::string removal;
  AppendExportRemoval("a", &removal);
  return absl::StrCat(EncodeExportPrologue(),
                      EncodeExportFrame(ExportKind::kSpace, 0,
                                        EncodeExportSpace(kDatabase, Space())),
                      EncodeExportFrame(ExportKind::kObservations, 1,
                                        ObservationOf("a", 1, "x") +
                                            ObservationOf("bcd", 2, "")),
                      EncodeExportFrame(ExportKind::kRemovals, 2, removal),
                      EncodeExportFrame(ExportKind::kTrailer, 3,
                                        EncodeExportTrailer({12, 2, 1, 1})));
}

// What a reader sees, as text.
absl::StatusOr<std::vector<std::string>> Read(absl::string_view file) {
  const auto cut = [&file](size_t size) {
    const absl::string_view taken = file.substr(0, size);
    file.remove_prefix(taken.size());
    return taken;
  };
  absl::Status status = CheckExportPrologue(cut(sizeof(ExportPrologue)));
  if (!status.ok()) return status;
  ExportParser parser;
  std::vector<std::string> seen;
  while (!parser.complete() || !file.empty()) {
    const absl::string_view header = cut(sizeof(ExportFrameHeader));
    const absl::StatusOr<size_t> bytes = parser.BodyBytes(header);
    if (!bytes.ok()) return bytes.status();
    status = parser.Take(header, cut(*bytes), [&](const ExportObservation& o) {
      seen.push_back(o.lsn == 0
                         ? absl::StrCat("remove ", o.id)
                         : absl::StrCat(o.id, " ", o.vector[0], " ", o.payload,
                                        " ", o.timestamp_us, " ", o.lsn));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
  }
  EXPECT_TRUE(parser.space() == Space());
  EXPECT_TRUE(parser.database_id() == kDatabase);
  EXPECT_EQ(parser.trailer().lsn, 12u);
  return seen;
}

// A file whose second frame has this body.
absl::Status WithBody(ExportKind kind, const std::string& body) {
  return Read(EncodeExportPrologue() +
              EncodeExportFrame(ExportKind::kSpace, 0,
                                EncodeExportSpace(kDatabase, Space())) +
              EncodeExportFrame(kind, 1, body))
      .status();
}

TEST(ExportCodecTest, ReadsWhatWasWritten) {
  const auto seen = Read(File());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_THAT(*seen, ElementsAre("a 1 x -7 11", "bcd 2  -7 11", "remove a"));
}

TEST(ExportCodecTest, FindsEveryFlippedBitAndEveryCut) {
  testing::ExpectEveryDamageRefused(
      File(), [](const std::string& file) { return Read(file).status(); });
}

TEST(ExportCodecTest, RefusesANewerVersion) {
  ExportPrologue prologue = {kExportMagic, kExportVersion + 1, 0};
  prologue.crc = Crc32c(&prologue, offsetof(ExportPrologue, crc));
  const absl::string_view bytes(reinterpret_cast<const char*>(&prologue),
                                sizeof(prologue));
  EXPECT_TRUE(absl::IsUnimplemented(CheckExportPrologue(bytes)));
}

TEST(ExportCodecTest, RefusesFramesOutOfPlace) {
  const std::string space = EncodeExportSpace(kDatabase, Space());
  const std::string trailer = EncodeExportTrailer({12, 0, 0, 0});
  const auto file = [](const std::string& frames) {
    return Read(EncodeExportPrologue() + frames).status();
  };
  EXPECT_TRUE(absl::IsDataLoss(
      file(EncodeExportFrame(ExportKind::kTrailer, 0, trailer))));
  EXPECT_TRUE(
      absl::IsDataLoss(file(EncodeExportFrame(ExportKind::kSpace, 1, space))));
  EXPECT_TRUE(
      absl::IsDataLoss(file(EncodeExportFrame(ExportKind::kSpace, 0, space) +
                            EncodeExportFrame(ExportKind::kSpace, 1, space))));
  EXPECT_TRUE(absl::IsDataLoss(
      file(EncodeExportFrame(ExportKind::kSpace, 0, space) +
           EncodeExportFrame(ExportKind::kTrailer, 1, trailer) +
           EncodeExportFrame(ExportKind::kTrailer, 2, trailer))));
  EXPECT_TRUE(absl::IsDataLoss(WithBody(static_cast<ExportKind>(9), "x")));
}

TEST(ExportCodecTest, RefusesValuesOutOfRange) {
  const auto refused = [](const ExportObservation& observation) {
    std::string body;
    AppendExportObservation(observation, &body);
    return absl::IsDataLoss(WithBody(ExportKind::kObservations, body));
  };
  const std::vector<float> good = {1, 2};
  const std::vector<float> infinite = {1,
                                       std::numeric_limits<float>::infinity()};
  const std::string long_id(kIdBytesMax + 1, 'i');
  const std::string long_payload(kPayloadBytesMax + 1, 'p');
  EXPECT_TRUE(refused({"", good, "", 0, 1}));
  EXPECT_TRUE(refused({long_id, good, "", 0, 1}));
  EXPECT_TRUE(refused({"a", good, long_payload, 0, 1}));
  EXPECT_TRUE(refused({"a", infinite, "", 0, 1}));
  EXPECT_TRUE(refused({"a", good, "", 0, 0}));
  EXPECT_TRUE(refused({"a", good, "", 0, kWalNumberMax + 1}));
  const absl::Status counts =
      WithBody(ExportKind::kTrailer, EncodeExportTrailer({12, 1, 0, 0}));
  EXPECT_THAT(counts.message(), HasSubstr("counts 1 observations"));
}

}  // namespace
}  // namespace engram::schema

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

constexpr uint64_t kSpace = 9;
constexpr uint32_t kDimension = 3;
constexpr Lsn kLsn = 77;

const float kVector[kDimension] = {1.5f, -2, 0};

DeadLetterView Sample() {
  return {kLsn,     -5,        "id",
          kVector,  "payload", absl::StatusCode::kResourceExhausted,
          "no room"};
}

absl::StatusOr<DeadLetter> Decode(const std::string& value) {
  return DecodeDeadLetter(kSpace, kLsn, kDimension, value);
}

TEST(DeadLetterCodecTest, RoundTrips) {
  DeadLetterView view = Sample();
  for (const std::string& payload : {std::string(), std::string("a\0b", 3),
                                     std::string(kPayloadBytesMax, 'p')}) {
    view.payload = payload;
    const auto letter = Decode(EncodeDeadLetter(kSpace, view));
    ASSERT_TRUE(letter.ok()) << letter.status();
    EXPECT_EQ(letter->lsn, kLsn);
    EXPECT_EQ(letter->timestamp_us, -5);
    EXPECT_EQ(letter->id, "id");
    EXPECT_EQ(letter->vector, (std::vector<float>{1.5f, -2, 0}));
    EXPECT_EQ(letter->payload, payload);
    EXPECT_EQ(letter->status, absl::ResourceExhaustedError("no room"));
  }
}

TEST(DeadLetterCodecTest, LongWordsAreCut) {
  DeadLetterView view = Sample();
  const std::string words(5000, 'w');
  view.message = words;
  const auto letter = Decode(EncodeDeadLetter(kSpace, view));
  ASSERT_TRUE(letter.ok()) << letter.status();
  EXPECT_EQ(letter->status.message(), words.substr(0, 1024));
}

TEST(DeadLetterCodecTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(
      EncodeDeadLetter(kSpace, Sample()),
      [](const std::string& value) { return Decode(value).status(); });
}

TEST(DeadLetterCodecTest, RefusesAnotherPlace) {
  const std::string value = EncodeDeadLetter(kSpace, Sample());
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeDeadLetter(kSpace + 1, kLsn, kDimension, value).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeDeadLetter(kSpace, kLsn + 1, kDimension, value).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeDeadLetter(kSpace, kLsn, kDimension + 1, value).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      Decode(EncodeRecordValue(kSpace, kLsn, 1, 1, "")).status()));
}

std::string Flat(Lsn lsn, const std::string& id, int code, size_t payload_bytes,
                 size_t message_bytes = 0) {
  flatbuffers::FlatBufferBuilder builder;
  const auto bytes = [&builder](const std::string& text) {
    return builder.CreateVector(reinterpret_cast<const uint8_t*>(text.data()),
                                text.size());
  };
  const auto flat_id = bytes(id);
  const auto vector = builder.CreateVector(kVector, kDimension);
  const auto payload = bytes(std::string(payload_bytes, 'p'));
  const auto message = builder.CreateString(std::string(message_bytes, 'm'));
  builder.Finish(fb::CreateDeadLetter(builder, lsn, 1, flat_id, vector, payload,
                                      code, message));
  return WrapValue({ValueKind::kDeadLetter, kSpace, kLsn},
                   builder.GetBufferPointer(), builder.GetSize());
}

TEST(DeadLetterCodecTest, RefusesImpossibleFieldsUnderARightChecksum) {
  EXPECT_TRUE(Decode(Flat(kLsn, "id", 8, 1)).ok());
  EXPECT_TRUE(Decode(Flat(kLsn, "id", 8, 1, 1024)).ok());
  for (const std::string& value :
       {Flat(kLsn + 1, "id", 8, 1), Flat(kLsn, "", 8, 1),
        Flat(kLsn, std::string(kIdBytesMax + 1, 'i'), 8, 1),
        Flat(kLsn, "id", 0, 1), Flat(kLsn, "id", -1, 1),
        Flat(kLsn, "id", 17, 1), Flat(kLsn, "id", 8, kPayloadBytesMax + 1),
        Flat(kLsn, "id", 8, 1, 1025)}) {
    EXPECT_TRUE(absl::IsDataLoss(Decode(value).status()));
  }
}

}  // namespace
}  // namespace engram::schema

#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

constexpr uint64_t kSpace = 9;

TEST(RecordCodecTest, RoundTrips) {
  for (const std::string& payload : {std::string(), std::string("a\0b", 3),
                                     std::string(kPayloadBytesMax, 'p')}) {
    const auto record = DecodeRecordValue(
        kSpace, EncodeRecordValue(kSpace, 77, 12, -5, payload));
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->lsn, 77u);
    EXPECT_EQ(record->slot, 12u);
    EXPECT_EQ(record->timestamp_us, -5);
    EXPECT_EQ(record->payload, payload);
  }
}

TEST(RecordCodecTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(
      EncodeRecordValue(kSpace, 77, 12, 5, "payload"),
      [](const std::string& value) {
        return DecodeRecordValue(kSpace, value).status();
      });
}

TEST(RecordCodecTest, RefusesAnotherSpaceAndAnotherKind) {
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeRecordValue(kSpace + 1, EncodeRecordValue(kSpace, 77, 12, 5, ""))
          .status()));
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeRecordValue(0, EncodeCatalog({})).status()));
}

std::string FlatRecord(Lsn lsn, Lsn envelope_lsn, size_t payload_bytes) {
  flatbuffers::FlatBufferBuilder builder;
  const std::string payload(payload_bytes, 'p');
  const auto flat = builder.CreateVector(
      reinterpret_cast<const uint8_t*>(payload.data()), payload.size());
  builder.Finish(fb::CreateRecord(builder, lsn, 1, 1, flat));
  return WrapValue({ValueKind::kRecord, kSpace, envelope_lsn},
                   builder.GetBufferPointer(), builder.GetSize());
}

TEST(RecordCodecTest, RefusesImpossibleFieldsUnderARightChecksum) {
  EXPECT_TRUE(DecodeRecordValue(kSpace, FlatRecord(5, 5, 1)).ok());
  for (const std::string& value : {FlatRecord(5, 6, 1), FlatRecord(0, 0, 1),
                                   FlatRecord(5, 5, kPayloadBytesMax + 1)}) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeRecordValue(kSpace, value).status()));
  }
}

TEST(RecordCodecTest, ReadsARecordWithoutPayloadVector) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateRecord(builder, 5, 1, 1));
  const auto record = DecodeRecordValue(
      kSpace, WrapValue({ValueKind::kRecord, kSpace, 5},
                        builder.GetBufferPointer(), builder.GetSize()));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->payload, "");
}

}  // namespace
}  // namespace engram::schema

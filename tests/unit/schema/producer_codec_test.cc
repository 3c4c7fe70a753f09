#include "schema/producer_codec.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/space_codec.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

std::string FlatProducer(uint64_t producer, uint64_t sequence, Lsn lsn) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateProducer(builder, sequence, lsn));
  return WrapValue({ValueKind::kProducer, producer, 0},
                   builder.GetBufferPointer(), builder.GetSize());
}

TEST(ProducerCodecTest, RoundTrips) {
  for (const ProducerState& state :
       {ProducerState{1, 1, 1},
        ProducerState{UINT64_MAX, UINT64_MAX, kWalNumberMax}}) {
    const auto decoded = DecodeProducer(state.producer, EncodeProducer(state));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, state);
  }
}

TEST(ProducerCodecTest, RefusesEveryDamage) {
  testing::ExpectEveryDamageRefused(EncodeProducer({5, 70, 80}),
                                    [](const std::string& value) {
                                      return DecodeProducer(5, value).status();
                                    });
}

TEST(ProducerCodecTest, RefusesAnotherProducerAndAnotherKind) {
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeProducer(6, EncodeProducer({5, 70, 80})).status()));
  EXPECT_TRUE(absl::IsDataLoss(DecodeProducer(0, EncodeCatalog({})).status()));
}

TEST(ProducerCodecTest, RefusesImpossibleFieldsUnderARightChecksum) {
  EXPECT_TRUE(DecodeProducer(5, FlatProducer(5, 1, 1)).ok());
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeProducer(0, FlatProducer(0, 1, 1)).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeProducer(5, FlatProducer(5, 0, 1)).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeProducer(5, FlatProducer(5, 1, 0)).status()));
  EXPECT_TRUE(absl::IsDataLoss(
      DecodeProducer(5, FlatProducer(5, 1, kWalNumberMax + 1)).status()));
}

}  // namespace
}  // namespace engram::schema

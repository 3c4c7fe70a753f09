#include "schema/producer_codec.h"

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "storage/base/status_macros.h"

namespace engram::schema {

std::string EncodeProducer(const ProducerState& state) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateProducer(builder, state.sequence, state.lsn));
  return Wrap({ValueKind::kProducer, state.producer, 0}, builder);
}

absl::StatusOr<ProducerState> DecodeProducer(uint64_t producer,
                                             absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kProducer, producer, 0}, value, kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::Producer>(unwrapped);
  if (flat == nullptr) return absl::DataLossError("producer: malformed");
  const ProducerState state{producer, flat->sequence(), flat->lsn()};
  if (producer == 0 || state.sequence == 0 || state.lsn == 0 ||
      state.lsn > kWalNumberMax) {
    return absl::DataLossError(
        absl::StrCat("producer ", producer, ": a field is out of range"));
  }
  return state;
}

}  // namespace engram::schema

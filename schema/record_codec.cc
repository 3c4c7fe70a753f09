#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "storage/base/status_macros.h"

namespace engram::schema {

std::string EncodeRecordValue(uint64_t space_id, Lsn lsn, uint32_t slot,
                              int64_t timestamp_us, absl::string_view payload) {
  flatbuffers::FlatBufferBuilder builder(payload.size() + 128);
  const auto flat_payload = CreateBytes(payload, &builder);
  builder.Finish(
      fb::CreateRecord(builder, lsn, slot, timestamp_us, flat_payload));
  return Wrap({ValueKind::kRecord, space_id, lsn}, builder);
}

absl::StatusOr<Record> DecodeRecordValue(uint64_t space_id,
                                         absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kRecord, space_id, kAnyGeneration}, value,
                  kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::Record>(unwrapped);
  if (flat == nullptr) return absl::DataLossError("record: malformed");
  if (flat->lsn() == 0 || flat->lsn() != unwrapped.generation()) {
    return absl::DataLossError("record: LSN differs from its envelope's");
  }
  if (ToView(flat->payload()).size() > kPayloadBytesMax) {
    return absl::DataLossError("record: payload is too long");
  }
  Record record;
  record.lsn = flat->lsn();
  record.slot = flat->slot();
  record.timestamp_us = flat->timestamp_us();
  record.payload = std::string(ToView(flat->payload()));
  return record;
}

}  // namespace engram::schema

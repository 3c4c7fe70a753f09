#include <algorithm>

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

constexpr int kStatusCodeLast =
    static_cast<int>(absl::StatusCode::kUnauthenticated);

// Of the words that say why; what is longer is cut.
constexpr size_t kMessageBytesMax = 1024;

}  // namespace

std::string EncodeDeadLetter(uint64_t space_id, const DeadLetterView& letter) {
  flatbuffers::FlatBufferBuilder builder(letter.payload.size() +
                                         letter.vector.size() * sizeof(float) +
                                         letter.id.size() + 256);
  const auto id = CreateBytes(letter.id, &builder);
  const auto vector =
      builder.CreateVector(letter.vector.data(), letter.vector.size());
  const auto payload = CreateBytes(letter.payload, &builder);
  const absl::string_view words = letter.message.substr(0, kMessageBytesMax);
  const auto message = builder.CreateString(words.data(), words.size());
  builder.Finish(fb::CreateDeadLetter(
      builder, letter.lsn, letter.timestamp_us, id, vector, payload,
      static_cast<int32_t>(letter.code), message));
  return Wrap({ValueKind::kDeadLetter, space_id, letter.lsn}, builder);
}

absl::StatusOr<DeadLetter> DecodeDeadLetter(uint64_t space_id, Lsn lsn,
                                            uint32_t dimension,
                                            absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(const UnwrappedValue unwrapped,
                          UnwrapValue({ValueKind::kDeadLetter, space_id, lsn},
                                      value, kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::DeadLetter>(unwrapped);
  if (flat == nullptr || !IsAligned(flat->vector(), sizeof(float))) {
    return absl::DataLossError("dead letter: malformed");
  }
  const size_t components =
      flat->vector() == nullptr ? 0 : flat->vector()->size();
  if (dimension == kAnyDimension) {
    dimension =
        static_cast<uint32_t>(std::min<size_t>(components, kDimensionMax));
  }
  const absl::string_view id = ToView(flat->id());
  if (lsn == 0 || lsn > kWalNumberMax || flat->lsn() != lsn || id.empty() ||
      id.size() > kIdBytesMax || components != dimension ||
      ToView(flat->payload()).size() > kPayloadBytesMax ||
      ToView(flat->status_message()).size() > kMessageBytesMax ||
      flat->status_code() <= 0 || flat->status_code() > kStatusCodeLast) {
    return absl::DataLossError(
        absl::StrCat("dead letter ", lsn, ": a field is out of range"));
  }
  DeadLetter letter;
  letter.lsn = lsn;
  letter.timestamp_us = flat->timestamp_us();
  letter.id = std::string(id);
  if (components != 0) {
    letter.vector.assign(flat->vector()->begin(), flat->vector()->end());
  }
  letter.payload = std::string(ToView(flat->payload()));
  letter.status =
      absl::Status(static_cast<absl::StatusCode>(flat->status_code()),
                   ToView(flat->status_message()));
  return letter;
}

}  // namespace engram::schema

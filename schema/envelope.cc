#include "schema/envelope.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/crc32c.h"

namespace engram::schema {
namespace {

struct Envelope {
  uint32_t kind;
  uint32_t crc;
  uint64_t space_id;
  uint64_t generation;
};
static_assert(sizeof(Envelope) == kEnvelopeBytes);
constexpr size_t kEnvelopeCrcStart = offsetof(Envelope, space_id);

Envelope LoadEnvelope(absl::string_view value) {
  Envelope envelope;
  std::memcpy(&envelope, value.data(), sizeof(envelope));
  return envelope;
}

}  // namespace

std::string WrapValue(const ValuePlace& place, const uint8_t* flatbuffer,
                      size_t bytes) {
  Envelope envelope{static_cast<uint32_t>(place.kind), 0, place.space_id,
                    place.generation};
  std::string value;
  value.reserve(kEnvelopeBytes + bytes);
  value.append(reinterpret_cast<const char*>(&envelope), kEnvelopeBytes);
  value.append(reinterpret_cast<const char*>(flatbuffer), bytes);
  envelope.crc = Crc32c(value.data() + kEnvelopeCrcStart,
                        value.size() - kEnvelopeCrcStart);
  std::memcpy(value.data(), &envelope, kEnvelopeBytes);
  return value;
}

uint32_t EnvelopeCrc(absl::string_view value) {
  ENGRAM_CHECK(value.size() >= kEnvelopeBytes);
  return LoadEnvelope(value).crc;
}

UnwrappedValue::UnwrappedValue(absl::string_view flatbuffer,
                               uint64_t generation)
    : words_(std::make_unique_for_overwrite<uint64_t[]>(
          (flatbuffer.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t))),
      size_(flatbuffer.size()),
      generation_(generation) {
  if (size_ != 0) std::memcpy(words_.get(), flatbuffer.data(), size_);
}

absl::StatusOr<UnwrappedValue> UnwrapValue(const ValuePlace& place,
                                           absl::string_view value,
                                           size_t bytes_max) {
  if (value.size() <= kEnvelopeBytes || value.size() > bytes_max) {
    return absl::DataLossError(
        absl::StrCat("value of ", value.size(), " bytes; allowed are ",
                     kEnvelopeBytes + 1, " to ", bytes_max));
  }
  const Envelope envelope = LoadEnvelope(value);
  if (envelope.crc != Crc32c(value.data() + kEnvelopeCrcStart,
                             value.size() - kEnvelopeCrcStart)) {
    return absl::DataLossError("value: checksum mismatch");
  }
  if (envelope.kind != static_cast<uint32_t>(place.kind)) {
    return absl::DataLossError(
        absl::StrCat("value of kind ", absl::Hex(envelope.kind), ", expected ",
                     absl::Hex(static_cast<uint32_t>(place.kind))));
  }
  if (envelope.space_id != place.space_id) {
    return absl::DataLossError(absl::StrCat(
        "value of space ", envelope.space_id, ", expected ", place.space_id));
  }
  if (place.generation != kAnyGeneration &&
      envelope.generation != place.generation) {
    return absl::DataLossError(absl::StrCat("value of generation ",
                                            envelope.generation, ", expected ",
                                            place.generation));
  }
  return UnwrappedValue(value.substr(kEnvelopeBytes), envelope.generation);
}

}  // namespace engram::schema

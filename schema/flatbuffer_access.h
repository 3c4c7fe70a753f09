// Helpers that the codecs of this folder share. Not for other folders.

#ifndef ENGRAM_SCHEMA_FLATBUFFER_ACCESS_H_
#define ENGRAM_SCHEMA_FLATBUFFER_ACCESS_H_

#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flatbuffers/flatbuffers.h"
#include "schema/checkpoint_generated.h"
#include "schema/envelope.h"
#include "schema/space_codec.h"

namespace engram::schema {

// No value of ours nests deeper or has more tables.
inline constexpr flatbuffers::uoffset_t kVerifierDepthMax = 8;
inline constexpr flatbuffers::uoffset_t kVerifierTablesMax = 16;

// The root of `bytes` if the verifier accepts them, else null.
template <typename Table>
const Table* VerifiedRoot(const uint8_t* data, size_t bytes) {
  flatbuffers::Verifier verifier(data, bytes, kVerifierDepthMax,
                                 kVerifierTablesMax);
  if (!verifier.VerifyBuffer<Table>(nullptr)) return nullptr;
  return flatbuffers::GetRoot<Table>(data);
}

template <typename Table>
const Table* VerifiedRoot(const UnwrappedValue& value) {
  return VerifiedRoot<Table>(value.data(), value.size());
}

// Whether the elements of a vector that the verifier has accepted, or of none,
// are aligned: this version of the verifier looks only at its length.
template <typename Vector>
bool IsAligned(const Vector* vector, size_t alignment) {
  return vector == nullptr || vector->size() == 0 ||
         reinterpret_cast<uintptr_t>(vector->Data()) % alignment == 0;
}

inline absl::string_view ToView(const flatbuffers::String* text) {
  return text == nullptr ? absl::string_view()
                         : absl::string_view(text->c_str(), text->size());
}

inline absl::string_view ToView(const flatbuffers::Vector<uint8_t>* bytes) {
  return bytes == nullptr
             ? absl::string_view()
             : absl::string_view(reinterpret_cast<const char*>(bytes->data()),
                                 bytes->size());
}

inline std::string Wrap(const ValuePlace& place,
                        const flatbuffers::FlatBufferBuilder& builder) {
  return WrapValue(place, builder.GetBufferPointer(), builder.GetSize());
}

inline flatbuffers::Offset<flatbuffers::Vector<uint8_t>> CreateBytes(
    absl::string_view bytes, flatbuffers::FlatBufferBuilder* builder) {
  return builder->CreateVector(reinterpret_cast<const uint8_t*>(bytes.data()),
                               bytes.size());
}

flatbuffers::Offset<fb::SpaceDescription> CreateDescription(
    const SpaceDescription& space, flatbuffers::FlatBufferBuilder* builder);

// Copies and checks a description that the verifier has accepted; null is
// refused. DATA_LOSS if it is out of range.
absl::StatusOr<SpaceDescription> ReadDescription(
    const fb::SpaceDescription* flat);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_FLATBUFFER_ACCESS_H_

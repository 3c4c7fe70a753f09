// What stands around every value that Engram stores in RocksDB: a checksum,
// and what the value is, so that a misplaced one is not taken for another.
//
//   value := kind: u32   crc: u32 (crc32c of all that follows)
//            space_id: u64   generation: u64   flatbuffer

#ifndef ENGRAM_SCHEMA_ENVELOPE_H_
#define ENGRAM_SCHEMA_ENVELOPE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace engram::schema {

enum class ValueKind : uint32_t {
  kCatalog = 0x31544143,       // "CAT1"
  kCatalogEntry = 0x31435053,  // "SPC1"
  kProducer = 0x31445250,      // "PRD1"
  kHead = 0x31444548,          // "HED1"
  kVectorPart = 0x31434556,    // "VEC1"
  kLinkPart = 0x314b4e4c,      // "LNK1"
  kRecord = 0x31434552,        // "REC1"
  kDeadLetter = 0x31444544,    // "DED1"
};

// Where a value belongs; checked when it is read.
struct ValuePlace {
  ValueKind kind = ValueKind::kRecord;
  uint64_t space_id = 0;  // or the producer's number
  uint64_t generation = 0;
};

inline constexpr size_t kEnvelopeBytes = 24;

std::string WrapValue(const ValuePlace& place, const uint8_t* flatbuffer,
                      size_t bytes);

// The crc of a wrapped value, which a head repeats. The value has at least
// kEnvelopeBytes.
uint32_t EnvelopeCrc(absl::string_view value);

// A flatbuffer whose envelope was right, copied to aligned memory.
class UnwrappedValue {
 public:
  UnwrappedValue() = default;  // of no bytes
  UnwrappedValue(absl::string_view flatbuffer, uint64_t generation);

  // Stays where it is when the object moves.
  const uint8_t* data() const {
    return reinterpret_cast<const uint8_t*>(words_.get());
  }
  size_t size() const { return size_; }
  uint64_t generation() const { return generation_; }

 private:
  std::unique_ptr<uint64_t[]> words_;
  size_t size_ = 0;
  uint64_t generation_ = 0;
};

// Checks the envelope and its crc. DATA_LOSS says what is wrong: also a value
// larger than `bytes_max`, or one of another place. place.generation may be
// kAnyGeneration.
inline constexpr uint64_t kAnyGeneration = ~uint64_t{0};
absl::StatusOr<UnwrappedValue> UnwrapValue(const ValuePlace& place,
                                           absl::string_view value,
                                           size_t bytes_max);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_ENVELOPE_H_

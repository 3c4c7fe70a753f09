// LEB128 numbers, as link parts hold them. Not for other folders.

#ifndef ENGRAM_SCHEMA_VARINT_H_
#define ENGRAM_SCHEMA_VARINT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace engram::schema {

inline void PutVarint(uint32_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Reads varints and bytes; every read fails once one has failed.
class VarintReader {
 public:
  VarintReader() = default;
  explicit VarintReader(absl::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return bytes_.empty(); }

  // What is not read yet.
  absl::string_view rest() const { return bytes_; }

  uint8_t Byte() {
    if (bytes_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  uint32_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) {
        if (value > UINT32_MAX) ok_ = false;
        return static_cast<uint32_t>(value);
      }
    }
    ok_ = false;
    return 0;
  }

 private:
  absl::string_view bytes_;
  bool ok_ = true;
};

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_VARINT_H_

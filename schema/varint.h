// LEB128 numbers, as link parts hold them. Not for other folders.

#ifndef ENGRAM_SCHEMA_VARINT_H_
#define ENGRAM_SCHEMA_VARINT_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "absl/strings/string_view.h"

namespace engram::schema {

inline constexpr size_t kVarintBytesMax = 5;

// To where there is room for kVarintBytesMax. Returns the end.
inline char* WriteVarint(uint32_t value, char* out) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
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

  // Passes over `count` varints, whatever they say, also ones that are too
  // long.
  void SkipVarints(size_t count) {
    // Eight bytes end as many varints as have no highest bit.
    uint64_t word = 0;
    while (count >= sizeof(word) && bytes_.size() >= sizeof(word)) {
      std::memcpy(&word, bytes_.data(), sizeof(word));
      bytes_.remove_prefix(sizeof(word));
      count -= static_cast<size_t>(std::popcount(~word & 0x8080808080808080u));
    }
    while (count > 0 && ok_) count -= (Byte() & 0x80) == 0;
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

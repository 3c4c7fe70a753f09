// CRC-32C (Castagnoli), the checksum of RFC 3720, in hardware where the
// processor has SSE4.2. Abseil 20220623 ships none, RocksDB's is not exported.

#ifndef ENGRAM_STORAGE_BASE_CRC32C_H_
#define ENGRAM_STORAGE_BASE_CRC32C_H_

#include <cstddef>
#include <cstdint>

namespace engram {

// Returns the CRC of the concatenation of a string whose CRC is `crc` and of
// data[0, bytes). The CRC of the empty string is 0.
uint32_t ExtendCrc32c(uint32_t crc, const void* data, size_t bytes);

inline uint32_t Crc32c(const void* data, size_t bytes) {
  return ExtendCrc32c(0, data, bytes);
}

// Returns the CRC of the concatenation of two strings, of which the second has
// `second_bytes`, from theirs: tens of nanoseconds whatever the length.
uint32_t ConcatCrc32c(uint32_t first_crc, uint32_t second_crc,
                      size_t second_bytes);

namespace internal {

// The versions for processors without SSE4.2 or PCLMUL, and for the tests that
// compare them.
uint32_t ExtendCrc32cGeneric(uint32_t crc, const void* data, size_t bytes);
uint32_t ConcatCrc32cGeneric(uint32_t first_crc, uint32_t second_crc,
                             size_t second_bytes);

}  // namespace internal
}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_CRC32C_H_

// The ranges that a value in a file may have. The public headers state the
// same limits to the application; engine/db asserts that they agree.

#ifndef ENGRAM_SCHEMA_LIMITS_H_
#define ENGRAM_SCHEMA_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace engram::schema {

inline constexpr size_t kIdBytesMax = 512;
inline constexpr size_t kPayloadBytesMax = size_t{1} << 20;
inline constexpr size_t kSpaceNameBytesMax = 128;
inline constexpr uint32_t kDimensionMax = 65535;
inline constexpr uint32_t kAnyDimension = 0;      // whatever a value says it is
inline constexpr double kSquaredNormMax = 1e30;   // of a vector
inline constexpr double kSquaredNormMin = 1e-30;  // of one for cosine
inline constexpr uint32_t kMMin = 2;
inline constexpr uint32_t kMMax = 128;
inline constexpr uint32_t kEfConstructionMax = 4096;
inline constexpr uint32_t kLayerMax = 31;
inline constexpr size_t kWriteBatchBytesMax = size_t{16} << 20;
// No number that counts up gets here; a larger one is not ours.
inline constexpr uint64_t kSpaceIdMax = uint64_t{1} << 62;
inline constexpr uint64_t kSegmentBytesMin = uint64_t{256} << 10;
inline constexpr uint64_t kSegmentBytesMax = uint64_t{1} << 30;

// Of a RocksDB value that holds a part of a space. A head may be larger: it
// lists the parts.
inline constexpr size_t kPartBytesMax = size_t{5} << 20;
inline constexpr size_t kHeadBytesMax = size_t{64} << 20;

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_LIMITS_H_

// How a space's graph compares vectors, as it stands in files. Numbers are
// never reused; 0 is what a field holds that an older version did not write.

#ifndef ENGRAM_SCHEMA_QUANTIZATION_H_
#define ENGRAM_SCHEMA_QUANTIZATION_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "schema/metric.h"

namespace engram::schema {

enum class Quantization : uint8_t {
  kAuto = 0,
  kNone = 1,
  kInt8 = 2,
  kInt4 = 3,
  kInt2 = 4,
};
inline constexpr uint8_t kQuantizationLast = 4;

// What memory keeps of a vector beside its codes.
enum class Stored : uint8_t {
  kF32 = 0,
  kNone = 1,
};
inline constexpr uint8_t kStoredLast = 1;

// What a space uses that asks for `requested`; never kAuto. A file holds what
// was asked for, so that what kAuto means can change: codes are made anew from
// the vectors when a space is loaded.
Quantization ResolveQuantization(Quantization requested, Metric metric,
                                 uint32_t dimension);

// "auto", "none", "int8", ...; "unknown" if out of range.
absl::string_view QuantizationName(Quantization quantization);
absl::string_view StoredName(Stored stored);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_QUANTIZATION_H_

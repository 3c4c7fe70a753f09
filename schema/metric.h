// The metrics of a space as they stand in files. Numbers are never reused.

#ifndef ENGRAM_SCHEMA_METRIC_H_
#define ENGRAM_SCHEMA_METRIC_H_

#include <cstdint>

namespace engram::schema {

enum class Metric : uint8_t {
  kL2 = 0,            // squared Euclidean
  kCosine = 1,        // 1 - cos
  kInnerProduct = 2,  // -<a, b>
};
inline constexpr uint8_t kMetricLast = 2;

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_METRIC_H_

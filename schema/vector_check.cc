#include "schema/vector_check.h"

#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "schema/limits.h"

namespace engram::schema {
namespace {

std::string Who(const SpaceDescription& space) {
  return absl::StrCat("space \"", space.name, "\": ");
}

// Several sums, so that none waits for the one before it: .15 us for 768
// components, and 1 us in one sum.
double SquaredNorm(absl::Span<const float> vector) {
  constexpr size_t kSums = 8;
  double sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= vector.size(); i += kSums) {
    for (size_t k = 0; k < kSums; ++k) {
      const double component = vector[i + k];
      sums[k] += component * component;
    }
  }
  double total = 0;
  for (; i < vector.size(); ++i) {
    total += static_cast<double>(vector[i]) * vector[i];
  }
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace

absl::Status CheckVector(const SpaceDescription& space,
                         absl::Span<const float> vector) {
  if (vector.size() != space.dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat(Who(space), "vector has ", vector.size(),
                     " components, dimension is ", space.dimension));
  }
  const double squared_norm = SquaredNorm(vector);
  // The sum of squares is finite exactly if every component is: a double holds
  // the square of any float.
  if (!std::isfinite(squared_norm)) {
    for (size_t i = 0; i < vector.size(); ++i) {
      if (!std::isfinite(vector[i])) {
        return absl::InvalidArgumentError(absl::StrCat(
            Who(space), "component ", i, " of the vector is ", vector[i]));
      }
    }
  }
  if (squared_norm > kSquaredNormMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(Who(space), "squared norm of the vector is ", squared_norm,
                     ", allowed are up to ", kSquaredNormMax));
  }
  if (space.metric == Metric::kCosine && squared_norm < kSquaredNormMin) {
    return absl::InvalidArgumentError(
        absl::StrCat(Who(space), "squared norm of the vector is ", squared_norm,
                     ", for cosine it must be at least ", kSquaredNormMin));
  }
  return absl::OkStatus();
}

absl::Status CheckId(const SpaceDescription& space, absl::string_view id) {
  if (id.empty() || id.size() > kIdBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(Who(space), "id has ", id.size(),
                     " bytes, allowed are 1 to ", kIdBytesMax));
  }
  return absl::OkStatus();
}

}  // namespace engram::schema

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

}  // namespace

absl::Status CheckVector(const SpaceDescription& space,
                         absl::Span<const float> vector) {
  if (vector.size() != space.dimension) {
    return absl::InvalidArgumentError(
        absl::StrCat(Who(space), "vector has ", vector.size(),
                     " components, dimension is ", space.dimension));
  }
  double squared_norm = 0;
  for (const float component : vector) {
    squared_norm += static_cast<double>(component) * component;
  }
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

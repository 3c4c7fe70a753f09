#include "tools/bench/index_options.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace engram::bench {

bool IndexOptions::Measures(absl::string_view measurement) const {
  return std::find(measurements.begin(), measurements.end(), measurement) !=
         measurements.end();
}

absl::Status CheckTogether(const IndexOptions& options) {
  const IndexParameters& parameters = options.parameters;
  if (parameters.ef_construction < parameters.M) {
    return absl::InvalidArgumentError(
        absl::StrCat("--ef-construction ", parameters.ef_construction,
                     " is less than --m ", parameters.M));
  }
  if (parameters.stored == Stored::kNone &&
      parameters.quantization == Quantization::kNone) {
    return absl::InvalidArgumentError(
        "--stored none needs codes: not with --quantization none");
  }
  if (!options.plot.empty() && !options.Measures(kSearch)) {
    return absl::InvalidArgumentError("--plot needs --measure search");
  }
  return absl::OkStatus();
}

}  // namespace engram::bench

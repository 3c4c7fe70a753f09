#include "tools/ctl/nearest_name.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "storage/base/check.h"

namespace engram::ctl {
namespace {

// Levenshtein's distance, row by row of its table.
size_t EditDistance(absl::string_view from, absl::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string NearestName(absl::string_view word,
                        const std::vector<std::string>& names) {
  ENGRAM_CHECK(!names.empty());
  return *std::min_element(names.begin(), names.end(),
                           [word](const std::string& a, const std::string& b) {
                             return EditDistance(word, a) <
                                    EditDistance(word, b);
                           });
}

}  // namespace engram::ctl

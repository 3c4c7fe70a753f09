// The name that was probably meant.

#ifndef ENGRAM_TOOLS_CTL_NEAREST_NAME_H_
#define ENGRAM_TOOLS_CTL_NEAREST_NAME_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace engram::ctl {

// Returns the one of `names`, which are not empty, that the fewest insertions,
// deletions and replacements of a character turn `word` into.
std::string NearestName(absl::string_view word,
                        const std::vector<std::string>& names);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_NEAREST_NAME_H_

// The words that the demo observes, with their vectors.

#ifndef ENGRAM_TOOLS_DEMO_WORDS_H_
#define ENGRAM_TOOLS_DEMO_WORDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace engram::demo {

struct Words {
  std::vector<std::string> names;           // all different
  std::vector<std::vector<float>> vectors;  // of the same order

  size_t count() const { return names.size(); }
  uint32_t dimension() const {
    return static_cast<uint32_t>(vectors[0].size());
  }
};

// Reads words.txt and words.fvecs in `folder`. INVALID_ARGUMENT unless both
// hold the same number of words, more than none.
absl::StatusOr<Words> LoadWords(const std::string& folder);

// The place of `name`. NOT_FOUND.
absl::StatusOr<size_t> FindWord(const Words& words, absl::string_view name);

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_WORDS_H_

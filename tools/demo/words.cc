#include "tools/demo/words.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/vectors/vector_reader.h"

namespace engram::demo {

absl::StatusOr<Words> LoadWords(const std::string& folder) {
  Words words;
  const std::string names_path = absl::StrCat(folder, "/words.txt");
  std::ifstream names(names_path);
  std::string name;
  while (std::getline(names, name)) words.names.push_back(name);
  if (!names.eof() || words.names.empty()) {
    return absl::NotFoundError(absl::StrCat(names_path, ": holds no words"));
  }
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<VectorReader> reader,
      VectorReader::Open(absl::StrCat(folder, "/words.fvecs")));
  std::vector<float> vector;
  while (true) {
    ENGRAM_ASSIGN_OR_RETURN(const bool more, reader->Next(&vector));
    if (!more) break;
    words.vectors.push_back(vector);
  }
  if (words.vectors.size() != words.names.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": holds ", words.names.size(), " words and ",
                     words.vectors.size(), " vectors"));
  }
  return words;
}

absl::StatusOr<size_t> FindWord(const Words& words, absl::string_view name) {
  const auto it = std::find(words.names.begin(), words.names.end(), name);
  if (it == words.names.end()) {
    return absl::NotFoundError(absl::StrCat("no vector of \"", name, "\""));
  }
  return static_cast<size_t>(it - words.names.begin());
}

}  // namespace engram::demo

// .ivecs files as integers: the true neighbors that come with a data set are
// row numbers, and those above 2^24 are no floats.

#ifndef ENGRAM_TOOLS_VECTORS_IVECS_READER_H_
#define ENGRAM_TOOLS_VECTORS_IVECS_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/vectors/texmex_file.h"

namespace engram {

// Move-only. Not thread-safe.
class IvecsReader {
 public:
  // Errors as for VectorReader::Open(); the name may end in anything.
  static absl::StatusOr<IvecsReader> Open(const std::string& path);

  uint32_t dimension() const { return file_.dimension(); }
  uint64_t count() const { return file_.count(); }

  // Reads the next row; false after the last.
  absl::StatusOr<bool> Next(std::vector<int32_t>* row);

 private:
  explicit IvecsReader(TexmexFile file);

  TexmexFile file_;
};

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_IVECS_READER_H_

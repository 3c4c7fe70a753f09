// The records of a TEXMEX file (http://corpus-texmex.irisa.fr/):
//
//   file   := record*, all of one dimension
//   record := dimension: int32 LE, 1 .. kVectorFileDimensionMax
//             components: dimension of float32, uint8 or int32, LE

#ifndef ENGRAM_TOOLS_VECTORS_TEXMEX_FILE_H_
#define ENGRAM_TOOLS_VECTORS_TEXMEX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/vectors/input_file.h"

namespace engram {

// Move-only. Not thread-safe.
class TexmexFile {
 public:
  // Takes the dimension from the first record and checks that the file is a
  // whole number of records.
  //   DATA_LOSS         the file ends inside a record, or is empty
  //   INVALID_ARGUMENT  the dimension is out of range
  static absl::StatusOr<TexmexFile> Open(const std::string& path,
                                         size_t component_bytes);

  const std::string& path() const { return file_.path(); }
  uint32_t dimension() const { return dimension_; }
  uint64_t count() const { return count_; }

  // Records read so far.
  uint64_t records_read() const { return records_read_; }

  // Reads the components of the next record; false after the last.
  // `components` is dimension() * component_bytes long. INVALID_ARGUMENT if
  // the record has another dimension than the first.
  absl::StatusOr<bool> Next(absl::Span<char> components);

 private:
  TexmexFile(InputFile file, uint32_t dimension, uint64_t count);

  InputFile file_;
  uint32_t dimension_;
  uint64_t count_;
  uint64_t records_read_ = 0;
};

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_TEXMEX_FILE_H_

// TEXMEX files as vectors of floats.

#ifndef ENGRAM_TOOLS_VECTORS_TEXMEX_READER_H_
#define ENGRAM_TOOLS_VECTORS_TEXMEX_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/vectors/vector_reader.h"

namespace engram {

enum class TexmexComponent {
  kFloat32,  // .fvecs
  kUint8,    // .bvecs
  kInt32,    // .ivecs
};

// See VectorReader::Open(). An int32 that is no float (above 2^24) is an error
// of Next(): reading it as its neighbor would be silent.
absl::StatusOr<std::unique_ptr<VectorReader>> OpenTexmexReader(
    const std::string& path, TexmexComponent component);

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_TEXMEX_READER_H_

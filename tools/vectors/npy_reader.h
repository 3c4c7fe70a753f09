// NumPy files as vectors of floats.

#ifndef ENGRAM_TOOLS_VECTORS_NPY_READER_H_
#define ENGRAM_TOOLS_VECTORS_NPY_READER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/vectors/vector_reader.h"

namespace engram {

// Longest text of a header that is read. NumPy's own limit is 10,000.
inline constexpr uint32_t kNpyHeaderBytesMax = 65536;

// See VectorReader::Open(). The file must be exactly as long as its shape
// says; shape (0, n) is a file of no vectors.
absl::StatusOr<std::unique_ptr<VectorReader>> OpenNpyReader(
    const std::string& path);

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_NPY_READER_H_

// Vectors from the files in which data sets are published.
//
//   .fvecs .bvecs .ivecs  TEXMEX: each vector is its dimension (int32 LE), then
//                         its components (float32, uint8 or int32, LE)
//   .npy                  NumPy, versions 1 to 3: two-dimensional, C order, of
//                         <f2, <f4 or u1
//
//   auto reader = VectorReader::Open("sift_base.fvecs");
//   if (!reader.ok()) return reader.status();
//   std::vector<float> vector;
//   while (true) {
//     absl::StatusOr<bool> more = (*reader)->Next(&vector);
//     if (!more.ok()) return more.status();
//     if (!*more) break;
//   }

#ifndef ENGRAM_TOOLS_VECTORS_VECTOR_READER_H_
#define ENGRAM_TOOLS_VECTORS_VECTOR_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace engram {

// The largest dimension that is read: what a space can hold.
inline constexpr uint32_t kVectorFileDimensionMax = 65535;

// True where the end of `path` is that of a file which VectorReader reads.
bool IsVectorFileName(absl::string_view path);

// Not thread-safe. Holds one vector and a buffer of constant size in memory,
// whatever the file claims to hold.
class VectorReader {
 public:
  // Opens `path`; the format follows from the end of the name.
  //   INVALID_ARGUMENT  an unknown ending, not a regular file, a dimension out
  //                     of 1..kVectorFileDimensionMax, or a header that is
  //                     malformed or says what is not supported
  //   DATA_LOSS         the file is shorter than it says it is
  // and what the system says, as NOT_FOUND. All messages name the file.
  static absl::StatusOr<std::unique_ptr<VectorReader>> Open(
      const std::string& path);

  virtual ~VectorReader() = default;

  // Number of components of every vector of the file.
  virtual uint32_t dimension() const = 0;

  // Number of vectors of the file.
  virtual uint64_t count() const = 0;

  // Reads the next vector; false, and `vector` as it was, after the last.
  // Components may be infinite or NaN if the file says so.
  //   INVALID_ARGUMENT  a vector of another dimension, or (.ivecs) a component
  //                     that is no float
  //   DATA_LOSS         the file was cut while it was read
  virtual absl::StatusOr<bool> Next(std::vector<float>* vector) = 0;
};

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_VECTOR_READER_H_

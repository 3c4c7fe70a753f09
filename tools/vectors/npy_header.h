// The header of a NumPy file (numpy/lib/format.py):
//
//   file   := magic: "\x93NUMPY"   major: u8   minor: u8
//             length: u16 LE in version 1, u32 LE in versions 2 and 3
//             text: length bytes, a Python dictionary, as in
//                   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }
//             values

#ifndef ENGRAM_TOOLS_VECTORS_NPY_HEADER_H_
#define ENGRAM_TOOLS_VECTORS_NPY_HEADER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace engram {

// What the dictionary says; nothing of it is checked against the file.
struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
};

// Numbers of dimensions that are read; more are not supported anyway.
inline constexpr size_t kNpyShapeLengthMax = 32;

// Parses the dictionary. INVALID_ARGUMENT says what was expected at which byte
// of `text`; each of the three keys must be there once, and no other.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text);

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_NPY_HEADER_H_

#include "tools/vectors/vector_reader.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/vectors/npy_reader.h"
#include "tools/vectors/texmex_reader.h"

namespace engram {

bool IsVectorFileName(absl::string_view path) {
  return absl::EndsWith(path, ".fvecs") || absl::EndsWith(path, ".bvecs") ||
         absl::EndsWith(path, ".ivecs") || absl::EndsWith(path, ".npy");
}

absl::StatusOr<std::unique_ptr<VectorReader>> VectorReader::Open(
    const std::string& path) {
  if (absl::EndsWith(path, ".npy")) return OpenNpyReader(path);
  if (absl::EndsWith(path, ".fvecs")) {
    return OpenTexmexReader(path, TexmexComponent::kFloat32);
  }
  if (absl::EndsWith(path, ".bvecs")) {
    return OpenTexmexReader(path, TexmexComponent::kUint8);
  }
  if (absl::EndsWith(path, ".ivecs")) {
    return OpenTexmexReader(path, TexmexComponent::kInt32);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": unknown kind of file; known are .fvecs, .bvecs, .ivecs, .npy"));
}

}  // namespace engram

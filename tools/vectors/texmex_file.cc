#include "tools/vectors/texmex_file.h"

#include <bit>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "tools/vectors/vector_reader.h"

namespace engram {
namespace {

// Dimensions and components are copied from the file as they stand there.
static_assert(std::endian::native == std::endian::little);

constexpr size_t kDimensionBytes = sizeof(int32_t);

absl::StatusOr<int32_t> ReadDimension(InputFile& file) {
  int32_t dimension = 0;
  ENGRAM_RETURN_IF_ERROR(file.Read(
      absl::MakeSpan(reinterpret_cast<char*>(&dimension), kDimensionBytes)));
  return dimension;
}

}  // namespace

absl::StatusOr<TexmexFile> TexmexFile::Open(const std::string& path,
                                            size_t component_bytes) {
  ENGRAM_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  if (file.size() < kDimensionBytes) {
    return absl::DataLossError(absl::StrCat(
        path, ": truncated: ", file.size(), " bytes, expected at least the ",
        kDimensionBytes, " of a dimension"));
  }
  ENGRAM_ASSIGN_OR_RETURN(const int32_t dimension, ReadDimension(file));
  if (dimension < 1 ||
      dimension > static_cast<int32_t>(kVectorFileDimensionMax)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": dimension is ",
                                                   dimension, ", must be 1..",
                                                   kVectorFileDimensionMax));
  }
  const uint64_t record_bytes =
      kDimensionBytes + static_cast<uint64_t>(dimension) * component_bytes;
  if (file.size() % record_bytes != 0) {
    return absl::DataLossError(absl::StrCat(
        path, ": truncated: ", file.size(), " bytes, expected multiple of ",
        record_bytes, " (dimension ", dimension, ")"));
  }
  const uint64_t count = file.size() / record_bytes;
  return TexmexFile(std::move(file), static_cast<uint32_t>(dimension), count);
}

TexmexFile::TexmexFile(InputFile file, uint32_t dimension, uint64_t count)
    : file_(std::move(file)), dimension_(dimension), count_(count) {}

absl::StatusOr<bool> TexmexFile::Next(absl::Span<char> components) {
  ENGRAM_DCHECK(components.size() % dimension_ == 0);
  if (records_read_ == count_) return false;
  if (records_read_ > 0) {  // Open() has read the dimension of the first
    ENGRAM_ASSIGN_OR_RETURN(const int32_t dimension, ReadDimension(file_));
    if (static_cast<int64_t>(dimension) != int64_t{dimension_}) {
      return absl::InvalidArgumentError(
          absl::StrCat(path(), ": vector ", records_read_, " has dimension ",
                       dimension, ", vector 0 has ", dimension_));
    }
  }
  ENGRAM_RETURN_IF_ERROR(file_.Read(components));
  ++records_read_;
  return true;
}

}  // namespace engram

#include "tools/vectors/npy_reader.h"

#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "storage/base/status_macros.h"
#include "tools/vectors/float16.h"
#include "tools/vectors/input_file.h"
#include "tools/vectors/npy_header.h"

namespace engram {
namespace {

// Values are copied from the file as they stand there.
static_assert(std::endian::native == std::endian::little);

constexpr absl::string_view kMagic("\x93NUMPY", 6);

float ToFloat(float value) { return value; }
float ToFloat(uint16_t half) { return Float16ToFloat32(half); }
float ToFloat(uint8_t value) { return value; }

template <typename Stored>
class NpyReader : public VectorReader {
 public:
  NpyReader(InputFile file, uint32_t dimension, uint64_t count)
      : file_(std::move(file)), row_(dimension), count_(count) {}

  uint32_t dimension() const override {
    return static_cast<uint32_t>(row_.size());
  }
  uint64_t count() const override { return count_; }

  absl::StatusOr<bool> Next(std::vector<float>* vector) override {
    if (rows_read_ == count_) return false;
    ENGRAM_RETURN_IF_ERROR(file_.Read(absl::MakeSpan(
        reinterpret_cast<char*>(row_.data()), row_.size() * sizeof(Stored))));
    vector->resize(row_.size());
    for (size_t i = 0; i < row_.size(); ++i) (*vector)[i] = ToFloat(row_[i]);
    ++rows_read_;
    return true;
  }

 private:
  InputFile file_;
  std::vector<Stored> row_;
  uint64_t count_;
  uint64_t rows_read_ = 0;
};

absl::Status Invalid(const InputFile& file, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file.path(), ": ", what));
}

// Reads `bytes` of the header, of which the file may be short.
absl::Status ReadHeaderBytes(InputFile& file, uint32_t bytes,
                             std::string* out) {
  if (bytes > file.size() - file.offset()) {
    return absl::DataLossError(absl::StrCat(
        file.path(), ": truncated: ", file.size(), " bytes, expected at least ",
        file.offset() + bytes, " of the header"));
  }
  out->resize(bytes);
  return file.Read(absl::MakeSpan(out->data(), out->size()));
}

uint32_t DecodeLittleEndian(absl::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<uint8_t>(bytes[i]);
  }
  return value;
}

absl::StatusOr<NpyHeader> ReadHeader(InputFile& file) {
  std::string bytes;
  ENGRAM_RETURN_IF_ERROR(ReadHeaderBytes(file, kMagic.size() + 2, &bytes));
  if (absl::string_view(bytes).substr(0, kMagic.size()) != kMagic) {
    return Invalid(file, "no NumPy file: does not begin with \\x93NUMPY");
  }
  const int major = static_cast<uint8_t>(bytes[kMagic.size()]);
  if (major < 1 || major > 3) {
    return Invalid(file, absl::StrCat("NumPy format version is ", major,
                                      ", known are 1 to 3"));
  }
  ENGRAM_RETURN_IF_ERROR(ReadHeaderBytes(file, major == 1 ? 2 : 4, &bytes));
  const uint32_t length = DecodeLittleEndian(bytes);
  if (length > kNpyHeaderBytesMax) {
    return Invalid(file, absl::StrCat("header of ", length, " bytes, limit is ",
                                      kNpyHeaderBytesMax));
  }
  ENGRAM_RETURN_IF_ERROR(ReadHeaderBytes(file, length, &bytes));
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(bytes);
  if (!header.ok()) return Invalid(file, header.status().message());
  return header;
}

absl::Status CheckShape(const InputFile& file, const NpyHeader& header) {
  const std::string shape =
      absl::StrCat("(", absl::StrJoin(header.shape, ", "), ")");
  if (header.shape.size() != 2) {
    return Invalid(
        file, absl::StrCat("shape is ", shape, ", must have two dimensions"));
  }
  if (header.fortran_order) {
    return Invalid(file, "fortran_order is True, must be False");
  }
  if (header.shape[1] < 1 || header.shape[1] > kVectorFileDimensionMax) {
    return Invalid(file,
                   absl::StrCat("shape is ", shape, ", vectors must have 1..",
                                kVectorFileDimensionMax, " components"));
  }
  return absl::OkStatus();
}

template <typename Stored>
absl::StatusOr<std::unique_ptr<VectorReader>> OpenAs(InputFile file,
                                                     const NpyHeader& header) {
  const uint64_t count = header.shape[0];
  const uint64_t row_bytes = header.shape[1] * sizeof(Stored);
  const uint64_t value_bytes = file.size() - file.offset();
  // Compared by division: the product may not fit.
  if (value_bytes / row_bytes < count) {
    return absl::DataLossError(absl::StrCat(
        file.path(), ": truncated: ", value_bytes,
        " bytes of values, expected ", count, " rows of ", row_bytes));
  }
  if (value_bytes != count * row_bytes) {
    return Invalid(
        file, absl::StrCat(value_bytes, " bytes of values, expected",
                           " no more than ", count, " rows of ", row_bytes));
  }
  return std::make_unique<NpyReader<Stored>>(
      std::move(file), static_cast<uint32_t>(header.shape[1]), count);
}

}  // namespace

absl::StatusOr<std::unique_ptr<VectorReader>> OpenNpyReader(
    const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
  ENGRAM_ASSIGN_OR_RETURN(const NpyHeader header, ReadHeader(file));
  ENGRAM_RETURN_IF_ERROR(CheckShape(file, header));
  const std::string& descr = header.descr;
  if (descr == "<f4") return OpenAs<float>(std::move(file), header);
  if (descr == "<f2") return OpenAs<uint16_t>(std::move(file), header);
  if (descr == "|u1" || descr == "<u1" || descr == "u1") {
    return OpenAs<uint8_t>(std::move(file), header);
  }
  return Invalid(file, absl::StrCat("descr is '", absl::CHexEscape(descr),
                                    "', supported are <f4, <f2, |u1"));
}

}  // namespace engram

#include "tools/vectors/ivecs_reader.h"

#include <utility>

#include "storage/base/status_macros.h"

namespace engram {

absl::StatusOr<IvecsReader> IvecsReader::Open(const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(TexmexFile file,
                          TexmexFile::Open(path, sizeof(int32_t)));
  return IvecsReader(std::move(file));
}

IvecsReader::IvecsReader(TexmexFile file) : file_(std::move(file)) {}

absl::StatusOr<bool> IvecsReader::Next(std::vector<int32_t>* row) {
  row->resize(dimension());
  return file_.Next(absl::MakeSpan(reinterpret_cast<char*>(row->data()),
                                   row->size() * sizeof(int32_t)));
}

}  // namespace engram

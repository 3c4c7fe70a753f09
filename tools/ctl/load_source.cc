#include "tools/ctl/load_source.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/ctl/exit_code.h"
#include "tools/ctl/line_reader.h"
#include "tools/vectors/vector_reader.h"

namespace engram::ctl {
namespace {

// A file that is damaged is bad input here: the exit code for damage is kept
// for the database.
absl::Status InputError(absl::Status status) {
  if (status.code() != absl::StatusCode::kDataLoss) return status;
  return WithExitCode(std::move(status), ExitCode::kFailed);
}

class VectorSource : public LoadSource {
 public:
  VectorSource(std::string path, std::string id_prefix,
               std::unique_ptr<VectorReader> reader)
      : path_(std::move(path)),
        id_prefix_(std::move(id_prefix)),
        reader_(std::move(reader)) {}

  uint32_t dimension() const override { return reader_->dimension(); }
  uint64_t count() const override { return reader_->count(); }

  absl::StatusOr<bool> Next(Record* record) override {
    absl::StatusOr<bool> more = reader_->Next(&record->vector);
    if (!more.ok()) return InputError(std::move(more).status());
    if (!*more) return false;
    record->id = absl::StrCat(id_prefix_, rows_read_++);
    return true;
  }

  std::string Place() const override {
    return absl::StrCat(path_, " row ", rows_read_ - 1);
  }

 private:
  const std::string path_;
  const std::string id_prefix_;
  const std::unique_ptr<VectorReader> reader_;
  uint64_t rows_read_ = 0;
};

class JsonlSource : public LoadSource {
 public:
  explicit JsonlSource(LineReader lines) : lines_(std::move(lines)) {}

  uint32_t dimension() const override { return 0; }
  uint64_t count() const override { return 0; }

  absl::StatusOr<bool> Next(Record* record) override {
    absl::string_view line;
    do {
      absl::StatusOr<bool> more = lines_.Next(&line);
      if (!more.ok()) return AtLine(more.status());
      if (!*more) return false;
    } while (absl::StripAsciiWhitespace(line).empty());
    absl::StatusOr<Record> parsed = ParseRecord(line);
    if (!parsed.ok()) return AtLine(parsed.status());
    *record = std::move(parsed).value();
    return true;
  }

  std::string Place() const override {
    return absl::StrCat(lines_.path() == "-" ? "stdin" : lines_.path(),
                        " line ", lines_.line_number());
  }

 private:
  absl::Status AtLine(const absl::Status& status) const {
    return absl::Status(status.code(),
                        absl::StrCat(Place(), ": ", status.message()));
  }

  LineReader lines_;
};

}  // namespace

bool IsJsonlName(const std::string& path) {
  return path == "-" || absl::EndsWith(path, ".jsonl");
}

absl::StatusOr<std::unique_ptr<LoadSource>> LoadSource::Open(
    const std::string& path, const std::string& id_prefix) {
  if (IsJsonlName(path)) {
    ENGRAM_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
    return std::make_unique<JsonlSource>(std::move(lines));
  }
  if (!IsVectorFileName(path)) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": unknown kind of file; known are .fvecs, .bvecs, .ivecs, .npy",
        ", .jsonl and - for lines of JSON from stdin"));
  }
  absl::StatusOr<std::unique_ptr<VectorReader>> reader =
      VectorReader::Open(path);
  if (!reader.ok()) return InputError(std::move(reader).status());
  return std::make_unique<VectorSource>(path, id_prefix,
                                        std::move(reader).value());
}

}  // namespace engram::ctl

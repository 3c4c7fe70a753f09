#include "tools/bench/engram_subject.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace engram::bench {
namespace {

constexpr char kSpaceName[] = "bench";
constexpr size_t kBatchRecords = 256;
constexpr size_t kBatchBytes = size_t{1} << 20;
constexpr absl::Duration kPatience = absl::Hours(1);

}  // namespace

absl::StatusOr<std::unique_ptr<EngramSubject>> EngramSubject::Create(
    const std::string& path, const Dataset& dataset,
    const IndexParameters& parameters) {
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0) {
    return absl::AlreadyExistsError(absl::StrCat(
        path, ": exists; a measurement begins with an empty database"));
  }
  std::unique_ptr<EngramSubject> subject(
      new EngramSubject(path, dataset, parameters));
  ENGRAM_RETURN_IF_ERROR(subject->Open());
  return subject;
}

EngramSubject::EngramSubject(std::string path, const Dataset& dataset,
                             const IndexParameters& parameters)
    : path_(std::move(path)), parameters_(parameters) {
  space_options_.dimension = dataset.base.dimension();
  space_options_.metric = dataset.metric;
  space_options_.M = parameters.M;
  space_options_.ef_construction = parameters.ef_construction;
}

std::string EngramSubject::building() const {
  return absl::StrCat("durable: logged and synced in batches of up to ",
                      kBatchRecords, ", ", parameters_.threads, " workers");
}

absl::Status EngramSubject::Open() {
  Options options;
  options.workers = static_cast<int>(parameters_.threads);
  ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, options));
  ENGRAM_ASSIGN_OR_RETURN(space_, db_->OpenSpace(kSpaceName, space_options_));
  return absl::OkStatus();
}

absl::Status EngramSubject::Build(const Matrix& base) {
  WriteOptions options;
  options.admission_timeout = kPatience;
  WriteBatch batch;
  Lsn last = 0;
  for (size_t row = 0; row < base.count(); ++row) {
    batch.Observe(space_, {absl::StrCat(row), base.row(row), ""});
    if (batch.count() < kBatchRecords && batch.bytes() < kBatchBytes &&
        row + 1 < base.count()) {
      continue;
    }
    ENGRAM_ASSIGN_OR_RETURN(last, db_->Write(batch, options));
    batch.Clear();
  }
  return db_->Wait(last, Stage::kIndexed, kPatience);
}

absl::Status EngramSubject::Settle() { return db_->Checkpoint(); }

absl::Status EngramSubject::Search(absl::Span<const float> query, uint32_t ef,
                                   std::vector<Found>* found) {
  SearchOptions options;
  options.k = kNeighbors;
  options.ef_search = ef;
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                          space_.Search(query, options));
  found->clear();
  for (const Hit& hit : hits) {
    Found& next = found->emplace_back();
    if (!absl::SimpleAtoi(hit.id, &next.row)) {
      return absl::InternalError(absl::StrCat("found id \"", hit.id, "\""));
    }
    next.distance = hit.distance;
  }
  return absl::OkStatus();
}

absl::Status EngramSubject::Reopen() {
  space_ = Space();
  ENGRAM_RETURN_IF_ERROR(db_->Close());
  return Open();
}

}  // namespace engram::bench

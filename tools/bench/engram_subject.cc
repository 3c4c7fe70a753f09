#include "tools/bench/engram_subject.h"

#include <sys/stat.h>

#include <deque>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/patience.h"

namespace engram::bench {
namespace {

constexpr char kSpaceName[] = "bench";
constexpr size_t kBatchRecords = 256;
constexpr size_t kBatchBytes = size_t{1} << 20;
// Then the space's own limit of pending records is the only one.
constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

}  // namespace

absl::StatusOr<std::unique_ptr<EngramSubject>> EngramSubject::Create(
    const std::string& path, Folder folder, const IndexShape& shape,
    const IndexParameters& parameters) {
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0) {
    return absl::AlreadyExistsError(absl::StrCat(
        path, ": exists; a measurement begins with an empty database"));
  }
  std::unique_ptr<EngramSubject> subject(
      new EngramSubject(path, folder, shape, parameters));
  ENGRAM_RETURN_IF_ERROR(subject->Open());
  return subject;
}

EngramSubject::EngramSubject(std::string path, Folder folder,
                             const IndexShape& shape,
                             const IndexParameters& parameters)
    : path_(std::move(path)), folder_(folder), parameters_(parameters) {
  space_options_.dimension = shape.dimension;
  space_options_.metric = shape.metric;
  space_options_.M = parameters.M;
  space_options_.ef_construction = parameters.ef_construction;
  space_options_.quantization = parameters.quantization;
  space_options_.stored = parameters.stored;
}

EngramSubject::~EngramSubject() {
  if (folder_ == Folder::kKept) return;
  space_ = Space();
  db_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string EngramSubject::building() const {
  return absl::StrCat("durable: logged and synced in batches of up to ",
                      kBatchRecords, ", ", parameters_.threads,
                      parameters_.threads == 1 ? " worker" : " workers");
}

absl::Status EngramSubject::Open() {
  Options options;
  options.workers = static_cast<int>(parameters_.threads);
  ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, options));
  ENGRAM_ASSIGN_OR_RETURN(space_, db_->OpenSpace(kSpaceName, space_options_));
  // Its index comes into memory with the first use, which is not measured.
  return space_.ListIds().status();
}

absl::Status EngramSubject::WriteAll(
    size_t count, size_t batches,
    const std::function<void(size_t, WriteBatch*)>& add) {
  WriteOptions options;
  options.admission_timeout = kPatience;
  WriteBatch batch;
  std::deque<Lsn> pending;
  for (size_t i = 0; i < count; ++i) {
    add(i, &batch);
    if (batch.count() < kBatchRecords && batch.bytes() < kBatchBytes &&
        i + 1 < count) {
      continue;
    }
    if (pending.size() == batches) {
      ENGRAM_RETURN_IF_ERROR(
          space_.Wait(pending.front(), Stage::kIndexed, kPatience));
      pending.pop_front();
    }
    ENGRAM_ASSIGN_OR_RETURN(const Lsn lsn, db_->Write(batch, options));
    pending.push_back(lsn);
    batch.Clear();
  }
  if (pending.empty()) return absl::OkStatus();
  return db_->Wait(pending.back(), Stage::kIndexed, kPatience);
}

absl::Status EngramSubject::Insert(const Matrix& base,
                                   absl::Span<const Item> items) {
  return InsertPaced(base, items, kAnyNumber);
}

absl::Status EngramSubject::InsertPaced(const Matrix& base,
                                        absl::Span<const Item> items,
                                        size_t batches) {
  return WriteAll(items.size(), batches, [&](size_t i, WriteBatch* batch) {
    batch->Observe(space_,
                   {absl::StrCat(items[i].id), base.row(items[i].row), ""});
  });
}

absl::Status EngramSubject::Replace(const Matrix& base,
                                    absl::Span<const uint32_t> removed,
                                    absl::Span<const Item> inserted) {
  const auto add = [&](size_t i, WriteBatch* batch) {
    batch->Remove(space_, absl::StrCat(removed[i]));
    batch->Observe(
        space_, {absl::StrCat(inserted[i].id), base.row(inserted[i].row), ""});
  };
  return WriteAll(removed.size(), kAnyNumber, add);
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
    if (!absl::SimpleAtoi(hit.id, &next.id)) {
      return absl::InternalError(absl::StrCat("found id \"", hit.id, "\""));
    }
    next.distance = hit.distance;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> EngramSubject::CountUnreachable() {
  ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, Stats());
  return stats.unreachable_nodes;
}

absl::Status EngramSubject::Reopen() {
  space_ = Space();
  ENGRAM_RETURN_IF_ERROR(db_->Close());
  return Open();
}

}  // namespace engram::bench

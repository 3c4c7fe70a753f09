#include "tools/bench/ingest_spaces.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/patience.h"

namespace engram::bench {
namespace {

constexpr size_t kPreloadBatch = 128;

// Of a record besides its vector, more than enough.
constexpr uint64_t kRecordOverhead = 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<IngestSpaces>> IngestSpaces::Create(
    const std::string& path, int count, uint64_t pending_per_space,
    uint32_t dimension, const IngestOptions& options, NoisyRows* rows) {
  std::unique_ptr<IngestSpaces> spaces(new IngestSpaces(path));
  spaces->options_.durability = options.durability;
  spaces->options_.async_writes_max = 65536;
  Options& limits = spaces->options_;
  limits.total_pending_records_max =
      pending_per_space * static_cast<uint64_t>(count);
  limits.pending_records_max =
      std::max(limits.pending_records_max, pending_per_space);
  limits.pending_bytes_max = std::max(
      limits.pending_bytes_max,
      pending_per_space * (dimension * sizeof(float) + kRecordOverhead));
  spaces->space_options_.dimension = dimension;
  spaces->space_options_.metric = options.metric;
  spaces->space_options_.M = options.M;
  spaces->space_options_.ef_construction = options.ef_construction;
  spaces->spaces_.resize(static_cast<size_t>(count));
  ENGRAM_RETURN_IF_ERROR(spaces->Reopen(options.workers));
  ENGRAM_RETURN_IF_ERROR(spaces->Preload(options.preload, rows));
  return spaces;
}

IngestSpaces::~IngestSpaces() {
  spaces_.clear();
  db_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status IngestSpaces::Reopen(int workers) {
  if (db_ != nullptr) ENGRAM_RETURN_IF_ERROR(db_->Close());
  for (Space& space : spaces_) space = Space();
  options_.workers = workers;
  ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, options_));
  for (size_t i = 0; i < spaces_.size(); ++i) {
    ENGRAM_ASSIGN_OR_RETURN(
        spaces_[i], db_->OpenSpace(absl::StrCat("space-", i), space_options_));
    // Its index comes into memory with the first use, which is not measured.
    ENGRAM_RETURN_IF_ERROR(spaces_[i].ListIds().status());
  }
  return absl::OkStatus();
}

std::string IngestSpaces::NextId() {
  return absl::StrCat("observation-", next_id_++);
}

absl::Status IngestSpaces::Preload(uint32_t observations, NoisyRows* rows) {
  const uint64_t all = uint64_t{observations} * spaces_.size();
  WriteOptions write;
  write.admission_timeout = kPatience;
  Lsn last = 0;
  for (uint64_t written = 0; written < all;) {
    WriteBatch batch;
    for (size_t i = 0; i < kPreloadBatch && written < all; ++i, ++written) {
      const std::string id = NextId();
      batch.Observe(spaces_[written % spaces_.size()],
                    {.id = id, .vector = rows->Next(), .payload = {}});
    }
    ENGRAM_ASSIGN_OR_RETURN(last, db_->Write(batch, write));
  }
  if (last == 0) return absl::OkStatus();
  return db_->Wait(last, Stage::kIndexed, kPatience);
}

absl::StatusOr<uint64_t> IngestSpaces::CountLive() const {
  uint64_t live = 0;
  for (const Space& space : spaces_) {
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
    live += stats.live_records;
  }
  return live;
}

absl::StatusOr<double> IngestSpaces::Recall(size_t space, int searches,
                                            NoisyRows* rows) {
  uint64_t found = 0;
  uint64_t wanted = 0;
  for (int i = 0; i < searches; ++i) {
    const absl::Span<const float> query = rows->Next();
    ENGRAM_ASSIGN_OR_RETURN(
        const std::vector<Hit> nearest,
        spaces_[space].Search(query, {.k = kNeighbors, .exact = true}));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                            spaces_[space].Search(query, {.k = kNeighbors}));
    std::set<std::string> ids;
    for (const Hit& hit : nearest) ids.insert(hit.id);
    for (const Hit& hit : hits) found += ids.count(hit.id);
    wanted += nearest.size();
  }
  if (wanted == 0) return absl::FailedPreconditionError("nothing to search");
  return static_cast<double>(found) / static_cast<double>(wanted);
}

absl::StatusOr<uint64_t> IngestSpaces::CountUnreachable() {
  ENGRAM_RETURN_IF_ERROR(db_->Checkpoint());
  uint64_t unreachable = 0;
  for (const Space& space : spaces_) {
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
    unreachable += stats.unreachable_nodes;
  }
  return unreachable;
}

}  // namespace engram::bench

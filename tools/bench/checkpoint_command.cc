#include "tools/bench/checkpoint_command.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/bench/dataset.h"
#include "tools/bench/noisy_rows.h"
#include "tools/bench/patience.h"
#include "tools/bench/rocksdb_save.h"
#include "tools/bench/run_header.h"
#include "tools/bench/samples.h"
#include "tools/bench/scratch_folder.h"

namespace engram::bench {
namespace {

constexpr size_t kBatch = 256;
constexpr uint64_t kFewRecords = 1000;
constexpr uint64_t kManyBytes = uint64_t{32} << 20;

double MillisSince(absl::Time begin) {
  return absl::ToDoubleMilliseconds(absl::Now() - begin);
}

// One space, and what is written to it.
class CheckpointMeasurement {
 public:
  CheckpointMeasurement(const CheckpointOptions& options,
                        const Dataset& dataset, ScratchFolder* scratch)
      : options_(options),
        dimension_(dataset.base.dimension()),
        rows_(dataset.base, options.seed),
        random_(options.seed),
        scratch_(*scratch),
        path_(scratch->Next()) {
    // Nothing is saved but when it is asked for.
    db_options_.checkpoint_wal_bytes = uint64_t{1} << 40;
    db_options_.wal_limit_bytes = uint64_t{16} << 30;
  }

  absl::Status Run() {
    ENGRAM_RETURN_IF_ERROR(Open());
    ENGRAM_RETURN_IF_ERROR(Write(options_.observations, false));
    ENGRAM_RETURN_IF_ERROR(db_->Checkpoint());
    const auto many =
        static_cast<uint64_t>(kManyBytes / (dimension_ * sizeof(float)));
    std::vector<CheckpointRow> rows;
    ENGRAM_RETURN_IF_ERROR(
        Measure("1,000 inserts", kFewRecords, false, false, &rows));
    ENGRAM_RETURN_IF_ERROR(
        Measure("1,000 random upserts", kFewRecords, true, false, &rows));
    ENGRAM_RETURN_IF_ERROR(
        Measure("32 MiB of inserts", many, false, true, &rows));
    for (const std::string& line : CheckpointTable(rows)) {
      if (!options_.json) PrintLine(line);
    }
    ENGRAM_RETURN_IF_ERROR(MeasureReopening());
    return options_.overwrites > 0 ? MeasureOverwriting() : absl::OkStatus();
  }

 private:
  absl::Status Open() {
    space_ = Space();
    db_.reset();
    ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, db_options_));
    SpaceOptions space_options;
    space_options.dimension = dimension_;
    space_options.metric = options_.metric;
    ENGRAM_ASSIGN_OR_RETURN(space_, db_->OpenSpace("space", space_options));
    return absl::OkStatus();
  }

  // Writes so many, of new ids or of old ones, and waits until all are in the
  // index.
  absl::Status Write(uint64_t records, bool upserts) {
    WriteOptions write;
    write.admission_timeout = kPatience;
    Lsn last = 0;
    for (uint64_t written = 0; written < records;) {
      WriteBatch batch;
      for (size_t i = 0; i < kBatch && written < records; ++i, ++written) {
        const uint64_t number = upserts ? random_() % ids_ : ids_++;
        const std::string id = absl::StrCat("observation-", number);
        batch.Observe(space_,
                      {.id = id, .vector = rows_.Next(), .payload = {}});
      }
      ENGRAM_ASSIGN_OR_RETURN(last, db_->Write(batch, write));
    }
    return db_->Wait(last, Stage::kIndexed, kPatience);
  }

  absl::Status Measure(const std::string& name, uint64_t records, bool upserts,
                       bool beside_rocksdb, std::vector<CheckpointRow>* rows) {
    std::vector<double> millis, pauses, bytes, rocksdb;
    for (int run = 0; run < options_.runs; ++run) {
      ENGRAM_RETURN_IF_ERROR(Write(records, upserts));
      ENGRAM_ASSIGN_OR_RETURN(const DbStats before, db_->GetStats());
      const absl::Time begin = absl::Now();
      ENGRAM_RETURN_IF_ERROR(db_->Checkpoint());
      millis.push_back(MillisSince(begin));
      ENGRAM_ASSIGN_OR_RETURN(const DbStats after, db_->GetStats());
      ENGRAM_ASSIGN_OR_RETURN(const SpaceStats space, space_.GetStats());
      bytes.push_back(static_cast<double>(after.checkpoint_bytes -
                                          before.checkpoint_bytes));
      pauses.push_back(absl::ToDoubleMilliseconds(space.checkpoint_pause));
      if (!beside_rocksdb) continue;
      ENGRAM_ASSIGN_OR_RETURN(
          const absl::Duration saved,
          SaveInRocksdb(scratch_.Next(), records, dimension_ * sizeof(float)));
      rocksdb.push_back(absl::ToDoubleMilliseconds(saved));
    }
    rows->push_back({name, records, records * dimension_ * sizeof(float),
                     Median(millis), Median(pauses), Median(bytes),
                     rocksdb.empty() ? 0 : Median(rocksdb)});
    if (options_.json) PrintLine(CheckpointRowJson(rows->back()));
    return absl::OkStatus();
  }

  absl::Status MeasureReopening() {
    std::vector<double> opens, searches;
    for (int run = 0; run < options_.runs; ++run) {
      ENGRAM_RETURN_IF_ERROR(db_->Close());
      absl::Time begin = absl::Now();
      ENGRAM_RETURN_IF_ERROR(Open());
      opens.push_back(MillisSince(begin));
      begin = absl::Now();
      ENGRAM_RETURN_IF_ERROR(space_.Search(rows_.Next(), {}).status());
      searches.push_back(MillisSince(begin));
    }
    const ReopenRow row = {
        Median(opens), Median(searches),
        static_cast<double>(ids_ * dimension_ * sizeof(float))};
    PrintLine(options_.json ? ReopenRowJson(row) : ReopenLine(row));
    return absl::OkStatus();
  }

  double StoreBytesPerLiveByte() const {
    uint64_t bytes = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(path_ + "/kv")) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return static_cast<double>(bytes) /
           static_cast<double>(ids_ * dimension_ * sizeof(float));
  }

  // With checkpoints as they come by default.
  absl::Status MeasureOverwriting() {
    ENGRAM_RETURN_IF_ERROR(db_->Close());
    db_options_ = Options();
    ENGRAM_RETURN_IF_ERROR(Open());
    const uint64_t ids = ids_;
    for (int turn = 0; turn < options_.overwrites; ++turn) {
      ids_ = 0;
      ENGRAM_RETURN_IF_ERROR(Write(ids, false));
    }
    ENGRAM_RETURN_IF_ERROR(db_->Checkpoint());
    OverwriteRow row;
    row.overwrites = options_.overwrites;
    row.before_compact = StoreBytesPerLiveByte();
    ENGRAM_RETURN_IF_ERROR(db_->Compact());
    row.after_compact = StoreBytesPerLiveByte();
    PrintLine(options_.json ? OverwriteRowJson(row) : OverwriteLine(row));
    return absl::OkStatus();
  }

  const CheckpointOptions& options_;
  const uint32_t dimension_;
  NoisyRows rows_;
  std::mt19937_64 random_;
  ScratchFolder& scratch_;
  const std::string path_;
  Options db_options_;
  std::unique_ptr<Db> db_;
  Space space_;
  uint64_t ids_ = 0;  // observation-0 and so on are there
};

}  // namespace

absl::Status RunCheckpointCommand(const CheckpointOptions& options) {
  // Before any thread is started.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(const Dataset dataset,
                          LoadVectors(options.dataset, options.metric, 0));
  PrintRunHeader(
      options.json, options.commit, dataset,
      {{"observations", options.observations},
       {"runs", options.runs},
       {"seed", options.seed}},
      absl::StrFormat("%d observations before, medians of %d runs, seed %d\n",
                      options.observations, options.runs, options.seed));
  return CheckpointMeasurement(options, dataset, scratch.get()).Run();
}

}  // namespace engram::bench

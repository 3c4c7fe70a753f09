#include "tools/bench/tenants_command.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/bench/dataset.h"
#include "tools/bench/machine.h"
#include "tools/bench/noisy_rows.h"
#include "tools/bench/patience.h"
#include "tools/bench/plot_file.h"
#include "tools/bench/run_header.h"
#include "tools/bench/scratch_folder.h"

namespace engram::bench {
namespace {

constexpr absl::Duration kSampling = absl::Milliseconds(100);
constexpr size_t kRows = 2000;  // of the set, so that it hardly counts
constexpr size_t kSpaceBatch = 256;
constexpr double kMegabyte = 1e6;

double MillisSince(absl::Time begin) {
  return absl::ToDoubleMilliseconds(absl::Now() - begin);
}

uint64_t OpenDescriptors() {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end;
       !error && it != end; it.increment(error)) {
    ++count;
  }
  return count;
}

// Watches the process's memory from a thread of its own.
class MemoryWatch {
 public:
  MemoryWatch() : begin_(absl::Now()), thread_([this] { Loop(); }) {}
  ~MemoryWatch() { Stop(); }

  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  const std::vector<MemorySample>& Stop() {
    // Relaxed: nothing is passed on by it.
    stopping_.store(true, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.join();
    return samples_;
  }

 private:
  void Loop() {
    while (!stopping_.load(std::memory_order_relaxed)) {
      samples_.push_back({absl::ToDoubleSeconds(absl::Now() - begin_),
                          static_cast<double>(ResidentBytes()) / kMegabyte});
      absl::SleepFor(kSampling);
    }
  }

  const absl::Time begin_;
  std::atomic<bool> stopping_{false};
  std::vector<MemorySample> samples_;
  std::thread thread_;
};

class TenantsMeasurement {
 public:
  TenantsMeasurement(const TenantsOptions& options, const Dataset& dataset,
                     std::string path)
      : options_(options),
        dimension_(dataset.base.dimension()),
        rows_(dataset.base, options.seed),
        random_(options.seed),
        path_(std::move(path)) {
    db_options_.memory_budget_bytes = options.budget_bytes;
  }

  absl::Status Run() {
    ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, db_options_));
    {
      MemoryWatch watch;
      ENGRAM_RETURN_IF_ERROR(Create());
      ENGRAM_RETURN_IF_ERROR(Fill());
      samples_ = watch.Stop();
    }
    for (const MemorySample& sample : samples_) {
      result_.memory_mb_max = std::max(result_.memory_mb_max, sample.megabytes);
    }
    ENGRAM_RETURN_IF_ERROR(Reopen());
    ENGRAM_RETURN_IF_ERROR(SearchCold());
    ENGRAM_RETURN_IF_ERROR(SearchByRank());
    result_.descriptors = OpenDescriptors();
    for (Space& space : spaces_) {
      ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
      result_.evictions += stats.evictions;
    }
    if (!options_.plot.empty()) {
      ENGRAM_RETURN_IF_ERROR(WritePlot(
          options_.plot,
          MemoryPlot(samples_,
                     static_cast<double>(options_.budget_bytes) / kMegabyte)));
    }
    if (options_.json) {
      PrintLine(TenantsJson(result_));
      return absl::OkStatus();
    }
    for (const std::string& line : TenantsTable(result_)) PrintLine(line);
    return absl::OkStatus();
  }

 private:
  absl::Status OpenSpace(uint32_t number) {
    SpaceOptions space_options;
    space_options.dimension = dimension_;
    space_options.metric = options_.metric;
    ENGRAM_ASSIGN_OR_RETURN(
        Space space,
        db_->OpenSpace(absl::StrCat("tenant-", number), space_options));
    spaces_.push_back(std::move(space));
    return absl::OkStatus();
  }

  absl::Status Create() {
    std::vector<double> millis;
    for (uint32_t i = 0; i < options_.spaces; ++i) {
      const absl::Time begin = absl::Now();
      ENGRAM_RETURN_IF_ERROR(OpenSpace(i));
      millis.push_back(MillisSince(begin));
    }
    result_.create = TimesOf(std::move(millis));
    return absl::OkStatus();
  }

  // The first vector of each space is kept to be looked for.
  absl::Status Fill() {
    const absl::Time begin = absl::Now();
    WriteOptions write;
    write.admission_timeout = kPatience;
    Lsn last = 0;
    for (Space& space : spaces_) {
      for (uint32_t written = 0; written < options_.observations;) {
        WriteBatch batch;
        for (size_t i = 0; i < kSpaceBatch && written < options_.observations;
             ++i, ++written) {
          const absl::Span<const float> row = rows_.Next();
          if (written == 0) first_rows_.emplace_back(row.begin(), row.end());
          const std::string id = absl::StrCat("observation-", written);
          batch.Observe(space, {.id = id, .vector = row, .payload = {}});
        }
        ENGRAM_ASSIGN_OR_RETURN(last, db_->Write(batch, write));
      }
    }
    ENGRAM_RETURN_IF_ERROR(db_->Wait(last, Stage::kIndexed, kPatience));
    result_.fill_seconds = absl::ToDoubleSeconds(absl::Now() - begin);
    result_.data_mb = static_cast<double>(options_.spaces) *
                      options_.observations * dimension_ * sizeof(float) /
                      kMegabyte;
    return absl::OkStatus();
  }

  absl::Status Reopen() {
    spaces_.clear();
    ENGRAM_RETURN_IF_ERROR(db_->Close());
    db_.reset();
    const absl::Time begin = absl::Now();
    ENGRAM_ASSIGN_OR_RETURN(db_, Db::Open(path_, db_options_));
    result_.reopen_millis = MillisSince(begin);
    for (uint32_t i = 0; i < options_.spaces; ++i) {
      ENGRAM_RETURN_IF_ERROR(OpenSpace(i));
    }
    // What the allocator keeps in reserve is left from before.
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t bytes, AnonymousBytes());
    result_.reopened_memory_mb = static_cast<double>(bytes) / kMegabyte;
    return absl::OkStatus();
  }

  absl::StatusOr<double> Search(size_t number) {
    SearchOptions search;
    search.k = 1;
    const absl::Time begin = absl::Now();
    ENGRAM_ASSIGN_OR_RETURN(
        const std::vector<Hit> hits,
        spaces_[number].Search(first_rows_[number], search));
    const double millis = MillisSince(begin);
    if (hits.empty() || hits[0].id != "observation-0") ++result_.wrong;
    return millis;
  }

  // The first search of spaces that nobody has used since the database was
  // opened.
  absl::Status SearchCold() {
    std::vector<size_t> order(spaces_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    order.resize(std::min<size_t>(order.size(), options_.cold_searches));
    std::vector<double> millis;
    for (const size_t number : order) {
      ENGRAM_ASSIGN_OR_RETURN(const double took, Search(number));
      millis.push_back(took);
    }
    result_.cold = TimesOf(std::move(millis));
    return absl::OkStatus();
  }

  // Space n is asked for in proportion to 1 / (n + 1). The first half of the
  // searches is not measured: by then what is asked for often is in memory.
  absl::Status SearchByRank() {
    if (options_.zipf_searches == 0) return absl::OkStatus();
    std::vector<double> weights;
    for (size_t i = 0; i < spaces_.size(); ++i) {
      weights.push_back(1.0 / static_cast<double>(i + 1));
    }
    std::discrete_distribution<size_t> ranks(weights.begin(), weights.end());
    const size_t hot = std::max<size_t>(1, spaces_.size() / 10);
    std::vector<double> millis;
    for (uint32_t i = 0; i < options_.zipf_searches; ++i) {
      const size_t number = ranks(random_);
      ENGRAM_ASSIGN_OR_RETURN(const double took, Search(number));
      if (i >= options_.zipf_searches / 2 && number < hot) {
        millis.push_back(took);
      }
    }
    result_.hot = TimesOf(std::move(millis));
    return absl::OkStatus();
  }

  const TenantsOptions& options_;
  const uint32_t dimension_;
  NoisyRows rows_;
  std::mt19937_64 random_;
  const std::string path_;
  Options db_options_;
  std::unique_ptr<Db> db_;
  std::vector<Space> spaces_;
  std::vector<std::vector<float>> first_rows_;
  std::vector<MemorySample> samples_;
  TenantsResult result_;
};

}  // namespace

absl::Status RunTenantsCommand(const TenantsOptions& options) {
  ENGRAM_RETURN_IF_ERROR(CheckPlot(options.plot));
  // Before any thread is started.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(const Dataset dataset,
                          LoadVectors(options.dataset, options.metric, kRows));
  PrintRunHeader(
      options.json, options.commit, dataset,
      {{"spaces", options.spaces},
       {"observations", options.observations},
       {"budget_bytes", options.budget_bytes},
       {"seed", options.seed}},
      absl::StrFormat("%d spaces of %d observations, budget %.0f MB, seed %d\n",
                      options.spaces, options.observations,
                      static_cast<double>(options.budget_bytes) / kMegabyte,
                      options.seed));
  return TenantsMeasurement(options, dataset, scratch->Next()).Run();
}

}  // namespace engram::bench

#include "tools/bench/ingest_command.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/bench/dataset.h"
#include "tools/bench/ingest_peer.h"
#include "tools/bench/ingest_phase.h"
#include "tools/bench/ingest_plot.h"
#include "tools/bench/ingest_scenario.h"
#include "tools/bench/ingest_searcher.h"
#include "tools/bench/locality_measure.h"
#include "tools/bench/plot_file.h"
#include "tools/bench/run_header.h"
#include "tools/bench/scratch_folder.h"
#include "tools/bench/wal_command.h"

namespace engram::bench {
namespace {

const char* DurabilityName(Durability durability) {
  return durability == Durability::kProcess ? "process" : "sync";
}

void PrintRun(const IngestOptions& options, const Dataset& dataset) {
  PrintRunHeader(
      options.json, options.commit, dataset,
      {{"M", options.M},
       {"ef_construction", options.ef_construction},
       {"preload", options.preload},
       {"phase_seconds", options.seconds},
       {"seed", options.seed}},
      absl::StrFormat(
          "M %d, ef_construction %d, %d observations a space before, "
          "%g s a phase, seed %d\n"
          "latencies   us from the call (or when it was due) to the "
          "acknowledgement, ms from the call to the index",
          options.M, options.ef_construction, options.preload, options.seconds,
          options.seed));
}

// One scenario.
class Measurement {
 public:
  Measurement(const IngestOptions& options, const IngestScenario& scenario,
              const Dataset& dataset, ScratchFolder* scratch)
      : options_(options),
        scenario_(scenario),
        dataset_(dataset),
        scratch_(*scratch),
        rows_(dataset.base, options.seed),
        queries_(dataset.base, options.seed + 1) {
    if (scenario.ends_at_process) options_.durability = Durability::kProcess;
  }

  absl::StatusOr<std::vector<IngestRow>> Run() {
    for (const IngestPhase& phase : scenario_.phases) {
      ENGRAM_RETURN_IF_ERROR(RunPhase(phase));
    }
    Compare();
    ENGRAM_RETURN_IF_ERROR(ComparePeer());
    return std::move(results_);
  }

 private:
  absl::Status RunPhase(const IngestPhase& phase) {
    const int workers = phase.one_worker ? 1 : options_.workers;
    if (spaces_ == nullptr || phase.fresh) {
      spaces_.reset();
      ENGRAM_ASSIGN_OR_RETURN(
          spaces_,
          IngestSpaces::Create(scratch_.Next(), scenario_.spaces,
                               scenario_.pending_per_space,
                               dataset_.base.dimension(), options_, &rows_));
    }
    ENGRAM_RETURN_IF_ERROR(spaces_->Reopen(workers));
    // Loads what the load will need.
    ENGRAM_RETURN_IF_ERROR(spaces_->CountLive().status());
    std::optional<double> idle_search_cpu_us;
    if (phase.searches) {
      ENGRAM_ASSIGN_OR_RETURN(idle_search_cpu_us, IdleSearchCpu());
    }
    const double per_s =
        results_.empty() ? 0 : results_[0].per_s * phase.rate_factor;
    ENGRAM_ASSIGN_OR_RETURN(
        IngestRow row,
        MeasurePhase(phase, per_s, options_, &rows_, &queries_, spaces_.get()));
    row.scenario = scenario_.name;
    row.durability = DurabilityName(options_.durability);
    if (idle_search_cpu_us.has_value()) {
      row.ratio["search CPU without load"] =
          *row.search_cpu_us / *idle_search_cpu_us;
    }
    results_.push_back(std::move(row));
    return absl::OkStatus();
  }

  absl::StatusOr<double> IdleSearchCpu() {
    IngestSearcher searcher(spaces_.get(), &queries_);
    std::this_thread::sleep_for(std::chrono::seconds(1));
    ENGRAM_ASSIGN_OR_RETURN(IngestSearches searches, searcher.Stop());
    return Percentile(&searches.cpu_us, 0.5);
  }

  // Later phases with the first.
  void Compare() {
    const IngestRow& first = results_[0];
    for (size_t i = 1; i < results_.size(); ++i) {
      IngestRow& row = results_[i];
      row.ratio["rate of the first phase"] = row.per_s / first.per_s;
      row.ratio["CPU a record of the first phase"] =
          first.per_core_s / row.per_core_s;
    }
  }

  absl::Status ComparePeer() {
    if (scenario_.peer == IngestPeer::kNone) return absl::OkStatus();
    const bool locked = scenario_.peer == IngestPeer::kGlobalLock;
    spaces_.reset();
    IngestRow& row = results_[0];
    const absl::StatusOr<PeerRate> peer = MeasureHnswlibInserts(
        options_, locked ? row.workers : 1, dataset_.base.dimension(), &rows_);
    if (absl::IsUnimplemented(peer.status())) return absl::OkStatus();
    ENGRAM_RETURN_IF_ERROR(peer.status());
    row.peer_per_s = peer->per_s;
    row.peer_per_core_s = peer->per_core_s;
    if (locked) {
      row.ratio["hnswlib behind a mutex, wall"] = row.per_s / peer->per_s;
    } else {
      row.ratio["hnswlib in memory, CPU of workers"] =
          row.per_core_s / peer->per_core_s;
      row.ratio["hnswlib in memory, CPU of the process"] =
          row.process_core_s / peer->per_core_s;
    }
    return absl::OkStatus();
  }

  IngestOptions options_;
  const IngestScenario& scenario_;
  const Dataset& dataset_;
  ScratchFolder& scratch_;
  NoisyRows rows_;
  NoisyRows queries_;
  std::unique_ptr<IngestSpaces> spaces_;
  std::vector<IngestRow> results_;
};

bool IsWanted(const IngestOptions& options, const std::string& scenario) {
  return options.scenarios.empty() ||
         std::count(options.scenarios.begin(), options.scenarios.end(),
                    scenario) > 0;
}

void PrintRows(const IngestOptions& options, const IngestScenario& scenario,
               const std::vector<IngestRow>& rows) {
  if (options.json) {
    for (const IngestRow& row : rows) PrintLine(IngestRowJson(row));
    return;
  }
  PrintLine(absl::StrFormat("\n%s: %s", scenario.name, scenario.meaning));
  for (const std::string& line : IngestTable(rows)) PrintLine(line);
}

absl::Status RunLocality(const IngestOptions& options,
                         const IngestScenario& scenario,
                         const Dataset& dataset) {
  NoisyRows rows(dataset.base, options.seed);
  ENGRAM_ASSIGN_OR_RETURN(
      const LocalityResult result,
      MeasureLocality(scenario.spaces, dataset.base.dimension(), options,
                      &rows));
  if (!options.json) {
    PrintLine(absl::StrFormat("\n%s: %s", scenario.name, scenario.meaning));
  }
  for (const std::string& line : options.json
                                     ? LocalityJson(scenario.name, result)
                                     : LocalityTable(result)) {
    PrintLine(line);
  }
  return absl::OkStatus();
}

std::string PlotTitle(const IngestOptions& options, const Dataset& dataset) {
  return absl::StrFormat(
      "%s, %d dimensions: M %d, ef_construction %d, %d observations a space "
      "before; commit %s",
      dataset.name, dataset.base.dimension(), options.M,
      options.ef_construction, options.preload, options.commit);
}

}  // namespace

absl::Status RunIngestCommand(const IngestOptions& options) {
  ENGRAM_RETURN_IF_ERROR(CheckPlot(options.plot));
  // Before any thread is started.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(const Dataset dataset,
                          LoadVectors(options.dataset, options.metric, 0));
  PrintRun(options, dataset);
  std::vector<IngestRun> runs;
  for (const IngestScenario& scenario : IngestScenarios()) {
    if (!IsWanted(options, scenario.name)) continue;
    if (scenario.is_locality) {
      ENGRAM_RETURN_IF_ERROR(RunLocality(options, scenario, dataset));
      continue;
    }
    ENGRAM_ASSIGN_OR_RETURN(
        std::vector<IngestRow> rows,
        Measurement(options, scenario, dataset, scratch.get()).Run());
    PrintRows(options, scenario, rows);
    runs.push_back(
        {absl::StrCat(scenario.name, ": ", scenario.meaning), std::move(rows)});
    // After each scenario: whoever ends a run early has a picture, too.
    if (options.plot.empty()) continue;
    ENGRAM_RETURN_IF_ERROR(
        WritePlot(options.plot, PlotIngest(PlotTitle(options, dataset), runs)));
  }
  return absl::OkStatus();
}

}  // namespace engram::bench

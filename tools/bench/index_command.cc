#include "tools/bench/index_command.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/status_macros.h"
#include "tools/bench/build_measure.h"
#include "tools/bench/churn_measure.h"
#include "tools/bench/concurrent_measure.h"
#include "tools/bench/curve_plot.h"
#include "tools/bench/duplicates_measure.h"
#include "tools/bench/machine.h"
#include "tools/bench/memory_measure.h"
#include "tools/bench/names.h"
#include "tools/bench/peers.h"
#include "tools/bench/plot_file.h"
#include "tools/bench/search_measure.h"
#include "tools/bench/setting.h"

namespace engram::bench {
namespace {

using Subjects = std::vector<std::unique_ptr<Subject>>;

// How each engine is built, by name; a note for each that cannot be made.
absl::StatusOr<Json> DescribeEngines(const IndexOptions& options,
                                     const Dataset& dataset,
                                     ScratchFolder& scratch,
                                     std::vector<std::string>* notes) {
  const IndexShape shape = {dataset.base.dimension(), dataset.metric, 1};
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Subject> engram,
      EngramSubject::Create(scratch.Next(), Folder::kRemoved, shape,
                            options.parameters));
  Json engines = {{engram->name(), engram->building()}};
  for (const std::string& name : options.peers) {
    const absl::StatusOr<std::unique_ptr<Subject>> peer =
        name == kFaiss ? MakeFaiss(shape, options.parameters)
                       : MakeHnswlib(shape, options.parameters);
    if (absl::IsUnimplemented(peer.status())) {
      notes->push_back(peer.status().ToString());
      continue;
    }
    ENGRAM_RETURN_IF_ERROR(peer.status());
    engines[name] = (*peer)->building();
  }
  return engines;
}

Json RunRow(const IndexOptions& options, const CorePin& pin,
            const Dataset& dataset, double load, Json engines) {
  const IndexParameters& parameters = options.parameters;
  Json machine = {{"processor", ProcessorModel()},
                  {"processors", Processors()},
                  {"core", nullptr}};
  if (pin.core() >= 0) machine["core"] = pin.core();
  return {{"measurement", "run"},
          {"commit", options.commit},
          {"machine", std::move(machine)},
          {"load", load},
          {"dataset", dataset.name},
          {"metric", MetricName(dataset.metric)},
          {"rows", dataset.base.count()},
          {"dimension", dataset.base.dimension()},
          {"queries", dataset.queries.count()},
          {"neighbors_from_file", dataset.neighbors_from_file},
          {"parameters",
           {{"M", parameters.M},
            {"ef_construction", parameters.ef_construction},
            {"k", kNeighbors},
            {"workers", parameters.threads},
            {"quantization", QuantizationName(parameters.quantization)},
            {"stored", StoredName(parameters.stored)},
            {"order", RowOrderName(options.order)},
            {"runs", options.runs}}},
          {"engines", std::move(engines)}};
}

absl::Status PlotSearches(const Setting& setting, const Samples& searches) {
  const IndexOptions& options = setting.options;
  const Matrix& base = setting.dataset.base;
  const std::string title = absl::StrCat(
      setting.dataset.name, ", ", base.count(), " x ", base.dimension(), ", ",
      MetricName(setting.dataset.metric), ": M ", options.parameters.M,
      ", ef_construction ", options.parameters.ef_construction, ", ef ",
      options.efs.front(), " to ", options.efs.back());
  return WritePlot(options.plot,
                   PlotCurves(title, MedianCurves(setting, searches)));
}

absl::StatusOr<Subjects> Build(const Setting& setting, int run,
                               Samples* builds) {
  Subjects subjects;
  for (const std::string& engine : setting.Engines()) {
    setting.report.Progress(
        absl::StrCat("build of ", engine, ", run ", run + 1));
    ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<Subject> subject,
                            MakeSubject(setting, engine, setting.order.size()));
    ENGRAM_RETURN_IF_ERROR(MeasureBuild(setting, run, *subject, builds));
    // So that it has nothing left to do while the others are measured.
    ENGRAM_RETURN_IF_ERROR(subject->Settle());
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

// Both in one: what is searched has to be built.
absl::Status MeasureBuildsAndSearches(const Setting& setting) {
  const IndexOptions& options = setting.options;
  Samples builds;
  Samples searches;
  std::string quantization;
  for (int run = 0; run < options.runs; ++run) {
    ENGRAM_ASSIGN_OR_RETURN(const Subjects subjects,
                            Build(setting, run, &builds));
    const auto* engram = dynamic_cast<EngramSubject*>(subjects[0].get());
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, engram->Stats());
    quantization = QuantizationName(stats.quantization);
    if (options.Measures(kSearch)) {
      setting.report.Progress(absl::StrCat("searches, run ", run + 1));
      ENGRAM_RETURN_IF_ERROR(
          MeasureSearches(setting, run, subjects, &searches));
    }
    // Takes long, and depends on the order of inserts alone: once is enough.
    if (run > 0 || !options.Measures(kBuild)) continue;
    setting.report.Progress("every vector by itself");
    for (const std::unique_ptr<Subject>& subject : subjects) {
      ENGRAM_RETURN_IF_ERROR(MeasureFindability(
          setting, run, *subject, setting.order, [](uint32_t id) { return id; },
          &builds));
    }
  }
  if (options.Measures(kBuild)) ReportBuilds(setting, builds, quantization);
  if (options.Measures(kSearch)) ReportSearches(setting, searches);
  if (options.plot.empty()) return absl::OkStatus();
  return PlotSearches(setting, searches);
}

absl::Status MeasureAll(const Setting& setting) {
  const IndexOptions& options = setting.options;
  if (options.Measures(kMemory)) {
    ENGRAM_RETURN_IF_ERROR(MeasureMemory(setting));
  }
  if (options.Measures(kBuild) || options.Measures(kSearch)) {
    ENGRAM_RETURN_IF_ERROR(MeasureBuildsAndSearches(setting));
  }
  if (options.Measures(kChurn)) {
    ENGRAM_RETURN_IF_ERROR(MeasureChurn(setting));
  }
  if (options.Measures(kDuplicates)) {
    ENGRAM_RETURN_IF_ERROR(MeasureDuplicates(setting));
  }
  if (!options.Measures(kConcurrent)) return absl::OkStatus();
  return MeasureConcurrent(setting);
}

}  // namespace

absl::Status RunIndexCommand(const IndexOptions& options, const CorePin& pin) {
  // Before the truth is computed, which is a load of our own.
  const double load = LoadAverage();
  ENGRAM_RETURN_IF_ERROR(CheckPlot(options.plot));
  // First of all: it takes care of signals for the threads that follow.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(
      const Dataset dataset,
      LoadDataset(options.dataset, options.metric, options.limit));
  const std::vector<Item> order =
      RowsInOrder(dataset.base, dataset.metric, options.order);
  pin.UseOneCore();
  std::vector<std::string> notes;
  ENGRAM_ASSIGN_OR_RETURN(const Json engines,
                          DescribeEngines(options, dataset, *scratch, &notes));
  std::vector<std::string> peers = options.peers;
  std::erase_if(peers, [&engines](const std::string& peer) {
    return !engines.contains(peer);
  });
  const IndexReport report(options.json, peers);
  report.Run(RunRow(options, pin, dataset, load, engines));
  for (const std::string& note : notes) report.Note(note);
  return MeasureAll({options, dataset, order, peers, pin, report, *scratch});
}

}  // namespace engram::bench

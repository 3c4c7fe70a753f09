#include "tools/bench/search_measure.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/searches.h"

namespace engram::bench {
namespace {

constexpr double kSearchSecondsMin = 0.5;
constexpr double kTargets[] = {0.90, 0.95, 0.99};

constexpr char kRecall[] = "recall";
// The first rate is what a user gets; the second leaves out what other programs
// take of the core.
constexpr char kQps[] = "qps";
constexpr char kCpuQps[] = "cpu_qps";

std::string AtEf(const std::string& name, uint32_t ef) {
  return absl::StrCat(name, " at ef ", ef);
}

std::string AtRecall(const std::string& name, double target) {
  return absl::StrCat(name, " at recall ", target);
}

// In some runs an engine may just miss a target that it reaches in others.
bool Reaches(const Setting& setting, const Samples& samples,
             const std::string& engine, double target) {
  return samples.CountOf(engine, AtRecall(kQps, target)) ==
         setting.options.runs;
}

// The peers for which `target` is the highest that they and Engram reach.
std::vector<std::string> PeersEndingAt(const Setting& setting,
                                       const Samples& samples, double target) {
  std::vector<std::string> peers;
  for (const std::string& peer : setting.peers) {
    double highest = 0;
    for (const double candidate : kTargets) {
      if (Reaches(setting, samples, kEngram, candidate) &&
          Reaches(setting, samples, peer, candidate)) {
        highest = candidate;
      }
    }
    if (highest == target) peers.push_back(peer);
  }
  return peers;
}

// Ratios only to peers that reach the target.
void AddTargetRatios(const Setting& setting, const Samples& samples,
                     const std::string& name, double target,
                     const std::string& key, Json* row) {
  AddRatios(setting, samples, AtRecall(name, target), key, row);
  if (!row->contains(key)) return;
  for (const std::string& peer : setting.peers) {
    if (!Reaches(setting, samples, peer, target)) (*row)[key].erase(peer);
  }
  if ((*row)[key].empty()) row->erase(key);
}

std::vector<Json> TargetRows(const Setting& setting, const Samples& samples) {
  std::vector<Json> rows;
  for (const std::string& engine : setting.Engines()) {
    for (const double target : kTargets) {
      if (!Reaches(setting, samples, engine, target)) continue;
      Json row = RowOf(setting, "search_at", engine);
      row["target_recall"] = target;
      for (const char* const name : {kQps, kCpuQps}) {
        SetIfAny(&row, name, samples.MedianOf(engine, AtRecall(name, target)));
      }
      AddTargetRatios(setting, samples, kQps, target, "ratio", &row);
      AddTargetRatios(setting, samples, kCpuQps, target, "cpu_ratio", &row);
      if (engine == kEngram) {
        row["highest_common_with"] = PeersEndingAt(setting, samples, target);
      }
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

// The curve of one subject in one run, with one of the two rates.
void AddTargets(int run, const std::string& engine, const std::string& name,
                const Curve& curve, Samples* samples) {
  for (const double target : kTargets) {
    const std::optional<double> qps = QpsAtRecall(curve, target);
    if (qps.has_value())
      samples->Add(run, engine, AtRecall(name, target), *qps);
  }
}

}  // namespace

absl::Status MeasureSearches(
    const Setting& setting, int run,
    const std::vector<std::unique_ptr<Subject>>& subjects, Samples* samples) {
  const Dataset& dataset = setting.dataset;
  std::vector<Curve> curves(subjects.size());
  std::vector<Curve> cpu_curves(subjects.size());
  for (const uint32_t ef : setting.options.efs) {
    for (size_t i = 0; i < subjects.size(); ++i) {
      Subject& subject = *subjects[i];
      // This pass also warms the caches up.
      ENGRAM_ASSIGN_OR_RETURN(const Answers answers,
                              SearchAll(subject, dataset.queries, ef));
      const double recall = Recall(answers, dataset.neighbors);
      ENGRAM_ASSIGN_OR_RETURN(
          const SearchRate rate,
          MeasureRate(subject, dataset.queries, ef, kSearchSecondsMin));
      const std::string engine = subject.name();
      samples->Add(run, engine, AtEf(kRecall, ef), recall);
      samples->Add(run, engine, AtEf(kQps, ef), rate.per_s);
      samples->Add(run, engine, AtEf(kCpuQps, ef), rate.per_cpu_s);
      curves[i].push_back({ef, recall, rate.per_s});
      cpu_curves[i].push_back({ef, recall, rate.per_cpu_s});
    }
  }
  for (size_t i = 0; i < subjects.size(); ++i) {
    AddTargets(run, subjects[i]->name(), kQps, curves[i], samples);
    AddTargets(run, subjects[i]->name(), kCpuQps, cpu_curves[i], samples);
  }
  return absl::OkStatus();
}

void ReportSearches(const Setting& setting, const Samples& samples) {
  std::vector<Json> rows;
  for (const std::string& engine : setting.Engines()) {
    for (const uint32_t ef : setting.options.efs) {
      Json row = RowOf(setting, kSearch, engine);
      row["ef"] = ef;
      for (const char* const name : {kRecall, kQps, kCpuQps}) {
        SetIfAny(&row, name, samples.MedianOf(engine, AtEf(name, ef)));
      }
      AddRatios(setting, samples, AtEf(kQps, ef), "ratio", &row);
      rows.push_back(std::move(row));
    }
  }
  setting.report.Rows(rows);
  const std::vector<Json> at_targets = TargetRows(setting, samples);
  if (at_targets.empty()) {
    setting.report.Note("\nno engine reaches a recall of 0.90");
    return;
  }
  setting.report.Rows(at_targets);
}

std::vector<NamedCurve> MedianCurves(const Setting& setting,
                                     const Samples& samples) {
  std::vector<NamedCurve> curves;
  for (const std::string& engine : setting.Engines()) {
    NamedCurve& curve = curves.emplace_back();
    curve.name = engine;
    for (const uint32_t ef : setting.options.efs) {
      curve.curve.push_back(
          {ef, samples.MedianOf(engine, AtEf(kRecall, ef)).value_or(0),
           samples.MedianOf(engine, AtEf(kQps, ef)).value_or(1)});
    }
  }
  return curves;
}

}  // namespace engram::bench

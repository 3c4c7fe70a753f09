#include "tools/bench/churn_measure.h"

#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/build_measure.h"
#include "tools/bench/churn_plan.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/peers.h"
#include "tools/bench/searches.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

constexpr int kRounds = 6;
constexpr char kPairsPerSecond[] = "pairs_per_s";
constexpr char kRecall[] = "recall";
constexpr char kRecallFresh[] = "recall_fresh";

// At which a fresh index finds about 19 of 20 neighbors, so that a loss shows.
uint32_t DefaultEf(uint32_t dimension) { return dimension >= 512 ? 48 : 100; }

// The ids of what each query should find in `live`.
std::vector<std::vector<uint32_t>> TrueIds(const Setting& setting,
                                           const std::vector<Item>& live) {
  const AllCores all(setting.pin);
  Matrix rows;
  for (const Item& item : live) rows.Append(setting.dataset.base.row(item.row));
  std::vector<std::vector<uint32_t>> nearest = TrueNeighbors(
      rows, setting.dataset.queries, setting.dataset.metric, kNeighbors);
  for (std::vector<uint32_t>& neighbors : nearest) {
    for (uint32_t& neighbor : neighbors) neighbor = live[neighbor].id;
  }
  return nearest;
}

// One engine, one seed.
class ChurnRun {
 public:
  ChurnRun(const Setting& setting, int seed, const std::string& engine,
           uint32_t ef, const ChurnPlan& plan,
           const std::vector<std::vector<uint32_t>>& nearest)
      : setting_(setting),
        seed_(seed),
        engine_(engine),
        ef_(ef),
        plan_(plan),
        nearest_(nearest) {}

  absl::Status Measure(Samples* samples) {
    ENGRAM_RETURN_IF_ERROR(MeasureChurned(samples));
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Subject> fresh, Make());
    ENGRAM_RETURN_IF_ERROR(
        fresh->Insert(setting_.dataset.base, plan_.final_live));
    ENGRAM_RETURN_IF_ERROR(fresh->Settle());
    return AddRecall(*fresh, kRecallFresh, samples);
  }

 private:
  absl::StatusOr<std::unique_ptr<Subject>> Make() {
    return MakeSubject(setting_, engine_, plan_.initial.size());
  }

  absl::Status MeasureChurned(Samples* samples) {
    const Matrix& base = setting_.dataset.base;
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Subject> subject, Make());
    ENGRAM_RETURN_IF_ERROR(subject->Insert(base, plan_.initial));
    std::vector<double> rates;
    for (const ChurnPlan::Round& round : plan_.rounds) {
      const Stopwatch watch;
      ENGRAM_RETURN_IF_ERROR(
          subject->Replace(base, round.removed, round.inserted));
      rates.push_back(static_cast<double>(round.removed.size()) /
                      watch.Read().wall_s);
    }
    samples->Add(seed_, engine_, kPairsPerSecond, Median(std::move(rates)));
    ENGRAM_RETURN_IF_ERROR(subject->Settle());
    ENGRAM_RETURN_IF_ERROR(AddRecall(*subject, kRecall, samples));
    absl::flat_hash_map<uint32_t, uint32_t> rows;
    for (const Item& item : plan_.final_live) rows[item.id] = item.row;
    return MeasureFindability(
        setting_, seed_, *subject, plan_.final_live,
        [&rows](uint32_t id) { return rows[id]; }, samples);
  }

  absl::Status AddRecall(Subject& subject, const std::string& name,
                         Samples* samples) {
    ENGRAM_ASSIGN_OR_RETURN(const Answers answers,
                            SearchAll(subject, setting_.dataset.queries, ef_));
    samples->Add(seed_, engine_, name, Recall(answers, nearest_));
    return absl::OkStatus();
  }

  const Setting& setting_;
  const int seed_;
  const std::string& engine_;
  const uint32_t ef_;
  const ChurnPlan& plan_;
  const std::vector<std::vector<uint32_t>>& nearest_;
};

void ReportChurn(const Setting& setting,
                 const std::vector<std::string>& engines, uint32_t ef,
                 size_t live, const Samples& samples) {
  std::vector<Json> rows;
  for (const std::string& engine : engines) {
    Json row = RowOf(setting, kChurn, engine);
    row["live"] = live;
    row["turnover"] = 0.25 * kRounds;
    row["seeds"] = setting.options.seeds;
    row["ef"] = ef;
    SetIfAny(&row, kPairsPerSecond, samples.MedianOf(engine, kPairsPerSecond));
    SetIfAny(&row, kRecall, samples.MeanOf(engine, kRecall));
    SetIfAny(&row, kRecallFresh, samples.MeanOf(engine, kRecallFresh));
    SetFindability(samples, engine, &row);
    AddRatios(setting, samples, kPairsPerSecond, "ratio", &row);
    rows.push_back(std::move(row));
  }
  setting.report.Rows(rows);
}

}  // namespace

absl::Status MeasureChurn(const Setting& setting) {
  const size_t count = setting.dataset.base.count();
  const size_t live =
      setting.options.live == 0 ? count / 2 : setting.options.live;
  if (live / 4 < kNeighbors || live + live / 4 > count) {
    return absl::InvalidArgumentError(absl::StrCat(
        "churn: ", live, " of ", count, " rows live; it takes at least ",
        4 * kNeighbors, ", and a quarter of them besides"));
  }
  const uint32_t ef = setting.options.churn_ef != 0
                          ? setting.options.churn_ef
                          : DefaultEf(setting.dataset.base.dimension());
  std::vector<std::string> engines = setting.Engines();
  std::erase(engines, kFaiss);
  if (engines.size() < setting.Engines().size()) {
    setting.report.Note("\nchurn: faiss cannot remove from an HNSW index");
  }
  Samples samples;
  for (int seed = 0; seed < setting.options.seeds; ++seed) {
    const ChurnPlan plan =
        MakeChurnPlan(count, live, kRounds, static_cast<uint64_t>(seed) + 1);
    const std::vector<std::vector<uint32_t>> nearest =
        TrueIds(setting, plan.final_live);
    for (const std::string& engine : engines) {
      setting.report.Progress(
          absl::StrCat("churn of ", engine, ", seed ", seed + 1));
      ChurnRun run(setting, seed, engine, ef, plan, nearest);
      ENGRAM_RETURN_IF_ERROR(run.Measure(&samples));
    }
  }
  ReportChurn(setting, engines, ef, live, samples);
  return absl::OkStatus();
}

}  // namespace engram::bench

#include "tools/bench/duplicates_measure.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/duplicate_set.h"
#include "tools/bench/peers.h"
#include "tools/bench/searches.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

constexpr size_t kCopied = 125;
constexpr size_t kCopies = 200;
constexpr uint32_t kDefaultEf = 100;  // the default of a search

struct CopiesOutcome {
  double inserts_per_s = 0;
  double recall = 0;
  uint64_t unreachable = 0;
};

absl::StatusOr<CopiesOutcome> MeasureCopies(
    const Setting& setting, const std::string& engine, const DuplicateSet& set,
    const std::vector<Item>& items, const std::vector<double>& farthest) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Subject> subject,
                          MakeSubject(setting, engine, items.size()));
  const Matrix& base = setting.dataset.base;
  CopiesOutcome outcome;
  const Stopwatch watch;
  ENGRAM_RETURN_IF_ERROR(subject->Insert(base, items));
  outcome.inserts_per_s =
      static_cast<double>(items.size()) / watch.Read().wall_s;
  ENGRAM_RETURN_IF_ERROR(subject->Settle());
  ENGRAM_ASSIGN_OR_RETURN(const Answers answers,
                          SearchAll(*subject, set.queries, kDefaultEf));
  outcome.recall = RecallByDistance(
      answers, set.queries, setting.dataset.metric, farthest,
      [&](uint32_t id) { return base.row(set.row_of_id[id]); });
  ENGRAM_ASSIGN_OR_RETURN(outcome.unreachable, subject->CountUnreachable());
  return outcome;
}

DuplicateSet MakeSet(const Setting& setting) {
  const AllCores all(setting.pin);
  return MakeDuplicateSet(setting.dataset, setting.order, kCopied, kCopies);
}

}  // namespace

absl::Status MeasureDuplicates(const Setting& setting) {
  if (setting.order.size() < 2 * kCopied) {
    return absl::InvalidArgumentError(
        absl::StrCat("duplicates: the data set has ", setting.order.size(),
                     " rows, it takes at least ", 2 * kCopied));
  }
  std::vector<std::string> engines = setting.Engines();
  std::erase(engines, kFaiss);
  if (engines.size() < setting.Engines().size()) {
    setting.report.Note(
        "\nduplicates: without faiss, which copies make some twenty times "
        "slower");
  }
  const DuplicateSet set = MakeSet(setting);
  constexpr char kInsertsPerSecond[] = "inserts_per_s";
  Samples samples;
  std::vector<Json> rows;
  for (const std::string& engine : engines) {
    setting.report.Progress(absl::StrCat("duplicates in ", engine));
    ENGRAM_ASSIGN_OR_RETURN(
        const CopiesOutcome outcome,
        MeasureCopies(setting, engine, set, set.all, set.farthest_all));
    ENGRAM_ASSIGN_OR_RETURN(
        const CopiesOutcome unique,
        MeasureCopies(setting, engine, set, set.unique, set.farthest_unique));
    samples.Add(0, engine, kInsertsPerSecond, outcome.inserts_per_s);
    Json row = RowOf(setting, kDuplicates, engine);
    row["rows"] = set.all.size();
    row["copied"] = kCopied;
    row["copies"] = kCopies;
    row["ef"] = kDefaultEf;
    row[kInsertsPerSecond] = outcome.inserts_per_s;
    row["recall"] = outcome.recall;
    row["recall_unique"] = unique.recall;
    row["unreachable"] = outcome.unreachable;
    row["unreachable_unique"] = unique.unreachable;
    rows.push_back(std::move(row));
  }
  for (Json& row : rows)
    AddRatios(setting, samples, kInsertsPerSecond, "ratio", &row);
  setting.report.Rows(rows);
  return absl::OkStatus();
}

}  // namespace engram::bench

#include "tools/bench/recall.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/engram_subject.h"
#include "tools/bench/peers.h"
#include "tools/bench/report.h"
#include "tools/bench/row_order.h"
#include "tools/bench/scratch_folder.h"
#include "tools/bench/searches.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

// The queries are repeated until they have taken this long.
constexpr double kSearchSecondsMin = 1;

absl::Status MeasureBuild(Subject& subject, const Dataset& dataset,
                          const Report& report) {
  BuildResult result;
  result.rows = dataset.base.count();
  const Stopwatch watch;
  ENGRAM_RETURN_IF_ERROR(
      subject.Insert(dataset.base, RowsInFileOrder(dataset.base)));
  result.seconds = watch.Read().wall_s;
  report.Build(subject, result);
  return subject.Settle();
}

// Returns the answers for each ef.
absl::StatusOr<std::vector<Answers>> MeasureSearches(
    Subject& subject, const Dataset& dataset, const std::vector<uint32_t>& efs,
    const Report& report) {
  std::vector<Answers> all;
  for (const uint32_t ef : efs) {
    SearchResult result;
    result.ef = ef;
    ENGRAM_ASSIGN_OR_RETURN(Answers answers,
                            SearchAll(subject, dataset.queries, ef));
    result.recall = Recall(answers, dataset.neighbors);
    ENGRAM_ASSIGN_OR_RETURN(
        const SearchRate rate,
        MeasureRate(subject, dataset.queries, ef, kSearchSecondsMin));
    result.queries_per_second = rate.per_s;
    report.Search(subject, result);
    all.push_back(std::move(answers));
  }
  return all;
}

absl::Status CheckReopened(EngramSubject& subject, const Dataset& dataset,
                           const std::vector<uint32_t>& efs,
                           const std::vector<Answers>& before,
                           const Report& report) {
  ReopenResult result;
  const Stopwatch watch;
  ENGRAM_RETURN_IF_ERROR(subject.Reopen());
  result.seconds = watch.Read().wall_s;
  for (size_t i = 0; i < efs.size(); ++i) {
    ENGRAM_ASSIGN_OR_RETURN(const Answers after,
                            SearchAll(subject, dataset.queries, efs[i]));
    result.searches += after.size();
    for (size_t query = 0; query < after.size(); ++query) {
      if (!(after[query] == before[i][query])) ++result.different;
    }
  }
  report.Reopen(result);
  if (result.different == 0) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(result.different, " of ", result.searches,
                   " searches find something else after reopening"));
}

absl::Status Measure(const RecallOptions& options, const std::string& db_path) {
  ENGRAM_ASSIGN_OR_RETURN(
      const Dataset dataset,
      LoadDataset(options.dataset, options.metric, options.limit));
  const Report report(options.json);
  report.Run(options.commit, dataset, options.parameters);

  const IndexShape shape = {dataset.base.dimension(), dataset.metric,
                            dataset.base.count()};
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<EngramSubject> engram,
      EngramSubject::Create(db_path, Folder::kKept, shape, options.parameters));
  ENGRAM_RETURN_IF_ERROR(MeasureBuild(*engram, dataset, report));
  absl::StatusOr<std::unique_ptr<Subject>> baseline =
      MakeHnswlib(shape, options.parameters);
  if (absl::IsUnimplemented(baseline.status())) {
    report.Note(std::string(baseline.status().message()));
  } else {
    ENGRAM_RETURN_IF_ERROR(baseline.status());
    ENGRAM_RETURN_IF_ERROR(MeasureBuild(**baseline, dataset, report));
  }

  report.SearchHeading();
  ENGRAM_ASSIGN_OR_RETURN(
      const std::vector<Answers> answers,
      MeasureSearches(*engram, dataset, options.efs, report));
  if (baseline.ok()) {
    ENGRAM_RETURN_IF_ERROR(
        MeasureSearches(**baseline, dataset, options.efs, report).status());
  }
  ENGRAM_RETURN_IF_ERROR(
      CheckReopened(*engram, dataset, options.efs, answers, report));
  return engram->Close();
}

}  // namespace

absl::Status MeasureRecall(const RecallOptions& options) {
  if (!options.db.empty()) return Measure(options, options.db);
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> folder,
                          ScratchFolder::Create());
  return Measure(options, folder->Next());
}

}  // namespace engram::bench

#include "tools/bench/recall.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "tools/bench/engram_subject.h"
#include "tools/bench/report.h"

namespace engram::bench {
namespace {

using std::chrono::steady_clock;

// The queries are repeated until they have taken this long.
constexpr double kSearchSecondsMin = 1;

double SecondsSince(steady_clock::time_point begin) {
  return std::chrono::duration<double>(steady_clock::now() - begin).count();
}

// What each query finds, by query.
using Answers = std::vector<std::vector<Found>>;

absl::StatusOr<Answers> SearchAll(Subject& subject, const Matrix& queries,
                                  uint32_t ef) {
  Answers answers(queries.count());
  for (size_t i = 0; i < queries.count(); ++i) {
    ENGRAM_RETURN_IF_ERROR(subject.Search(queries.row(i), ef, &answers[i]));
  }
  return answers;
}

double Recall(const Dataset& dataset, const Answers& answers) {
  size_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::vector<uint32_t>& nearest = dataset.neighbors[i];
    for (const Found& found : answers[i]) {
      right += std::count(nearest.begin(), nearest.end(), found.row);
    }
  }
  return static_cast<double>(right) /
         static_cast<double>(answers.size() * kNeighbors);
}

absl::StatusOr<double> QueriesPerSecond(Subject& subject, const Matrix& queries,
                                        uint32_t ef) {
  const steady_clock::time_point begin = steady_clock::now();
  std::vector<Found> found;
  size_t count = 0;
  double seconds = 0;
  while (seconds < kSearchSecondsMin) {
    for (size_t i = 0; i < queries.count(); ++i) {
      ENGRAM_RETURN_IF_ERROR(subject.Search(queries.row(i), ef, &found));
    }
    count += queries.count();
    seconds = SecondsSince(begin);
  }
  return static_cast<double>(count) / seconds;
}

absl::Status MeasureBuild(Subject& subject, const Dataset& dataset,
                          const Report& report) {
  BuildResult result;
  result.rows = dataset.base.count();
  const steady_clock::time_point begin = steady_clock::now();
  ENGRAM_RETURN_IF_ERROR(subject.Build(dataset.base));
  result.seconds = SecondsSince(begin);
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
    result.recall = Recall(dataset, answers);
    ENGRAM_ASSIGN_OR_RETURN(result.queries_per_second,
                            QueriesPerSecond(subject, dataset.queries, ef));
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
  const steady_clock::time_point begin = steady_clock::now();
  ENGRAM_RETURN_IF_ERROR(subject.Reopen());
  result.seconds = SecondsSince(begin);
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

  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<EngramSubject> engram,
      EngramSubject::Create(db_path, dataset, options.parameters));
  ENGRAM_RETURN_IF_ERROR(MeasureBuild(*engram, dataset, report));
  absl::StatusOr<std::unique_ptr<Subject>> baseline =
      MakeBaseline(dataset, options.parameters);
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
  std::error_code error;
  std::string folder =
      std::filesystem::temp_directory_path(error) / "engram-bench-XXXXXX";
  if (error || ::mkdtemp(folder.data()) == nullptr) {
    return ErrnoStatus(error ? error.value() : errno, "create", folder);
  }
  const absl::Status status = Measure(options, folder + "/db");
  std::filesystem::remove_all(folder, error);
  return status;
}

}  // namespace engram::bench

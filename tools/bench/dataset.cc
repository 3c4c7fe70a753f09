#include "tools/bench/dataset.h"

#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/ground_truth.h"
#include "tools/vectors/ivecs_reader.h"
#include "tools/vectors/vector_reader.h"

namespace engram::bench {
namespace {

bool Exists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

absl::StatusOr<std::string> FindFile(const std::string& stem) {
  for (const char* const ending : {".fvecs", ".bvecs", ".npy"}) {
    const std::string path = absl::StrCat(stem, ending);
    if (Exists(path)) return path;
  }
  return absl::NotFoundError(
      absl::StrCat("there is no ", stem, ".{fvecs,bvecs,npy}"));
}

absl::StatusOr<Matrix> ReadMatrix(const std::string& stem, size_t limit) {
  ENGRAM_ASSIGN_OR_RETURN(const std::string path, FindFile(stem));
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<VectorReader> reader,
                          VectorReader::Open(path));
  Matrix matrix;
  std::vector<float> row;
  while (matrix.count() < limit) {
    ENGRAM_ASSIGN_OR_RETURN(const bool more, reader->Next(&row));
    if (!more) break;
    matrix.Append(row);
  }
  if (matrix.count() < kNeighbors) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", matrix.count(), " vectors are too few for a measurement"));
  }
  return matrix;
}

absl::Status ReadNeighbors(const std::string& path, Dataset* dataset) {
  ENGRAM_ASSIGN_OR_RETURN(IvecsReader reader, IvecsReader::Open(path));
  if (reader.dimension() < kNeighbors ||
      reader.count() != dataset->queries.count()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": holds ", reader.dimension(), " neighbors of ",
                     reader.count(), " queries, expected are at least ",
                     kNeighbors, " of ", dataset->queries.count()));
  }
  std::vector<int32_t> row;
  while (true) {
    ENGRAM_ASSIGN_OR_RETURN(const bool more, reader.Next(&row));
    if (!more) return absl::OkStatus();
    std::vector<uint32_t>& nearest = dataset->neighbors.emplace_back();
    for (size_t i = 0; i < kNeighbors; ++i) {
      if (row[i] < 0 || static_cast<size_t>(row[i]) >= dataset->base.count()) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": neighbor ", row[i], " of ",
                         dataset->base.count(), " vectors"));
      }
      nearest.push_back(static_cast<uint32_t>(row[i]));
    }
  }
}

}  // namespace

absl::StatusOr<Dataset> LoadVectors(const std::string& prefix, Metric metric,
                                    size_t limit) {
  Dataset dataset;
  dataset.name = std::filesystem::path(prefix).filename();
  dataset.metric = metric;
  constexpr size_t kAll = std::numeric_limits<size_t>::max();
  ENGRAM_ASSIGN_OR_RETURN(
      dataset.base,
      ReadMatrix(absl::StrCat(prefix, ".base"), limit == 0 ? kAll : limit));
  if (dataset.base.count() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(prefix, ": has no vectors"));
  }
  ENGRAM_ASSIGN_OR_RETURN(dataset.queries,
                          ReadMatrix(absl::StrCat(prefix, ".query"), kAll));
  if (dataset.queries.dimension() != dataset.base.dimension()) {
    return absl::InvalidArgumentError(
        absl::StrCat(prefix, ": queries have ", dataset.queries.dimension(),
                     " components, the base has ", dataset.base.dimension()));
  }
  return dataset;
}

absl::StatusOr<Dataset> LoadDataset(const std::string& prefix, Metric metric,
                                    size_t limit) {
  ENGRAM_ASSIGN_OR_RETURN(Dataset dataset, LoadVectors(prefix, metric, limit));
  const std::string path = absl::StrCat(
      prefix, metric == Metric::kCosine ? ".gt.cos.ivecs" : ".gt.l2.ivecs");
  if (limit == 0 && Exists(path)) {
    ENGRAM_RETURN_IF_ERROR(ReadNeighbors(path, &dataset));
    dataset.neighbors_from_file = true;
  } else {
    dataset.neighbors =
        TrueNeighbors(dataset.base, dataset.queries, metric, kNeighbors);
  }
  return dataset;
}

}  // namespace engram::bench

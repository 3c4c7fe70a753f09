#include <omp.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "faiss/IndexHNSW.h"
#include "faiss/impl/HNSW.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/peers.h"
#include "tools/bench/reachability.h"

namespace engram::bench {
namespace {

// Rows of one add(), which makes locks and a visited table for all rows that
// the index holds: one row at a time would take quadratic time.
constexpr size_t kRowsPerAdd = 4096;

absl::Status Failure(const std::exception& error) {
  return absl::InternalError(absl::StrCat("faiss: ", error.what()));
}

faiss::MetricType MetricOf(Metric metric) {
  return metric == Metric::kL2 ? faiss::METRIC_L2 : faiss::METRIC_INNER_PRODUCT;
}

// Cosine is the inner product of normalised vectors.
class FaissBaseline final : public Subject {
 public:
  FaissBaseline(const IndexShape& shape, const IndexParameters& parameters)
      : metric_(shape.metric),
        parameters_(parameters),
        index_(static_cast<int>(shape.dimension),
               static_cast<int>(parameters.M), MetricOf(shape.metric)) {
    index_.hnsw.efConstruction = static_cast<int>(parameters.ef_construction);
  }

  std::string name() const override { return kFaiss; }

  std::string building() const override {
    return absl::StrCat("in memory only, ", parameters_.threads,
                        parameters_.threads == 1 ? " thread" : " threads",
                        ", IndexHNSWFlat as the package compiles it");
  }

  absl::Status Insert(const Matrix& base,
                      absl::Span<const Item> items) override {
    ::omp_set_num_threads(static_cast<int>(parameters_.threads));
    try {
      std::vector<float> rows;
      for (size_t begin = 0; begin < items.size(); begin += kRowsPerAdd) {
        const auto some = items.subspan(begin, kRowsPerAdd);
        rows.clear();
        for (const Item& item : some) {
          Append(base.row(item.row), &rows);
          ids_.push_back(item.id);
        }
        index_.add(static_cast<faiss::Index::idx_t>(some.size()), rows.data());
      }
    } catch (const std::exception& error) {
      return Failure(error);
    }
    return absl::OkStatus();
  }

  absl::Status Replace(const Matrix&, absl::Span<const uint32_t>,
                       absl::Span<const Item>) override {
    return absl::UnimplementedError("faiss cannot remove from an HNSW index");
  }

  absl::Status Search(absl::Span<const float> query, uint32_t ef,
                      std::vector<Found>* found) override {
    found->clear();
    ::omp_set_num_threads(1);
    query_.clear();
    Append(query, &query_);
    float distances[kNeighbors];
    faiss::Index::idx_t positions[kNeighbors];
    try {
      // Not through its SearchParametersHNSW: version 1.7.3 takes one of its
      // two beam widths from here all the same.
      index_.hnsw.efSearch = static_cast<int>(ef);
      index_.search(1, query_.data(), kNeighbors, distances, positions);
    } catch (const std::exception& error) {
      return Failure(error);
    }
    for (size_t i = 0; i < kNeighbors && positions[i] >= 0; ++i) {
      found->push_back(
          {ids_[static_cast<size_t>(positions[i])],
           metric_ == Metric::kL2 ? distances[i] : 1 - distances[i]});
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> CountUnreachable() override {
    const faiss::HNSW& hnsw = index_.hnsw;
    const auto links = [&hnsw](uint32_t node) {
      size_t begin = 0;
      size_t end = 0;
      hnsw.neighbor_range(node, 0, &begin, &end);
      // Unused places, which are at the end, hold -1.
      while (end > begin && hnsw.neighbors[end - 1] < 0) --end;
      return absl::MakeConstSpan(hnsw.neighbors).subspan(begin, end - begin);
    };
    if (ids_.empty()) return 0;
    return bench::CountUnreachable(
        ids_.size(), static_cast<uint32_t>(hnsw.entry_point), links);
  }

 private:
  void Append(absl::Span<const float> row, std::vector<float>* rows) const {
    if (metric_ == Metric::kL2) {
      rows->insert(rows->end(), row.begin(), row.end());
      return;
    }
    const std::vector<float> normalised = Normalised(row);
    rows->insert(rows->end(), normalised.begin(), normalised.end());
  }

  const Metric metric_;
  const IndexParameters parameters_;
  faiss::IndexHNSWFlat index_;
  std::vector<uint32_t> ids_;  // by position
  std::vector<float> query_;   // scratch of Search()
};

}  // namespace

absl::StatusOr<std::unique_ptr<Subject>> MakeFaiss(
    const IndexShape& shape, const IndexParameters& parameters) {
  try {
    return std::make_unique<FaissBaseline>(shape, parameters);
  } catch (const std::exception& error) {
    return Failure(error);
  }
}

}  // namespace engram::bench

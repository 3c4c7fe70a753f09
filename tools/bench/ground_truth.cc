#include "tools/bench/ground_truth.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <tuple>

#include "tools/bench/machine.h"

namespace engram::bench {
namespace {

// Sums in lanes, which the compiler turns into vector instructions.
constexpr size_t kLanes = 16;

template <typename Term>
double Sum(size_t count, const Term& term) {
  float lanes[kLanes] = {};
  const size_t whole = count / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  double sum = 0;
  for (const float lane : lanes) sum += lane;
  for (size_t i = whole; i < count; ++i) sum += term(i);
  return sum;
}

double Distance(Metric metric, const float* a, const float* b, size_t count) {
  if (metric == Metric::kL2) {
    return Sum(count, [=](size_t i) {
      const float difference = a[i] - b[i];
      return difference * difference;
    });
  }
  return 1 - Sum(count, [=](size_t i) { return a[i] * b[i]; });
}

Matrix Prepared(const Matrix& matrix, Metric metric) {
  if (metric != Metric::kCosine) return matrix;
  Matrix normalised;
  for (size_t i = 0; i < matrix.count(); ++i) {
    normalised.Append(Normalised(matrix.row(i)));
  }
  return normalised;
}

std::vector<TrueNeighbor> Nearest(const Matrix& base,
                                  absl::Span<const float> query, Metric metric,
                                  size_t k) {
  std::vector<TrueNeighbor> all(base.count());
  for (size_t i = 0; i < base.count(); ++i) {
    all[i].row = static_cast<uint32_t>(i);
    all[i].distance =
        Distance(metric, query.data(), base.row(i).data(), query.size());
  }
  const auto nearer = [](const TrueNeighbor& a, const TrueNeighbor& b) {
    return std::tie(a.distance, a.row) < std::tie(b.distance, b.row);
  };
  const size_t count = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(count),
                    all.end(), nearer);
  return {all.begin(), all.begin() + static_cast<ptrdiff_t>(count)};
}

}  // namespace

std::vector<float> Normalised(absl::Span<const float> row) {
  double squared = 0;
  for (const float component : row) {
    squared += static_cast<double>(component) * component;
  }
  const double scale = squared > 0 ? 1 / std::sqrt(squared) : 1;
  std::vector<float> normalised;
  normalised.reserve(row.size());
  for (const float component : row) {
    normalised.push_back(static_cast<float>(component * scale));
  }
  return normalised;
}

std::vector<std::vector<TrueNeighbor>> TrueNearest(const Matrix& base,
                                                   const Matrix& queries,
                                                   Metric metric, size_t k) {
  const Matrix rows = Prepared(base, metric);
  const Matrix prepared_queries = Prepared(queries, metric);
  std::vector<std::vector<TrueNeighbor>> neighbors(queries.count());
  // Relaxed: only hands out numbers.
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < Processors(); ++i) {
    threads.emplace_back([&] {
      while (true) {
        const size_t query = next.fetch_add(1, std::memory_order_relaxed);
        if (query >= neighbors.size()) return;
        neighbors[query] =
            Nearest(rows, prepared_queries.row(query), metric, k);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return neighbors;
}

std::vector<std::vector<uint32_t>> TrueNeighbors(const Matrix& base,
                                                 const Matrix& queries,
                                                 Metric metric, size_t k) {
  std::vector<std::vector<uint32_t>> rows;
  for (const auto& neighbors : TrueNearest(base, queries, metric, k)) {
    std::vector<uint32_t>& row = rows.emplace_back();
    for (const TrueNeighbor& neighbor : neighbors) row.push_back(neighbor.row);
  }
  return rows;
}

double TrueDistance(Metric metric, absl::Span<const float> a,
                    absl::Span<const float> b) {
  if (metric == Metric::kL2) {
    return Distance(metric, a.data(), b.data(), a.size());
  }
  const std::vector<float> normal_a = Normalised(a);
  const std::vector<float> normal_b = Normalised(b);
  return Distance(metric, normal_a.data(), normal_b.data(), a.size());
}

}  // namespace engram::bench

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hnswlib/hnswlib.h"
#include "storage/base/mutex.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/subject.h"

namespace engram::bench {
namespace {

constexpr size_t kSeed = 100;  // hnswlib's own default

// Cosine is the inner product of normalised vectors, as its README says.
class HnswlibBaseline final : public Subject {
 public:
  HnswlibBaseline(const Dataset& dataset, const IndexParameters& parameters)
      : metric_(dataset.metric), parameters_(parameters) {
    const size_t dimension = dataset.base.dimension();
    if (metric_ == Metric::kL2) {
      space_ = std::make_unique<hnswlib::L2Space>(dimension);
    } else {
      space_ = std::make_unique<hnswlib::InnerProductSpace>(dimension);
    }
    index_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(
        space_.get(), dataset.base.count(), parameters.M,
        parameters.ef_construction, kSeed);
  }

  std::string name() const override { return "hnswlib"; }

  std::string building() const override {
    return absl::StrCat("in memory only, ", parameters_.threads, " threads");
  }

  absl::Status Build(const Matrix& base) override {
    // Relaxed: only hands out numbers.
    std::atomic<size_t> next{0};
    Mutex mutex;
    absl::Status status;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < parameters_.threads; ++i) {
      threads.emplace_back([&] {
        try {
          while (true) {
            const size_t row = next.fetch_add(1, std::memory_order_relaxed);
            if (row >= base.count()) return;
            const std::vector<float> vector = Prepared(base.row(row));
            index_->addPoint(vector.data(), row);
          }
        } catch (const std::exception& error) {
          MutexLock lock(mutex);
          status = absl::InternalError(absl::StrCat("hnswlib: ", error.what()));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return status;
  }

  absl::Status Search(absl::Span<const float> query, uint32_t ef,
                      std::vector<Found>* found) override {
    found->clear();
    try {
      index_->setEf(ef);
      const std::vector<float> vector = Prepared(query);
      auto heap = index_->searchKnn(vector.data(), kNeighbors);
      for (; !heap.empty(); heap.pop()) {
        found->push_back(
            {static_cast<uint32_t>(heap.top().second), heap.top().first});
      }
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("hnswlib: ", error.what()));
    }
    std::reverse(found->begin(), found->end());
    return absl::OkStatus();
  }

 private:
  std::vector<float> Prepared(absl::Span<const float> row) const {
    if (metric_ == Metric::kCosine) return Normalised(row);
    return std::vector<float>(row.begin(), row.end());
  }

  const Metric metric_;
  const IndexParameters parameters_;
  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Subject>> MakeBaseline(
    const Dataset& dataset, const IndexParameters& parameters) {
  try {
    return std::make_unique<HnswlibBaseline>(dataset, parameters);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("hnswlib: ", error.what()));
  }
}

}  // namespace engram::bench

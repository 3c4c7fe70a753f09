#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "hnswlib/hnswlib.h"
#include "storage/base/mutex.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/peers.h"
#include "tools/bench/reachability.h"

namespace engram::bench {
namespace {

constexpr size_t kSeed = 100;  // hnswlib's own default

absl::Status Failure(const std::exception& error) {
  return absl::InternalError(absl::StrCat("hnswlib: ", error.what()));
}

// Cosine is the inner product of normalised vectors, as its README says.
class HnswlibBaseline final : public Subject {
 public:
  HnswlibBaseline(const IndexShape& shape, const IndexParameters& parameters)
      : metric_(shape.metric), parameters_(parameters) {
    if (metric_ == Metric::kL2) {
      space_ = std::make_unique<hnswlib::L2Space>(shape.dimension);
    } else {
      space_ = std::make_unique<hnswlib::InnerProductSpace>(shape.dimension);
    }
    index_ = std::make_unique<hnswlib::HierarchicalNSW<float>>(
        space_.get(), shape.capacity, parameters.M, parameters.ef_construction,
        kSeed);
  }

  std::string name() const override { return kHnswlib; }

  std::string building() const override {
    return absl::StrCat("in memory only, ", parameters_.threads,
                        parameters_.threads == 1 ? " thread" : " threads",
                        ", compiled for this processor");
  }

  absl::Status Insert(const Matrix& base,
                      absl::Span<const Item> items) override {
    // Relaxed: only hands out numbers.
    std::atomic<size_t> next{0};
    Mutex mutex;
    absl::Status status;
    std::vector<std::thread> threads;
    const auto insert = [&] {
      try {
        std::vector<float> scratch;
        while (true) {
          const size_t at = next.fetch_add(1, std::memory_order_relaxed);
          if (at >= items.size()) return;
          index_->addPoint(Prepared(base.row(items[at].row), &scratch),
                           items[at].id);
        }
      } catch (const std::exception& error) {
        MutexLock lock(mutex);
        status = Failure(error);
      }
    };
    for (unsigned i = 1; i < parameters_.threads; ++i) {
      threads.emplace_back(insert);
    }
    insert();
    for (std::thread& thread : threads) thread.join();
    return status;
  }

  // What replace_deleted does in version 0.7: it unmarks a node that is marked
  // deleted and updates it with the new vector. Version 0.6.2 does that to a
  // marked label only, so that a new id takes over the label of a removed one.
  absl::Status Replace(const Matrix& base, absl::Span<const uint32_t> removed,
                       absl::Span<const Item> inserted) override {
    try {
      std::vector<float> scratch;
      for (size_t i = 0; i < removed.size(); ++i) {
        const hnswlib::labeltype label = TakeLabel(removed[i]);
        index_->markDelete(label);
        index_->addPoint(Prepared(base.row(inserted[i].row), &scratch), label);
        label_of_id_[inserted[i].id] = label;
        id_of_label_[label] = inserted[i].id;
      }
    } catch (const std::exception& error) {
      return Failure(error);
    }
    return absl::OkStatus();
  }

  absl::Status Search(absl::Span<const float> query, uint32_t ef,
                      std::vector<Found>* found) override {
    found->clear();
    try {
      index_->setEf(ef);
      auto heap = index_->searchKnn(Prepared(query, &query_), kNeighbors);
      for (; !heap.empty(); heap.pop()) {
        found->push_back({IdOf(heap.top().second), heap.top().first});
      }
    } catch (const std::exception& error) {
      return Failure(error);
    }
    std::reverse(found->begin(), found->end());
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> CountUnreachable() override {
    const auto links = [this](uint32_t node) {
      hnswlib::linklistsizeint* const list = index_->get_linklist0(node);
      return absl::MakeConstSpan(list + 1, index_->getListCount(list));
    };
    const size_t count = index_->cur_element_count;
    if (count == 0) return 0;
    return bench::CountUnreachable(count, index_->enterpoint_node_, links);
  }

 private:
  // What addPoint() and searchKnn() take; it lives as long as both arguments.
  const float* Prepared(absl::Span<const float> row,
                        std::vector<float>* scratch) const {
    if (metric_ == Metric::kL2) return row.data();
    *scratch = Normalised(row);
    return scratch->data();
  }

  hnswlib::labeltype TakeLabel(uint32_t id) {
    const auto found = label_of_id_.find(id);
    if (found == label_of_id_.end()) return id;
    const hnswlib::labeltype label = found->second;
    label_of_id_.erase(found);
    return label;
  }

  uint32_t IdOf(hnswlib::labeltype label) const {
    const auto found = id_of_label_.find(label);
    return found == id_of_label_.end() ? static_cast<uint32_t>(label)
                                       : found->second;
  }

  const Metric metric_;
  const IndexParameters parameters_;
  std::unique_ptr<hnswlib::SpaceInterface<float>> space_;
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index_;
  // Of ids that took over a label; the label of any other id is the id. So
  // these take no memory where nothing is replaced.
  absl::flat_hash_map<uint32_t, hnswlib::labeltype> label_of_id_;
  absl::flat_hash_map<hnswlib::labeltype, uint32_t> id_of_label_;
  std::vector<float> query_;  // scratch of Search()
};

}  // namespace

absl::StatusOr<std::unique_ptr<Subject>> MakeHnswlib(
    const IndexShape& shape, const IndexParameters& parameters) {
  try {
    return std::make_unique<HnswlibBaseline>(shape, parameters);
  } catch (const std::exception& error) {
    return Failure(error);
  }
}

}  // namespace engram::bench

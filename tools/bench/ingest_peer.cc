#include "tools/bench/ingest_peer.h"

#include <memory>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "tools/bench/peers.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

// What is measured; 1 to 2 s of one core.
constexpr uint32_t kInserts = 4000;

// Each thread inserts one vector at a time while it holds the mutex.
class LockedInserts {
 public:
  LockedInserts(Subject* index, const Matrix& rows, uint32_t first)
      : index_(*index), rows_(rows), next_(first) {}

  absl::Status Run(int threads) {
    std::vector<std::thread> running;
    for (int i = 0; i < threads; ++i) {
      running.emplace_back([this] {
        while (InsertOne()) {
        }
      });
    }
    for (std::thread& thread : running) thread.join();
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  bool InsertOne() {
    MutexLock lock(mutex_);
    if (next_ == rows_.count() || !status_.ok()) return false;
    const Item item = {.id = next_, .row = next_};
    ++next_;
    status_ = index_.Insert(rows_, {&item, 1});
    return true;
  }

  Mutex mutex_;
  Subject& index_;
  const Matrix& rows_;
  uint32_t next_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<PeerRate> MeasureHnswlibInserts(const IngestOptions& options,
                                               int threads, uint32_t dimension,
                                               NoisyRows* rows) {
  Matrix matrix;
  std::vector<Item> preload;
  for (uint32_t i = 0; i < options.preload + kInserts; ++i) {
    matrix.Append(rows->Next());
    if (i < options.preload) preload.push_back({.id = i, .row = i});
  }
  const IndexShape shape = {.dimension = dimension,
                            .metric = options.metric,
                            .capacity = matrix.count()};
  const IndexParameters parameters = {
      .M = options.M, .ef_construction = options.ef_construction, .threads = 1};
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Subject> index,
                          MakeHnswlib(shape, parameters));
  ENGRAM_RETURN_IF_ERROR(index->Insert(matrix, preload));
  const Stopwatch watch;
  ENGRAM_RETURN_IF_ERROR(
      LockedInserts(index.get(), matrix, options.preload).Run(threads));
  const Elapsed elapsed = watch.Read();
  return PeerRate{.per_s = kInserts / elapsed.wall_s,
                  .per_core_s = kInserts / elapsed.cpu_s};
}

}  // namespace engram::bench

// All processors saturated, as by Engram's own workers.

#ifndef ENGRAM_TOOLS_BENCH_WAL_BUSY_H_
#define ENGRAM_TOOLS_BENCH_WAL_BUSY_H_

#include <atomic>
#include <thread>
#include <vector>

namespace engram::bench {

// One thread per processor, at nice 5 like Engram's workers, that does what
// they do nearly all of the time: compares a vector with others, at random
// places of more memory than any cache holds. Until this is destroyed.
class IndexingLoad {
 public:
  IndexingLoad();
  ~IndexingLoad();

  IndexingLoad(const IndexingLoad&) = delete;
  IndexingLoad& operator=(const IndexingLoad&) = delete;

 private:
  void Compare(unsigned seed) const;

  std::vector<float> vectors_;
  std::atomic<bool> stop_{false};  // relaxed: only asked to end
  std::vector<std::thread> threads_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_WAL_BUSY_H_

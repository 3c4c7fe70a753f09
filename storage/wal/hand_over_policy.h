// Whether a waiting thread is asked to write its group.

#ifndef ENGRAM_STORAGE_WAL_HAND_OVER_POLICY_H_
#define ENGRAM_STORAGE_WAL_HAND_OVER_POLICY_H_

#include <cstdint>

namespace engram::wal {

// While processors are free, a thread that waits is awake some 20 us after it
// is asked, and writing its own group saves a second awakening. While all are
// busy it waits for a turn, 1 to 4 ms, and everyone else for it: then the log's
// thread, which asks for short turns, is the better one. So what counts is how
// long those who were asked took.
//
// Thread safety: none.
class HandOverPolicy {
 public:
  // Whether to ask. An answer of no brings the next attempt nearer.
  bool Ask() {
    if (delay_micros_ <= kDelayMicrosMax) return true;
    delay_micros_ -= delay_micros_ / 32 + 1;
    return false;
  }

  // Whoever was asked took this long to come.
  void OnDelay(int64_t micros) {
    delay_micros_ += (micros - delay_micros_) / 4;
  }

 private:
  static constexpr int64_t kDelayMicrosMax = 200;

  int64_t delay_micros_ = 0;  // a moving average
};

}  // namespace engram::wal

#endif  // ENGRAM_STORAGE_WAL_HAND_OVER_POLICY_H_

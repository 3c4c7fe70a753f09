// When the next amount may pass if no more than a rate is to.

#ifndef ENGRAM_ENGINE_INGEST_RATE_METER_H_
#define ENGRAM_ENGINE_INGEST_RATE_METER_H_

#include <algorithm>
#include <cstdint>

namespace engram::ingest {

// A token bucket that holds one second's worth, as virtual scheduling (the
// generic cell rate algorithm of ITU-T I.371): instead of tokens it keeps the
// time at which all that has passed would have, one after the other at the
// rate. How large an amount is does not matter for its own turn: any passes
// once what passed before is within the bucket, and those behind it wait the
// longer. So at once there passes a second's worth, and one more amount of any
// size.
//
// Time is given by the caller, in microseconds. Thread safety: none.
class RateMeter {
 public:
  // 0: everything passes at once. What passed before is forgotten.
  void SetRate(uint64_t per_second) {
    per_second_ = per_second;
    paid_until_ = 0;
  }

  uint64_t rate() const { return per_second_; }

  // How long an amount that comes now has to wait.
  int64_t Wait(int64_t now) const {
    if (per_second_ == 0) return 0;
    const double wait = paid_until_ - kBurstMicros - static_cast<double>(now);
    return wait <= 0 ? 0 : static_cast<int64_t>(wait) + 1;
  }

  // Lets an amount pass after Wait(now); later ones wait behind it.
  void Take(uint64_t amount, int64_t now) {
    if (per_second_ == 0) return;
    paid_until_ =
        std::max(paid_until_, static_cast<double>(now)) + Micros(amount);
  }

  // An amount that was taken did not pass after all.
  void GiveBack(uint64_t amount) {
    if (per_second_ != 0) paid_until_ -= Micros(amount);
  }

 private:
  static constexpr double kBurstMicros = 1e6;

  double Micros(uint64_t amount) const {
    return static_cast<double>(amount) * 1e6 / static_cast<double>(per_second_);
  }

  uint64_t per_second_ = 0;
  // Exact to a nanosecond for a month of uptime, to a microsecond for 200
  // years.
  double paid_until_ = 0;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_RATE_METER_H_

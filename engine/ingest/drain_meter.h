// How fast records are indexed, to say how long something will take.

#ifndef ENGRAM_ENGINE_INGEST_DRAIN_METER_H_
#define ENGRAM_ENGINE_INGEST_DRAIN_METER_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

namespace engram::ingest {

// Measures the last second in which there was something to drain: a pause is no
// slowness. Times are microseconds of one clock that does not go back.
//
// Thread safety: none of its own.
class DrainMeter {
 public:
  // There is something to drain, after a time without.
  void Begin(int64_t now) {
    samples_.clear();
    samples_.push_back({now, records_, bytes_});
  }

  // Begin() was called before.
  void Add(uint64_t records, uint64_t bytes, int64_t now) {
    records_ += records;
    bytes_ += bytes;
    if (now - samples_.back().micros < kSampleMicros) return;
    samples_.push_back({now, records_, bytes_});
    while (samples_.size() > 2 && now - samples_[1].micros > kWindowMicros) {
      samples_.pop_front();
    }
    last_ = RateAt(now).value_or(last_);
  }

  // How long it takes to drain so much; nothing if that was never measured.
  std::optional<int64_t> Micros(uint64_t records, uint64_t bytes,
                                int64_t now) const {
    const std::optional<Rate> rate = RateAt(now);
    const Rate& used = rate.has_value() ? *rate : last_;
    if (used.records <= 0 || used.bytes <= 0) return std::nullopt;
    const double micros = std::max(static_cast<double>(records) / used.records,
                                   static_cast<double>(bytes) / used.bytes);
    return static_cast<int64_t>(std::min(micros, kMicrosMax));
  }

 private:
  static constexpr int64_t kSampleMicros = 20'000;
  static constexpr int64_t kWindowMicros = 1'000'000;
  // What is measured in less says little: records come off in batches.
  static constexpr int64_t kTrustedMicros = 100'000;
  static constexpr double kMicrosMax = 3600e6;

  struct Sample {
    int64_t micros;
    uint64_t records;
    uint64_t bytes;
  };
  struct Rate {  // per microsecond
    double records = 0;
    double bytes = 0;
  };

  std::optional<Rate> RateAt(int64_t now) const {
    if (samples_.empty()) return std::nullopt;
    const Sample& first = samples_.front();
    if (now - first.micros < kTrustedMicros || records_ == first.records) {
      return std::nullopt;
    }
    const auto micros = static_cast<double>(now - first.micros);
    return Rate{static_cast<double>(records_ - first.records) / micros,
                static_cast<double>(bytes_ - first.bytes) / micros};
  }

  std::deque<Sample> samples_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
  Rate last_;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_DRAIN_METER_H_

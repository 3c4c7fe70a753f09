// How fast records are indexed, to say how long something will take.

#ifndef ENGRAM_ENGINE_INGEST_DRAIN_METER_H_
#define ENGRAM_ENGINE_INGEST_DRAIN_METER_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace engram::ingest {

// Measures the last second in which there was something to index: a pause is no
// slowness, and where writers are slower than the workers it is not the writers
// that are measured. Times are microseconds of one clock that does not go back.
//
// Thread safety: none of its own.
class DrainMeter {
 public:
  // There is something to index from now on.
  void Resume(int64_t now) { resumed_ = now; }

  // There is nothing any more.
  void Pause(int64_t now) {
    busy_micros_ = BusyMicros(now);
    resumed_.reset();
  }

  // So much is indexed.
  void Add(uint64_t records, uint64_t bytes, int64_t now) {
    records_ += records;
    bytes_ += bytes;
    const int64_t busy = BusyMicros(now);
    if (busy - samples_.back().busy_micros < kSampleMicros) return;
    samples_.push_back({busy, records_, bytes_});
    while (busy - samples_[1].busy_micros > kWindowMicros) {
      samples_.erase(samples_.begin());
    }
  }

  // How long it takes to index so much; nothing before enough was measured.
  std::optional<int64_t> Micros(uint64_t records, uint64_t bytes,
                                int64_t now) const {
    const Sample& first = samples_.front();
    const auto busy = static_cast<double>(BusyMicros(now) - first.busy_micros);
    if (busy < kTrustedMicros || records_ == first.records) return std::nullopt;
    const double shares = std::max(Share(records, records_ - first.records),
                                   Share(bytes, bytes_ - first.bytes));
    return static_cast<int64_t>(std::min(shares * busy, kMicrosMax));
  }

 private:
  static constexpr int64_t kSampleMicros = 20'000;
  static constexpr int64_t kWindowMicros = 1'000'000;
  // What is measured in less says little: records come off in batches.
  static constexpr double kTrustedMicros = 100'000;
  static constexpr double kMicrosMax = 3600e6;

  struct Sample {
    int64_t busy_micros = 0;
    uint64_t records = 0;
    uint64_t bytes = 0;
  };

  // Records that are indexed have bytes.
  static double Share(uint64_t part, uint64_t whole) {
    return static_cast<double>(part) /
           static_cast<double>(std::max<uint64_t>(whole, 1));
  }

  // How long there was something to index, until `now`.
  int64_t BusyMicros(int64_t now) const {
    return busy_micros_ + (resumed_.has_value() ? now - *resumed_ : 0);
  }

  std::vector<Sample> samples_ = {Sample()};  // never empty, 51 at most
  int64_t busy_micros_ = 0;                   // until it was paused last
  std::optional<int64_t> resumed_;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_DRAIN_METER_H_

// How long the records of a space took.

#ifndef ENGRAM_ENGINE_SPACE_LATENCIES_H_
#define ENGRAM_ENGINE_SPACE_LATENCIES_H_

#include "engram/stats.h"
#include "storage/base/histogram.h"

namespace engram::space {

// See LatencyStats for what the three are.
struct Latencies {
  Histogram to_durable;
  Histogram durable_to_indexed;
  Histogram to_indexed;

  void Merge(const Latencies& other) {
    to_durable.Merge(other.to_durable);
    durable_to_indexed.Merge(other.durable_to_indexed);
    to_indexed.Merge(other.to_indexed);
  }
};

inline LatencyStats ToStats(const Histogram& histogram) {
  LatencyStats stats;
  stats.count = histogram.count();
  stats.sum = absl::Microseconds(histogram.sum());
  stats.p50 = absl::Microseconds(histogram.Quantile(.5));
  stats.p99 = absl::Microseconds(histogram.Quantile(.99));
  stats.p999 = absl::Microseconds(histogram.Quantile(.999));
  stats.max = absl::Microseconds(histogram.max());
  return stats;
}

inline IngestLatencies ToStats(const Latencies& latencies) {
  IngestLatencies stats;
  stats.to_durable = ToStats(latencies.to_durable);
  stats.durable_to_indexed = ToStats(latencies.durable_to_indexed);
  stats.to_indexed = ToStats(latencies.to_indexed);
  return stats;
}

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_LATENCIES_H_

#include "tools/bench/ingest_seconds.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace engram::bench {
namespace {

// Moments are where the thread that looked got the processor, not where a
// second begins: between two of them all counts rise evenly.
class Interpolated {
 public:
  explicit Interpolated(const std::vector<IngestMoment>& moments)
      : moments_(moments) {}

  template <typename Field>
  double At(double s, const Field& field) const {
    const auto after = std::lower_bound(
        moments_.begin(), moments_.end(), s,
        [](const IngestMoment& moment, double at) { return moment.s < at; });
    if (after == moments_.begin()) return Value(moments_.front(), field);
    if (after == moments_.end()) return Value(moments_.back(), field);
    const IngestMoment& before = *(after - 1);
    const double share = (s - before.s) / (after->s - before.s);
    return Value(before, field) +
           share * (Value(*after, field) - Value(before, field));
  }

 private:
  template <typename Field>
  static double Value(const IngestMoment& moment, const Field& field) {
    return static_cast<double>(field(moment));
  }

  const std::vector<IngestMoment>& moments_;
};

// What the sum of durations grew by, for each that was added.
std::optional<double> MeanMs(const Interpolated& moments, double from_s,
                             double to_s,
                             IngestDurations IngestMoment::*durations) {
  const auto count = [durations](const IngestMoment& moment) {
    return (moment.*durations).count;
  };
  const auto sum = [durations](const IngestMoment& moment) {
    return (moment.*durations).sum_s;
  };
  const double added = moments.At(to_s, count) - moments.At(from_s, count);
  if (added < 1) return std::nullopt;
  return 1000 * (moments.At(to_s, sum) - moments.At(from_s, sum)) / added;
}

IngestSecond Between(const Interpolated& moments, double from_s, double to_s) {
  const auto rate = [&](uint64_t IngestMoment::*field) {
    const auto value = [field](const IngestMoment& moment) {
      return moment.*field;
    };
    return (moments.At(to_s, value) - moments.At(from_s, value)) /
           (to_s - from_s);
  };
  IngestSecond second;
  second.at_s = (from_s + to_s) / 2;
  second.accepted_per_s = rate(&IngestMoment::accepted);
  second.indexed_per_s = rate(&IngestMoment::indexed);
  second.refused_per_s = rate(&IngestMoment::refused);
  second.acknowledged_ms =
      MeanMs(moments, from_s, to_s, &IngestMoment::acknowledging);
  second.indexed_ms = MeanMs(moments, from_s, to_s, &IngestMoment::indexing);
  second.pending = moments.At(
      second.at_s, [](const IngestMoment& moment) { return moment.pending; });
  return second;
}

}  // namespace

std::vector<IngestSecond> PerSecond(const std::vector<IngestMoment>& moments) {
  std::vector<IngestSecond> seconds;
  if (moments.size() < 2) return seconds;
  constexpr double kShortest = 0.5;
  const Interpolated interpolated(moments);
  const double end_s = moments.back().s;
  for (double from_s = 0; from_s < end_s; from_s += 1) {
    const double to_s = std::min(from_s + 1, end_s);
    if (to_s - from_s < kShortest && !seconds.empty()) break;
    seconds.push_back(Between(interpolated, from_s, to_s));
  }
  return seconds;
}

}  // namespace engram::bench

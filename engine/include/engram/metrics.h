// The statistics of databases for Prometheus, and for what reads its format.
//
//   // In the handler of GET /metrics:
//   const absl::StatusOr<engram::Metrics> metrics = db->GetMetrics();
//   if (!metrics.ok()) return 503;
//   Reply(engram::kPrometheusContentType, engram::PrometheusText(*metrics));
//
// Engram opens no port and keeps no registry: whoever serves a page decides
// what is on it. docs/observability.md lists the series.

#ifndef ENGRAM_METRICS_H_
#define ENGRAM_METRICS_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engram/stats.h"

namespace engram {

// What one database says of itself; see Db::GetMetrics(). The parts are read
// one after the other.
struct Metrics {
  // The label "database" of all series, UTF-8; without one if it is empty, as
  // Db::GetMetrics() leaves it. To be set where one text is of several
  // databases, to a different one for each.
  std::string database;

  DbStats stats;
  std::vector<SpaceStats> spaces;  // by id
};

// What an HTTP header says of these texts.
inline constexpr char kPrometheusContentType[] =
    "text/plain; version=0.0.4; charset=utf-8";

// The text exposition format, version 0.0.4. Each number of DbStats, SpaceStats
// and WorkerStats is a series, in seconds and bytes. A program that has several
// databases passes all in one call: two texts cannot be joined, since the
// format has each family once. Thread safety: free functions without state.
std::string PrometheusText(absl::Span<const Metrics> databases);
std::string PrometheusText(const Metrics& database);

}  // namespace engram

#endif  // ENGRAM_METRICS_H_

#include "tools/bench/ingest_report.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/bench/rounded.h"

namespace engram::bench {
namespace {

using Json = nlohmann::ordered_json;

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

Json TailSearchJson(const std::optional<TailSearchRow>& row) {
  if (!row.has_value()) return nullptr;
  return {
      {"searches", row->searches},
      {"misses", row->misses},
      {"mean_pending", std::round(row->mean_pending)},
      {"cpu_us",
       {{"p50", Rounded(row->cpu_p50_us)}, {"p99", Rounded(row->cpu_p99_us)}}},
      {"idle_cpu_us", {{"p50", Rounded(row->idle_cpu_p50_us)}}}};
}

// What only some rows have, each with its unit.
std::string Details(const IngestRow& row) {
  std::vector<std::string> parts;
  if (row.recall.has_value()) {
    parts.push_back(absl::StrFormat("recall@10 %.4f", *row.recall));
  }
  if (row.unreachable.has_value()) {
    parts.push_back(absl::StrCat("unreachable ", *row.unreachable));
  }
  if (row.search_cpu_us.has_value()) {
    parts.push_back(absl::StrFormat("search %.0f us CPU", *row.search_cpu_us));
  }
  if (row.search_p99_us.has_value()) {
    parts.push_back(absl::StrFormat("P99 %.0f us", *row.search_p99_us));
  }
  if (row.tail_search.has_value()) {
    const TailSearchRow& tail = *row.tail_search;
    parts.push_back(absl::StrFormat(
        "%d searches of a tail of %.0f: %.0f us CPU, P99 %.0f (empty: %.0f), "
        "%d missed the newest",
        tail.searches, tail.mean_pending, tail.cpu_p50_us, tail.cpu_p99_us,
        tail.idle_cpu_p50_us, tail.misses));
  }
  if (!row.retry_ratios.empty()) {
    parts.push_back(absl::StrCat(
        "retry-after / time to room ",
        absl::StrJoin(row.retry_ratios, " ", [](std::string* out, double one) {
          absl::StrAppendFormat(out, "%.2f", one);
        })));
  }
  if (row.peer_per_core_s.has_value()) {
    parts.push_back(absl::StrFormat("peer %.0f inserts/s, %.0f a CPU second",
                                    *row.peer_per_s, *row.peer_per_core_s));
  }
  for (const auto& [what, value] : row.ratio) {
    parts.push_back(absl::StrFormat("%.2fx %s", value, what));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace

std::string IngestRowJson(const IngestRow& row) {
  Json ratio = Json::object();
  for (const auto& [what, value] : row.ratio) ratio[what] = Rounded(value);
  Json timeline = Json::array();
  for (const IngestMoment& moment : row.timeline) {
    timeline.push_back({Rounded(moment.s), moment.accepted, moment.indexed,
                        moment.refused, moment.pending,
                        Rounded(moment.acknowledging.sum_s),
                        Rounded(moment.indexing.sum_s)});
  }
  const Json object = {
      {"measurement", "ingest"},
      {"scenario", row.scenario},
      {"phase", row.phase},
      {"spaces", row.spaces},
      {"workers", row.workers},
      {"durability", row.durability},
      {"seconds", Rounded(row.seconds)},
      {"offered", row.offered},
      {"accepted", row.accepted},
      {"indexed", row.indexed},
      {"pending", row.pending},
      {"dead_letter", row.dead_letter},
      {"rejected", row.rejected},
      {"per_s", std::round(row.per_s)},
      {"per_core_s", std::round(row.per_core_s)},
      {"process_core_s", std::round(row.process_core_s)},
      {"ack_us",
       {{"p50", Rounded(row.ack_p50_us)}, {"p99", Rounded(row.ack_p99_us)}}},
      {"late_us", {{"p99", Rounded(row.late_p99_us)}}},
      {"indexed_ms",
       {{"p50", Rounded(row.indexed_p50_ms)},
        {"p99", Rounded(row.indexed_p99_ms)},
        {"p999", Rounded(row.indexed_p999_ms)}}},
      {"imbalance", Rounded(row.imbalance)},
      {"utilization", Rounded(row.utilization)},
      {"stolen_batches", row.joined_batches},
      {"moves", row.moves},
      {"cache_misses", nullptr},
      {"recall", OrNull(row.recall)},
      {"unreachable", OrNull(row.unreachable)},
      {"search_cpu_us", OrNull(row.search_cpu_us)},
      {"search_p99_us", OrNull(row.search_p99_us)},
      {"tail_search", TailSearchJson(row.tail_search)},
      {"retry_after_ratio", row.retry_ratios},
      {"peer_per_s", OrNull(row.peer_per_s)},
      {"peer_per_core_s", OrNull(row.peer_per_core_s)},
      {"ratio", ratio},
      {"timeline", timeline}};
  return object.dump();
}

std::vector<std::string> IngestTable(const std::vector<IngestRow>& rows) {
  std::vector<std::string> lines = {absl::StrFormat(
      "%-22s %7s %9s %9s %8s %7s %9s %8s %8s %8s %7s %7s %8s %6s %6s", "PHASE",
      "WORKERS", "ACCEPTED", "REJECTED", "PER S", "PER CPU", "ACK P50",
      "ACK P99", "P50 MS", "P99 MS", "P99.9", "IMBAL.", "BUSY", "JOINED",
      "MOVES")};
  for (const IngestRow& row : rows) {
    lines.push_back(absl::StrFormat(
        "%-22s %7d %9d %9d %8.0f %7.0f %9.0f %8.0f %8.2f %8.2f %7.1f %6.1f%% "
        "%7.0f%% %6d %6d",
        row.phase, row.workers, row.accepted, row.rejected, row.per_s,
        row.per_core_s, row.ack_p50_us, row.ack_p99_us, row.indexed_p50_ms,
        row.indexed_p99_ms, row.indexed_p999_ms, row.imbalance * 100,
        row.utilization * 100, row.joined_batches, row.moves));
  }
  for (const IngestRow& row : rows) {
    const std::string details = Details(row);
    if (details.empty()) continue;
    lines.push_back(absl::StrCat("  ", row.phase, ": ", details));
  }
  return lines;
}

}  // namespace engram::bench

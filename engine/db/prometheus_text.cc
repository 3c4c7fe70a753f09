// Stats as metric families of prometheus-cpp, which writes them.

#include <cstdint>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engram/metrics.h"
#include "prometheus/metric_family.h"
#include "prometheus/text_serializer.h"

namespace engram {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<ClientMetric::Label>;

constexpr MetricType kCounter = MetricType::Counter;
constexpr MetricType kGauge = MetricType::Gauge;

// One number of a struct of stats.
template <typename Stats>
struct Series {
  const char* name;
  MetricType type;
  const char* help;  // written as it is: without backslashes and line feeds
  double (*value)(const Stats& stats);
};

double ValueOf(absl::Duration duration) {
  return absl::ToDoubleSeconds(duration);
}

// 1: it has failed.
double ValueOf(const absl::Status& status) { return status.ok() ? 0 : 1; }

template <typename Number>
double ValueOf(Number number) {
  return static_cast<double>(number);
}

template <auto kMember, typename Stats>
double Field(const Stats& stats) {
  return ValueOf(stats.*kMember);
}

template <auto kMember>
double Option(const SpaceStats& stats) {
  return ValueOf(stats.options.*kMember);
}

constexpr Series<DbStats> kDatabaseSeries[] = {
    {"engram_spaces", kGauge, "Memory spaces.", Field<&DbStats::spaces>},
    {"engram_workers", kGauge, "Threads that index records.",
     Field<&DbStats::workers>},
    {"engram_worker_imbalance_ratio", kGauge,
     "By how much the worker that took the most records exceeds the one that "
     "took the fewest: 0.06 is 6 %.",
     Field<&DbStats::imbalance>},
    {"engram_accepted_records_total", kCounter,
     "Records that were logged, replayed ones included.",
     Field<&DbStats::accepted_records>},
    {"engram_indexed_records_total", kCounter, "Records that were indexed.",
     Field<&DbStats::indexed_records>},
    {"engram_dead_lettered_records_total", kCounter,
     "Records that could not be indexed, and became dead letters.",
     Field<&DbStats::dead_lettered_records>},
    {"engram_dead_letters", kGauge, "Dead letters that there are.",
     Field<&DbStats::dead_letters>},
    {"engram_replayed_records_total", kCounter,
     "Records that were read from the log when the database was opened.",
     Field<&DbStats::replayed_records>},
    {"engram_producers", kGauge, "Producers that have numbered their writes.",
     Field<&DbStats::producers>},
    {"engram_duplicate_writes_total", kCounter,
     "Writes that a producer repeated, and that were not done again.",
     Field<&DbStats::duplicate_writes>},
    {"engram_pending_records", kGauge,
     "Records that are accepted and not yet indexed.",
     Field<&DbStats::pending_records>},
    {"engram_pending_bytes", kGauge,
     "Bytes of records that are accepted and not yet indexed.",
     Field<&DbStats::pending_bytes>},
    {"engram_pressure_ratio", kGauge,
     "How full the queues of all spaces are, of what their limits allow.",
     Field<&DbStats::pressure>},
    {"engram_pressure_level", kGauge,
     "0 none, 1 elevated: low priority is refused, 2 high: normal priority is, "
     "too, 3 critical.",
     Field<&DbStats::pressure_level>},
    {"engram_wal_direct_io", kGauge, "1 if the log is written with O_DIRECT.",
     Field<&DbStats::wal_direct_io>},
    {"engram_wal_segments", kGauge, "Segments of the log on disk.",
     Field<&DbStats::wal_segments>},
    {"engram_wal_bytes", kGauge, "Bytes of the log on disk.",
     Field<&DbStats::wal_bytes>},
    {"engram_wal_groups_total", kCounter, "Group commits.",
     Field<&DbStats::wal_groups>},
    {"engram_wal_failed", kGauge,
     "1 if the log has failed: no write succeeds until the database is "
     "reopened.",
     Field<&DbStats::wal_status>},
    {"engram_last_lsn", kGauge, "LSN of the last write.",
     Field<&DbStats::last_lsn>},
    {"engram_durable_lsn", kGauge, "LSN up to which the log is synced.",
     Field<&DbStats::durable_lsn>},
    {"engram_low_water_lsn", kGauge, "The log is needed above this LSN only.",
     Field<&DbStats::low_water_lsn>},
    {"engram_checkpoints_total", kCounter, "Checkpoints that succeeded.",
     Field<&DbStats::checkpoints>},
    {"engram_checkpoint_bytes_total", kCounter,
     "Bytes that checkpoints have written.", Field<&DbStats::checkpoint_bytes>},
    {"engram_checkpoint_failed", kGauge, "1 if the last checkpoint failed.",
     Field<&DbStats::checkpoint_status>},
    {"engram_recovery_estimate_seconds", kGauge,
     "How long indexing what only the log has would take after a crash.",
     Field<&DbStats::recovery_estimate>},
};

constexpr Series<WorkerStats> kWorkerSeries[] = {
    {"engram_worker_records_total", kCounter,
     "Records that the worker took from the backlogs of spaces.",
     Field<&WorkerStats::records>},
    {"engram_worker_batches_total", kCounter,
     "Batches in which the worker took them.", Field<&WorkerStats::batches>},
    {"engram_worker_batches_to_10_total", kCounter,
     "Batches of these of 10 records at most.",
     Field<&WorkerStats::batches_to_10>},
    {"engram_worker_batches_to_100_total", kCounter,
     "Batches of these of 100 records at most.",
     Field<&WorkerStats::batches_to_100>},
    {"engram_worker_batches_to_500_total", kCounter,
     "Batches of these of 500 records at most.",
     Field<&WorkerStats::batches_to_500>},
    {"engram_worker_joined_records_total", kCounter,
     "Records of these from a space that another worker was serving.",
     Field<&WorkerStats::joined_records>},
    {"engram_worker_joined_batches_total", kCounter,
     "Batches of these from a space that another worker was serving.",
     Field<&WorkerStats::joined_batches>},
    {"engram_worker_moves_total", kCounter,
     "Spaces that came to the worker from another one.",
     Field<&WorkerStats::moves>},
    {"engram_worker_busy_seconds_total", kCounter, "Time in batches.",
     Field<&WorkerStats::busy>},
    {"engram_worker_cpu_seconds_total", kCounter, "Processor time.",
     Field<&WorkerStats::cpu>},
};

constexpr Series<SpaceStats> kSpaceSeries[] = {
    {"engram_space_dimension", kGauge, "Components of a vector.",
     Option<&SpaceOptions::dimension>},
    {"engram_space_m", kGauge, "Links of a node and layer, at most.",
     Option<&SpaceOptions::M>},
    {"engram_space_ef_construction", kGauge, "Beam width of inserts.",
     Option<&SpaceOptions::ef_construction>},
    {"engram_space_live_records", kGauge,
     "Distinct ids, those of pending records included.",
     Field<&SpaceStats::live_records>},
    {"engram_space_pending_records", kGauge,
     "Records that are accepted and not yet indexed.",
     Field<&SpaceStats::pending_records>},
    {"engram_space_pending_bytes", kGauge,
     "Bytes of records that are accepted and not yet indexed.",
     Field<&SpaceStats::pending_bytes>},
    {"engram_space_pressure_ratio", kGauge,
     "How full the queue of the space is, of what its limits allow.",
     Field<&SpaceStats::pressure>},
    {"engram_space_pressure_level", kGauge,
     "0 none, 1 elevated: low priority is refused, 2 high: normal priority is, "
     "too, 3 critical.",
     Field<&SpaceStats::pressure_level>},
    {"engram_space_nodes", kGauge, "Versions that the index holds.",
     Field<&SpaceStats::nodes>},
    {"engram_space_twins", kGauge,
     "Nodes of these that are copies of another one, without own links.",
     Field<&SpaceStats::twins>},
    {"engram_space_retired_slots", kGauge,
     "Nodes that were removed and are not reclaimed yet.",
     Field<&SpaceStats::retired_slots>},
    {"engram_space_dead_letters", kGauge,
     "Records of the space that could not be indexed.",
     Field<&SpaceStats::dead_letters>},
    {"engram_space_unsaved_bytes", kGauge,
     "Bytes that are indexed and not yet checkpointed.",
     Field<&SpaceStats::unsaved_bytes>},
    {"engram_space_memory_bytes", kGauge,
     "Memory of vectors, codes, links and ids, in use.",
     Field<&SpaceStats::memory_bytes>},
    {"engram_space_resident", kGauge, "0 while the index is not in memory.",
     Field<&SpaceStats::resident>},
    {"engram_space_evictions_total", kCounter,
     "Times that the index has left memory.", Field<&SpaceStats::evictions>},
    {"engram_space_load_failed", kGauge, "1 if the index could not be read.",
     Field<&SpaceStats::load_status>},
    {"engram_space_has_graph", kGauge, "0 while the space is scanned exactly.",
     Field<&SpaceStats::has_graph>},
    {"engram_space_acknowledged_lsn", kGauge,
     "LSN up to which writes are acknowledged.",
     Field<&SpaceStats::acknowledged_lsn>},
    {"engram_space_indexed_lsn", kGauge, "LSN up to which writes are indexed.",
     Field<&SpaceStats::indexed_lsn>},
    {"engram_space_checkpoint_lsn", kGauge,
     "LSN up to which writes are checkpointed.",
     Field<&SpaceStats::checkpoint_lsn>},
    {"engram_space_checkpoints_total", kCounter, "Checkpoints of the space.",
     Field<&SpaceStats::checkpoints>},
    {"engram_space_checkpoint_pause_seconds", kGauge,
     "For how long the last checkpoint kept records from being indexed.",
     Field<&SpaceStats::checkpoint_pause>},
    {"engram_space_nodes_reattached_total", kCounter,
     "Nodes that were found unreachable and linked again.",
     Field<&SpaceStats::nodes_reattached>},
    {"engram_space_unreachable_nodes", kGauge,
     "Nodes that the last pass over the graph left unreachable.",
     Field<&SpaceStats::unreachable_nodes>},
    {"engram_space_searches_total", kCounter, "Searches.",
     Field<&SpaceStats::searches>},
    {"engram_space_exact_fallbacks_total", kCounter,
     "Searches that the graph left short of k.",
     Field<&SpaceStats::exact_fallbacks>},
};

// Structs of stats, each with what tells its series from those of the others.
template <typename Stats>
struct Labelled {
  Labels labels;
  const Stats& stats;
};

struct AllStats {
  std::vector<Labelled<DbStats>> databases;
  std::vector<Labelled<WorkerStats>> workers;
  std::vector<Labelled<SpaceStats>> spaces;
};

// A copy of `labels` with one more.
Labels With(Labels labels, const char* name, std::string value) {
  labels.push_back({name, std::move(value)});
  return labels;
}

AllStats Label(absl::Span<const Metrics> databases) {
  AllStats all;
  for (const Metrics& metrics : databases) {
    Labels labels;
    if (!metrics.database.empty()) {
      labels = With(labels, "database", metrics.database);
    }
    all.databases.push_back({labels, metrics.stats});
    int number = 0;
    for (const WorkerStats& worker : metrics.stats.worker_stats) {
      all.workers.push_back(
          {With(labels, "worker", absl::StrCat(number++)), worker});
    }
    for (const SpaceStats& space : metrics.spaces) {
      all.spaces.push_back({With(labels, "space", space.name), space});
    }
  }
  return all;
}

ClientMetric Number(MetricType type, Labels labels, double value) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == kCounter ? metric.counter.value : metric.gauge.value) = value;
  return metric;
}

// The largest value stands as quantile 1.
ClientMetric Summary(Labels labels, const LatencyStats& stats) {
  ClientMetric metric;
  metric.label = std::move(labels);
  metric.summary.sample_count = stats.count;
  metric.summary.sample_sum = ValueOf(stats.sum);
  metric.summary.quantile = {{.5, ValueOf(stats.p50)},
                             {.99, ValueOf(stats.p99)},
                             {.999, ValueOf(stats.p999)},
                             {1, ValueOf(stats.max)}};
  return metric;
}

template <typename Stats, size_t kCount>
void AddSeries(const Series<Stats> (&table)[kCount],
               const std::vector<Labelled<Stats>>& all,
               std::vector<MetricFamily>* families) {
  for (const Series<Stats>& series : table) {
    MetricFamily family{series.name, series.help, series.type, {}};
    for (const auto& [labels, stats] : all) {
      family.metric.push_back(Number(series.type, labels, series.value(stats)));
    }
    families->push_back(std::move(family));
  }
}

template <typename Stats>
MetricFamily Latencies(const char* name,
                       const std::vector<Labelled<Stats>>& all) {
  MetricFamily family{name,
                      "How long records took, from the call on, until they "
                      "were durable and until they were indexed.",
                      MetricType::Summary,
                      {}};
  for (const auto& [labels, stats] : all) {
    const IngestLatencies& latencies = stats.latencies;
    for (const auto& [stage, latency] :
         {std::pair("to_durable", &latencies.to_durable),
          std::pair("durable_to_indexed", &latencies.durable_to_indexed),
          std::pair("to_indexed", &latencies.to_indexed)}) {
      family.metric.push_back(Summary(With(labels, "stage", stage), *latency));
    }
  }
  return family;
}

MetricFamily WorkerLatencies(const std::vector<Labelled<WorkerStats>>& all) {
  MetricFamily family{"engram_worker_ingest_seconds",
                      "How long the records that the worker indexed took.",
                      MetricType::Summary,
                      {}};
  for (const auto& [labels, stats] : all) {
    family.metric.push_back(Summary(With(labels, "stage", "durable_to_indexed"),
                                    stats.durable_to_indexed));
    family.metric.push_back(
        Summary(With(labels, "stage", "to_indexed"), stats.to_indexed));
  }
  return family;
}

// DbStats::refused_writes is the sum of them.
MetricFamily Refusals(const std::vector<Labelled<DbStats>>& all) {
  MetricFamily family{"engram_refused_writes_total",
                      "Writes that were refused, by what was full.",
                      kCounter,
                      {}};
  for (const auto& [labels, stats] : all) {
    const RefusedWrites& refused = stats.refused;
    for (const auto& [cause, count] :
         {std::pair("space_records", refused.space_records),
          std::pair("space_bytes", refused.space_bytes),
          std::pair("total_records", refused.total_records),
          std::pair("total_bytes", refused.total_bytes),
          std::pair("log", refused.log),
          std::pair("async_writes", refused.async_writes),
          std::pair("dead_letters", refused.dead_letters),
          std::pair("space_record_rate", refused.space_record_rate),
          std::pair("space_byte_rate", refused.space_byte_rate),
          std::pair("memory", refused.memory)}) {
      family.metric.push_back(
          Number(kCounter, With(labels, "cause", cause), ValueOf(count)));
    }
  }
  return family;
}

MetricFamily SpaceRefusals(const std::vector<Labelled<SpaceStats>>& all) {
  MetricFamily family{"engram_space_refused_writes_total",
                      "Writes that were refused because the space was full, or "
                      "its quota used up.",
                      kCounter,
                      {}};
  for (const auto& [labels, stats] : all) {
    for (const auto& [cause, count] :
         {std::pair("space_records", stats.refused_of_records),
          std::pair("space_bytes", stats.refused_of_bytes),
          std::pair("space_record_rate", stats.refused_of_record_rate),
          std::pair("space_byte_rate", stats.refused_of_byte_rate)}) {
      family.metric.push_back(
          Number(kCounter, With(labels, "cause", cause), ValueOf(count)));
    }
  }
  return family;
}

// What is no number stands as labels of a series that is 1.
MetricFamily DatabaseInfoFamily(const std::vector<Labelled<DbStats>>& all) {
  MetricFamily family{
      "engram_database_info", "What the database is.", kGauge, {}};
  for (const auto& [labels, stats] : all) {
    family.metric.push_back(
        Number(kGauge,
               With(With(labels, "database_id", stats.database_id),
                    "wal_backend", stats.wal_backend),
               1));
  }
  return family;
}

MetricFamily SpaceInfoFamily(const std::vector<Labelled<SpaceStats>>& all) {
  MetricFamily family{"engram_space_info",
                      "What the space is; its id is never given again.",
                      kGauge,
                      {}};
  for (const auto& [labels, stats] : all) {
    family.metric.push_back(
        Number(kGauge, With(labels, "id", absl::StrCat(stats.id)), 1));
  }
  return family;
}

}  // namespace

std::string PrometheusText(absl::Span<const Metrics> databases) {
  const AllStats all = Label(databases);
  std::vector<MetricFamily> families;
  families.push_back(DatabaseInfoFamily(all.databases));
  AddSeries(kDatabaseSeries, all.databases, &families);
  families.push_back(Refusals(all.databases));
  families.push_back(Latencies("engram_ingest_seconds", all.databases));
  AddSeries(kWorkerSeries, all.workers, &families);
  families.push_back(WorkerLatencies(all.workers));
  families.push_back(SpaceInfoFamily(all.spaces));
  AddSeries(kSpaceSeries, all.spaces, &families);
  families.push_back(SpaceRefusals(all.spaces));
  families.push_back(Latencies("engram_space_ingest_seconds", all.spaces));
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

std::string PrometheusText(const Metrics& database) {
  return PrometheusText(absl::MakeConstSpan(&database, 1));
}

}  // namespace engram

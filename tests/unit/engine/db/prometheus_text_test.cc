// Stats in the text format of Prometheus, without a database.

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "engram/metrics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/exposition.h"

namespace engram {
namespace {

using ::testing::ElementsAre;
using testing::Exposition;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using testing::ParseExposition;

// Each number is given a value of its own. Who adds a field to one of these
// structs adds it here, and its series to prometheus_text.cc: the bindings do
// not compile before.
class Numbers {
 public:
  void Fill(DbStats* stats) {
    auto& [path, database_id, spaces, workers, worker_stats, imbalance,
           accepted, indexed, dead_lettered, dead_letters, pending,
           pending_bytes, pressure, pressure_level, refused_writes, refused,
           replayed, producers, duplicates, latencies, backend, direct_io,
           segments, wal_bytes, groups, last_lsn, durable_lsn, wal_status,
           low_water, checkpoints, checkpoint_bytes, checkpoint_status,
           recovery] = *stats;
    path = "/memory";
    database_id = "0123456789abcdef0123456789abcdef";
    backend = "io_uring";
    Count("engram_spaces", &spaces);
    Count("engram_workers", &workers);
    imbalance = Next("engram_worker_imbalance_ratio") / 1024;
    expected["engram_worker_imbalance_ratio"] = imbalance;
    Count("engram_accepted_records_total", &accepted);
    Count("engram_indexed_records_total", &indexed);
    Count("engram_dead_lettered_records_total", &dead_lettered);
    Count("engram_dead_letters", &dead_letters);
    Count("engram_pending_records", &pending);
    Count("engram_pending_bytes", &pending_bytes);
    pressure = Next("engram_pressure_ratio");
    pressure_level = PressureLevel::kCritical;
    expected["engram_pressure_level"] = 3;
    refused_writes = FillRefused(&refused);
    Count("engram_replayed_records_total", &replayed);
    Count("engram_producers", &producers);
    Count("engram_duplicate_writes_total", &duplicates);
    FillLatencies("engram_ingest_seconds", "", &latencies);
    direct_io = true;
    expected["engram_wal_direct_io"] = 1;
    Count("engram_wal_segments", &segments);
    Count("engram_wal_bytes", &wal_bytes);
    Count("engram_wal_groups_total", &groups);
    Count("engram_last_lsn", &last_lsn);
    Count("engram_durable_lsn", &durable_lsn);
    wal_status = absl::DataLossError("a disk");
    expected["engram_wal_failed"] = 1;
    Count("engram_low_water_lsn", &low_water);
    Count("engram_checkpoints_total", &checkpoints);
    Count("engram_checkpoint_bytes_total", &checkpoint_bytes);
    checkpoint_status = absl::InternalError("another");
    expected["engram_checkpoint_failed"] = 1;
    Seconds("engram_recovery_estimate_seconds", &recovery);
    expected
        ["engram_database_info{database_id="
         "\"0123456789abcdef0123456789abcdef\","
         "wal_backend=\"io_uring\"}"] = 1;
    worker_stats.resize(2);
    Fill(&worker_stats[0], "{worker=\"0\"}");
    Fill(&worker_stats[1], "{worker=\"1\"}");
  }

  void Fill(SpaceStats* stats, const std::string& given_name) {
    auto& [id, name, options, live, pending, pending_bytes, pressure,
           pressure_level, refused_of_records, refused_of_bytes,
           refused_of_record_rate, refused_of_byte_rate, nodes, twins, retired,
           dead_letters, unsaved, has_graph, quantization, memory, resident,
           evictions, load_status, acknowledged_lsn, indexed_lsn,
           checkpoint_lsn, checkpoints, checkpoint_pause, reattached,
           unreachable, latencies, searches, exact_fallbacks] = *stats;
    auto& [dimension, metric, M, ef_construction, asked, stored] = options;
    name = given_name;
    const std::string label = "space=\"" + name + "\"";
    const std::string labels = "{" + label + "}";
    const auto count = [&](const std::string& series, auto* field) {
      Count("engram_space_" + series + labels, field);
    };
    id = 12;
    expected["engram_space_info{" + label + ",id=\"12\"}"] = 1;
    count("dimension", &dimension);
    count("m", &M);
    count("ef_construction", &ef_construction);
    count("live_records", &live);
    count("pending_records", &pending);
    count("pending_bytes", &pending_bytes);
    count("pressure_ratio", &pressure);
    pressure_level = PressureLevel::kElevated;
    expected["engram_space_pressure_level" + labels] = 1;
    Count("engram_space_refused_writes_total{" + label +
              ",cause=\"space_records\"}",
          &refused_of_records);
    Count("engram_space_refused_writes_total{" + label +
              ",cause=\"space_bytes\"}",
          &refused_of_bytes);
    Count("engram_space_refused_writes_total{" + label +
              ",cause=\"space_record_rate\"}",
          &refused_of_record_rate);
    Count("engram_space_refused_writes_total{" + label +
              ",cause=\"space_byte_rate\"}",
          &refused_of_byte_rate);
    count("nodes", &nodes);
    count("twins", &twins);
    count("retired_slots", &retired);
    count("dead_letters", &dead_letters);
    count("unsaved_bytes", &unsaved);
    has_graph = true;
    expected["engram_space_has_graph" + labels] = 1;
    count("memory_bytes", &memory);
    resident = true;
    expected["engram_space_resident" + labels] = 1;
    count("evictions_total", &evictions);
    load_status = absl::DataLossError("damaged");
    expected["engram_space_load_failed" + labels] = 1;
    count("acknowledged_lsn", &acknowledged_lsn);
    count("indexed_lsn", &indexed_lsn);
    count("checkpoint_lsn", &checkpoint_lsn);
    count("checkpoints_total", &checkpoints);
    checkpoint_pause =
        absl::Seconds(Next("engram_space_checkpoint_pause_seconds" + labels));
    count("nodes_reattached_total", &reattached);
    count("unreachable_nodes", &unreachable);
    count("searches_total", &searches);
    count("exact_fallbacks_total", &exact_fallbacks);
    FillLatencies("engram_space_ingest_seconds", label + ",", &latencies);
  }

  std::map<std::string, double> expected;

 private:
  double Next(const std::string& series) { return expected[series] = next_++; }

  template <typename Field>
  void Count(const std::string& series, Field* field) {
    *field = static_cast<Field>(Next(series));
  }

  void Seconds(const std::string& series, absl::Duration* field) {
    *field = absl::Seconds(Next(series));
  }

  uint64_t FillRefused(RefusedWrites* stats) {
    auto& [space_records, space_bytes, total_records, total_bytes, log,
           async_writes, dead_letters, record_rate, byte_rate, memory] = *stats;
    uint64_t sum = 0;
    for (const auto& [cause, field] :
         {std::pair("space_records", &space_records),
          std::pair("space_bytes", &space_bytes),
          std::pair("total_records", &total_records),
          std::pair("total_bytes", &total_bytes), std::pair("log", &log),
          std::pair("async_writes", &async_writes),
          std::pair("dead_letters", &dead_letters),
          std::pair("space_record_rate", &record_rate),
          std::pair("space_byte_rate", &byte_rate),
          std::pair("memory", &memory)}) {
      Count("engram_refused_writes_total{cause=\"" + std::string(cause) + "\"}",
            field);
      sum += *field;
    }
    return sum;
  }

  void Fill(WorkerStats* stats, const std::string& labels) {
    auto& [records, batches, to_10, to_100, to_500, joined_records,
           joined_batches, moves, busy, cpu, durable_to_indexed, to_indexed] =
        *stats;
    Count("engram_worker_records_total" + labels, &records);
    Count("engram_worker_batches_total" + labels, &batches);
    Count("engram_worker_batches_to_10_total" + labels, &to_10);
    Count("engram_worker_batches_to_100_total" + labels, &to_100);
    Count("engram_worker_batches_to_500_total" + labels, &to_500);
    Count("engram_worker_joined_records_total" + labels, &joined_records);
    Count("engram_worker_joined_batches_total" + labels, &joined_batches);
    Count("engram_worker_moves_total" + labels, &moves);
    Seconds("engram_worker_busy_seconds_total" + labels, &busy);
    Seconds("engram_worker_cpu_seconds_total" + labels, &cpu);
    const std::string stage = labels.substr(1, labels.size() - 2) + ",stage=\"";
    FillStage("engram_worker_ingest_seconds", stage + "durable_to_indexed\"",
              &durable_to_indexed);
    FillStage("engram_worker_ingest_seconds", stage + "to_indexed\"",
              &to_indexed);
  }

  void FillLatencies(const std::string& family, const std::string& labels,
                     IngestLatencies* stats) {
    auto& [to_durable, durable_to_indexed, to_indexed] = *stats;
    FillStage(family, labels + "stage=\"to_durable\"", &to_durable);
    FillStage(family, labels + "stage=\"durable_to_indexed\"",
              &durable_to_indexed);
    FillStage(family, labels + "stage=\"to_indexed\"", &to_indexed);
  }

  void FillStage(const std::string& family, const std::string& labels,
                 LatencyStats* stats) {
    auto& [count, sum, p50, p99, p999, max] = *stats;
    Count(family + "_count{" + labels + "}", &count);
    Seconds(family + "_sum{" + labels + "}", &sum);
    Seconds(family + "{" + labels + ",quantile=\"0.5\"}", &p50);
    Seconds(family + "{" + labels + ",quantile=\"0.99\"}", &p99);
    Seconds(family + "{" + labels + ",quantile=\"0.999\"}", &p999);
    Seconds(family + "{" + labels + ",quantile=\"1\"}", &max);
  }

  int next_ = 5;
};

TEST(PrometheusTextTest, EveryNumberHasItsSeriesAndThereIsNoOther) {
  Numbers numbers;
  Metrics metrics;
  numbers.Fill(&metrics.stats);
  metrics.spaces.resize(2);
  numbers.Fill(&metrics.spaces[0], "agent-7");
  numbers.Fill(&metrics.spaces[1], "notes.old_1");
  const Exposition text = ParseExposition(PrometheusText(metrics));
  EXPECT_THAT(text.faults, IsEmpty());
  EXPECT_EQ(text.series, numbers.expected);
  double refused = 0;
  for (const auto& [name, value] :
       text.SeriesOf("engram_refused_writes_total")) {
    refused += value;
  }
  EXPECT_EQ(refused, static_cast<double>(metrics.stats.refused_writes));
}

TEST(PrometheusTextTest, HelpAndTypeStandBeforeTheSeries) {
  Metrics metrics;
  metrics.stats.accepted_records = 7;
  EXPECT_THAT(
      PrometheusText(metrics),
      HasSubstr("# HELP engram_accepted_records_total Records that were "
                "logged, replayed ones included.\n"
                "# TYPE engram_accepted_records_total counter\n"
                "engram_accepted_records_total 7\n"));
  EXPECT_STREQ(kPrometheusContentType,
               "text/plain; version=0.0.4; charset=utf-8");
}

TEST(PrometheusTextTest, SeveralDatabasesShareFamilies) {
  Metrics databases[2];
  databases[0].database = "left";
  databases[0].stats.last_lsn = 1;
  databases[1].database = "right";
  databases[1].stats.last_lsn = 2;
  for (Metrics& metrics : databases) {
    metrics.spaces.resize(1);
    metrics.spaces[0].name = "same";
    metrics.stats.worker_stats.resize(1);
  }
  const Exposition text = ParseExposition(PrometheusText(databases));
  EXPECT_THAT(text.faults, IsEmpty());
  EXPECT_THAT(text.SeriesOf("engram_last_lsn"),
              ElementsAre(Pair("engram_last_lsn{database=\"left\"}", 1),
                          Pair("engram_last_lsn{database=\"right\"}", 2)));
  EXPECT_THAT(
      text.SeriesOf("engram_space_nodes"),
      ElementsAre(
          Pair("engram_space_nodes{database=\"left\",space=\"same\"}", 0),
          Pair("engram_space_nodes{database=\"right\",space=\"same\"}", 0)));
}

TEST(PrometheusTextTest, LabelsAreEscaped) {
  Metrics metrics;
  metrics.database = "C:\\a \"b\"\nc{},=1 ä";
  const Exposition text = ParseExposition(PrometheusText(metrics));
  EXPECT_THAT(text.faults, IsEmpty());
  EXPECT_EQ(text.series.count("engram_last_lsn{database=\"C:\\\\a "
                              "\\\"b\\\"\\nc{},=1 ä\"}"),
            1u);
}

TEST(PrometheusTextTest, NumbersKeepTheirDigits) {
  Metrics metrics;
  metrics.stats.imbalance = std::numeric_limits<double>::infinity();
  metrics.stats.wal_bytes = 1'234'567'890'123;
  metrics.stats.latencies.to_durable.p50 = absl::Microseconds(17);
  const std::string text = PrometheusText(metrics);
  EXPECT_THAT(text, HasSubstr("engram_worker_imbalance_ratio +Inf\n"));
  const Exposition parsed = ParseExposition(text);
  EXPECT_THAT(parsed.faults, IsEmpty());
  EXPECT_EQ(parsed.series.at("engram_wal_bytes"), 1'234'567'890'123);
  EXPECT_EQ(parsed.series.at("engram_ingest_seconds{stage=\"to_durable\","
                             "quantile=\"0.5\"}"),
            17e-6);
}

TEST(PrometheusTextTest, WithoutSpacesNothingIsWrong) {
  EXPECT_THAT(ParseExposition(PrometheusText(Metrics())).faults, IsEmpty());
  EXPECT_EQ(PrometheusText(absl::Span<const Metrics>()).find('{'),
            std::string::npos);
}

// The reader that the tests above stand on.
TEST(ParseExpositionTest, FindsWhatIsWrong) {
  const std::string head = "# HELP a A.\n# TYPE a gauge\n";
  EXPECT_THAT(ParseExposition(head + "a 1\n").faults, IsEmpty());
  EXPECT_THAT(ParseExposition(head + "a{b=\"\\\\\",c=\"\"} -Inf\n").faults,
              IsEmpty());
  for (const std::string& text :
       {head + "a 1",
        head + "a 1\na 2\n",
        head + "b 1\n",
        head + "a{b=\"1\n\"} 1\n",
        head + "a{b=\"\\t\"} 1\n",
        head + "a{b=\"1\"c=\"2\"} 1\n",
        head + "a{b=\"1\",b=\"2\"} 1\n",
        head + "a{b=\"1\",} 1\n",
        head + "a{1=\"1\"} 1\n",
        head + "a{b=\"\"\"} 1\n",
        head + "a{b=1} 1\n",
        head + "a one\n",
        head + "a-b 1\n",
        head + "a_sum 1\n",
        head + head + "a 1\n",
        std::string("# HELP a A.\na 1\n"),
        std::string("# TYPE a gauge\na 1\n"),
        std::string("a 1\n"),
        std::string("# HELP a A.\n# TYPE a meter\na 1\n"),
        std::string("# HELP a A.\n# TYPE a counter\na 1\n"),
        std::string("# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n"),
        std::string("# HELP a_total A.\n# TYPE a_total counter\na_total -1\n"),
        head + "# HELP b B.\n# TYPE b gauge\nb 1\na 1\n"}) {
    EXPECT_FALSE(ParseExposition(text).faults.empty()) << text;
  }
}

}  // namespace
}  // namespace engram

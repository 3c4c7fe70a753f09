#include "tools/ctl/stats_json.h"

#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace engram::ctl {
namespace {

const char* PressureLevelName(PressureLevel level) {
  switch (level) {
    case PressureLevel::kNone:
      return "none";
    case PressureLevel::kElevated:
      return "elevated";
    case PressureLevel::kHigh:
      return "high";
    case PressureLevel::kCritical:
      return "critical";
  }
  return "unknown";
}

Json ToJson(const LatencyStats& stats) {
  return Json{
      {"count", stats.count},
      {"sum_us", absl::ToInt64Microseconds(stats.sum)},
      {"p50_us", absl::ToInt64Microseconds(stats.p50)},
      {"p99_us", absl::ToInt64Microseconds(stats.p99)},
      {"p999_us", absl::ToInt64Microseconds(stats.p999)},
      {"max_us", absl::ToInt64Microseconds(stats.max)},
  };
}

Json ToJson(const WorkerStats& stats) {
  return Json{
      {"records", stats.records},
      {"batches", stats.batches},
      {"batches_to_10", stats.batches_to_10},
      {"batches_to_100", stats.batches_to_100},
      {"batches_to_500", stats.batches_to_500},
      {"joined_records", stats.joined_records},
      {"joined_batches", stats.joined_batches},
      {"moves", stats.moves},
      {"busy_us", absl::ToInt64Microseconds(stats.busy)},
      {"cpu_us", absl::ToInt64Microseconds(stats.cpu)},
      {"durable_to_indexed", ToJson(stats.durable_to_indexed)},
      {"to_indexed", ToJson(stats.to_indexed)},
  };
}

Json ToJson(const IngestLatencies& stats) {
  return Json{
      {"to_durable", ToJson(stats.to_durable)},
      {"durable_to_indexed", ToJson(stats.durable_to_indexed)},
      {"to_indexed", ToJson(stats.to_indexed)},
  };
}

}  // namespace

Json ToJson(const DbStats& stats) {
  Json workers = Json::array();
  for (const WorkerStats& worker : stats.worker_stats) {
    workers.push_back(ToJson(worker));
  }
  return Json{
      {"path", stats.path},
      {"database_id", stats.database_id},
      {"spaces", stats.spaces},
      {"workers", stats.workers},
      {"worker_stats", workers},
      {"imbalance", stats.imbalance},  // null while it is infinite
      {"accepted_records", stats.accepted_records},
      {"indexed_records", stats.indexed_records},
      {"dead_lettered_records", stats.dead_lettered_records},
      {"dead_letters", stats.dead_letters},
      {"pending_records", stats.pending_records},
      {"pending_bytes", stats.pending_bytes},
      {"pressure", stats.pressure},
      {"pressure_level", PressureLevelName(stats.pressure_level)},
      {"refused_writes", stats.refused_writes},
      {"refused",
       {{"space_records", stats.refused.space_records},
        {"space_bytes", stats.refused.space_bytes},
        {"total_records", stats.refused.total_records},
        {"total_bytes", stats.refused.total_bytes},
        {"log", stats.refused.log},
        {"async_writes", stats.refused.async_writes},
        {"dead_letters", stats.refused.dead_letters},
        {"space_record_rate", stats.refused.space_record_rate},
        {"space_byte_rate", stats.refused.space_byte_rate},
        {"memory", stats.refused.memory}}},
      {"replayed_records", stats.replayed_records},
      {"producers", stats.producers},
      {"duplicate_writes", stats.duplicate_writes},
      {"latencies", ToJson(stats.latencies)},
      {"last_lsn", stats.last_lsn},
      {"durable_lsn", stats.durable_lsn},
      {"low_water_lsn", stats.low_water_lsn},
      {"wal",
       {{"backend", stats.wal_backend},
        {"direct_io", stats.wal_direct_io},
        {"segments", stats.wal_segments},
        {"bytes", stats.wal_bytes},
        {"groups", stats.wal_groups},
        {"status", stats.wal_status.ToString()}}},
      {"checkpoint",
       {{"count", stats.checkpoints},
        {"bytes", stats.checkpoint_bytes},
        {"status", stats.checkpoint_status.ToString()}}},
      {"recovery_estimate_us",
       absl::ToInt64Microseconds(stats.recovery_estimate)},
  };
}

Json ToJson(const SpaceStats& stats) {
  return Json{
      {"id", stats.id},
      {"name", stats.name},
      {"dimension", stats.options.dimension},
      {"metric", MetricName(stats.options.metric)},
      {"M", stats.options.M},
      {"ef_construction", stats.options.ef_construction},
      {"quantization", QuantizationName(stats.options.quantization)},
      {"quantization_in_use", QuantizationName(stats.quantization)},
      {"stored", StoredName(stats.options.stored)},
      {"live_records", stats.live_records},
      {"pending_records", stats.pending_records},
      {"pending_bytes", stats.pending_bytes},
      {"pressure", stats.pressure},
      {"pressure_level", PressureLevelName(stats.pressure_level)},
      {"refused_of_records", stats.refused_of_records},
      {"refused_of_bytes", stats.refused_of_bytes},
      {"refused_of_record_rate", stats.refused_of_record_rate},
      {"refused_of_byte_rate", stats.refused_of_byte_rate},
      {"nodes", stats.nodes},
      {"twins", stats.twins},
      {"retired_slots", stats.retired_slots},
      {"dead_letters", stats.dead_letters},
      {"memory_bytes", stats.memory_bytes},
      {"unsaved_bytes", stats.unsaved_bytes},
      {"resident", stats.resident},
      {"evictions", stats.evictions},
      {"load_status", stats.load_status.ToString()},
      {"has_graph", stats.has_graph},
      {"acknowledged_lsn", stats.acknowledged_lsn},
      {"indexed_lsn", stats.indexed_lsn},
      {"checkpoint_lsn", stats.checkpoint_lsn},
      {"checkpoints", stats.checkpoints},
      {"checkpoint_pause_us",
       absl::ToInt64Microseconds(stats.checkpoint_pause)},
      {"nodes_reattached", stats.nodes_reattached},
      {"unreachable_nodes", stats.unreachable_nodes},
      {"latencies", ToJson(stats.latencies)},
      {"searches", stats.searches},
      {"exact_fallbacks", stats.exact_fallbacks},
  };
}

}  // namespace engram::ctl

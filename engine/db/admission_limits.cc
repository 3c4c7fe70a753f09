#include "engine/db/admission_limits.h"

namespace engram::internal {

ingest::AdmissionLimits SpaceAdmission(const Options& options) {
  ingest::AdmissionLimits limits;
  limits.records_max = options.pending_records_max;
  limits.bytes_max = options.pending_bytes_max;
  limits.percent = {options.low_priority_percent,
                    options.normal_priority_percent, 100};
  return limits;
}

ingest::AdmissionLimits TotalAdmission(const Options& options) {
  ingest::AdmissionLimits limits = SpaceAdmission(options);
  limits.records_max = options.total_pending_records_max;
  limits.bytes_max = options.total_pending_bytes_max;
  return limits;
}

PressureLevel PressureLevelOf(const Options& options, double pressure) {
  constexpr double kCriticalPercent = 95;
  const double percent = 100 * pressure;
  if (percent >= kCriticalPercent) return PressureLevel::kCritical;
  if (percent >= options.normal_priority_percent) return PressureLevel::kHigh;
  if (percent >= options.low_priority_percent) return PressureLevel::kElevated;
  return PressureLevel::kNone;
}

}  // namespace engram::internal

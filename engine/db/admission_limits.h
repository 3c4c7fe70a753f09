// What is admitted: what the options say of it, and how it is counted.

#ifndef ENGRAM_ENGINE_DB_ADMISSION_LIMITS_H_
#define ENGRAM_ENGINE_DB_ADMISSION_LIMITS_H_

#include <cstdint>

#include "engine/ingest/admission_gate.h"
#include "engram/options.h"

namespace engram::internal {

// Of each space, and of all together.
ingest::AdmissionLimits SpaceAdmission(const Options& options);
ingest::AdmissionLimits TotalAdmission(const Options& options);

// `pressure` is a share of these limits.
PressureLevel PressureLevelOf(const Options& options, double pressure);

// What a record, written or read, takes of the limits of bytes.
template <typename Record>
uint32_t AdmittedBytes(const Record& record) {
  // Of what it costs in memory besides its bytes, about.
  constexpr uint32_t kOverheadBytes = 200;
  return static_cast<uint32_t>(record.vector.size() * sizeof(float) +
                               record.id.size() + record.payload.size()) +
         kOverheadBytes;
}

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_ADMISSION_LIMITS_H_

// What goes into a space and what comes out of it.

#ifndef ENGRAM_OBSERVATION_H_
#define ENGRAM_OBSERVATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engram/options.h"

namespace engram {

// One observation to write. All fields are borrowed until the call returns.
struct Observation {
  absl::string_view id;            // 1..512 bytes, any bytes
  absl::Span<const float> vector;  // exactly the space's dimension, finite
  absl::string_view payload;       // 0..1 MiB, any bytes
  int64_t timestamp_us = 0;        // the application's own time, kept as it is
};

// One observation as it was written.
struct StoredObservation {
  std::string id;
  std::vector<float> vector;  // bit for bit what was observed
  std::string payload;
  int64_t timestamp_us = 0;
  Lsn lsn = 0;  // of the write that made this version
};

// One result of a search.
struct Hit {
  std::string id;
  float distance = 0;
  Lsn lsn = 0;  // of the version that was found
};

}  // namespace engram

#endif  // ENGRAM_OBSERVATION_H_

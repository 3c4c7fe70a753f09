// Observations as lines of JSON, the form that `load` reads and `dump` writes:
//
//   {"id":"note-1","vector":[0.5,-1],"payload":"text","timestamp_us":7,"lsn":3}
//
// payload, timestamp_us and lsn may be left out; lsn is ignored when read. An
// id or payload that is no UTF-8 stands in "id_base64" or "payload_base64"
// instead. Floats are written with the fewest digits that give the same float
// back.

#ifndef ENGRAM_TOOLS_CTL_JSONL_H_
#define ENGRAM_TOOLS_CTL_JSONL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engram/observation.h"

namespace engram::ctl {

// What is loaded: an Observation that owns its fields.
struct Record {
  std::string id;
  std::vector<float> vector;
  std::string payload;
  int64_t timestamp_us = 0;
};

// INVALID_ARGUMENT names the member and what is wrong with it: missing,
// repeated, unknown, of another type, or a number that is no finite float.
// Memory is bounded by that of the text, whatever it nests.
absl::StatusOr<Record> ParseRecord(absl::string_view line);

// Parses "[1, 2.5]". Errors as for ParseRecord().
absl::StatusOr<std::vector<float>> ParseVector(absl::string_view text);

// Appends one line with its newline.
void AppendRecordLine(const StoredObservation& observation, std::string* out);

// Appends "[1,2.5]".
void AppendVector(absl::Span<const float> vector, std::string* out);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_JSONL_H_

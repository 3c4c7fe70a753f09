// What the verbs print to stdout: aligned text, or one JSON object.

#ifndef ENGRAM_TOOLS_CTL_OUTPUT_H_
#define ENGRAM_TOOLS_CTL_OUTPUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engram/options.h"
#include "nlohmann/json_fwd.hpp"

namespace engram::ctl {

// Members in the order in which they were set.
using Json = nlohmann::ordered_json;

// Raised when a member that a script may read changes its meaning or goes.
inline constexpr int kJsonSchemaVersion = 1;

// Writes to stdout and flushes it; a full disk behind it is an error.
absl::Status Print(absl::string_view text);

// An object that holds "schema_version" so far.
Json NewJsonObject();

// `object` on a line of its own. Bytes that are no UTF-8 become U+FFFD.
std::string JsonLine(const Json& object);

// Prints that line.
absl::Status PrintJson(const Json& object);

// Sets object[key], or object[key + "_base64"] where `bytes` is no UTF-8.
void SetBytes(Json& object, const std::string& key, absl::string_view bytes);

// Returns one line "name  value" for each member; those of a nested object are
// named "outer.inner". Arrays are left out.
std::string FieldLines(const Json& object);

// A table with a heading; the first column to the left, numbers to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> heading);

  // `row` has as many cells as the heading.
  void Add(std::vector<std::string> row);

  std::string Text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// "512 B", "1.5 MiB".
std::string BytesText(uint64_t bytes);

// "l2", "cosine" or "ip", as on the command line.
std::string MetricName(Metric metric);

// "auto", "none", "int8", "int4" or "int2"; "f32" or "none"; likewise.
std::string QuantizationName(Quantization quantization);
std::string StoredName(Stored stored);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_OUTPUT_H_

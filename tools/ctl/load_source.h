// Where `load` takes its observations from: a vector file, or lines of JSON.

#ifndef ENGRAM_TOOLS_CTL_LOAD_SOURCE_H_
#define ENGRAM_TOOLS_CTL_LOAD_SOURCE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tools/ctl/jsonl.h"

namespace engram::ctl {

// True where the end of `path` says lines of JSON, or `path` is "-".
bool IsJsonlName(const std::string& path);

// Not thread-safe.
class LoadSource {
 public:
  // Opens `path` by the end of its name. The rows of a vector file get the ids
  // `id_prefix` + row number, from 0. Errors as for VectorReader::Open().
  static absl::StatusOr<std::unique_ptr<LoadSource>> Open(
      const std::string& path, const std::string& id_prefix);

  virtual ~LoadSource() = default;

  // Of every vector; 0 if not known before it is read.
  virtual uint32_t dimension() const = 0;

  // Number of observations; 0 if not known.
  virtual uint64_t count() const = 0;

  // Reads the next observation; false after the last. An error names its
  // place; CANCELLED if Interrupted() ended a wait for input.
  virtual absl::StatusOr<bool> Next(Record* record) = 0;

  // Where the last observation stands, as in "a.jsonl line 3".
  virtual std::string Place() const = 0;
};

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_LOAD_SOURCE_H_

// The ways to a durable record that engram-bench wal compares.

#ifndef ENGRAM_TOOLS_BENCH_WAL_PATH_H_
#define ENGRAM_TOOLS_BENCH_WAL_PATH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::bench {

inline constexpr char kEngramUring[] = "engram-uring";
inline constexpr char kEngramPwrite[] = "engram-pwrite";
inline constexpr char kDevice[] = "device";
inline constexpr char kPwrite[] = "pwrite";
inline constexpr char kRocksdb[] = "rocksdb";

// Appenders that wait for each record, or one that lets `window` records be
// under way.
struct WalSetting {
  int appenders = 1;
  int window = 0;  // 0: each appender waits
  int record_bytes = 0;
  double seconds = 1;
};

struct WalResult {
  uint64_t records = 0;
  double seconds = 0;
  std::vector<float> ack_us;  // of each record, in any order
};

class WalPath {
 public:
  virtual ~WalPath() = default;

  virtual const char* name() const = 0;

  // Whether it can do that at all.
  virtual bool Supports(const WalSetting& setting) const = 0;

  virtual absl::StatusOr<WalResult> Run(const WalSetting& setting) = 0;
};

// Each works in a folder of its own, which must not exist yet.
//
// wal::Writer with one backend, on segments that were all written before the
// measurement begins, and are recycled during it.
std::unique_ptr<WalPath> NewEngramPath(bool uring, const std::string& folder);

// What the device can do: one thread that writes 4 KiB and syncs, again and
// again; or, for a window, four threads that write consecutive MiB, and one
// sync in the end. O_DIRECT, on a file that was written before.
absl::StatusOr<std::unique_ptr<WalPath>> NewDevicePath(
    const std::string& folder);

// Each appender writes its record and syncs, through the page cache, on a file
// that was written before.
absl::StatusOr<std::unique_ptr<WalPath>> NewPwritePath(
    const std::string& folder);

// RocksDB's Put() with sync = true.
absl::StatusOr<std::unique_ptr<WalPath>> NewRocksdbPath(
    const std::string& folder);

// Calls `append`, with the thread's number, over and over on so many threads
// until the time is up or a call fails, and measures each call.
absl::StatusOr<WalResult> RunAppenders(
    const WalSetting& setting, const std::function<absl::Status(int)>& append);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_WAL_PATH_H_

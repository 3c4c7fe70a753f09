#include "tools/bench/machine.h"

#include <malloc.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"

namespace engram::bench {
namespace {

// Of /proc/self/status; 0 if there is no such line.
uint64_t BytesInStatus(absl::string_view name) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    absl::string_view rest = line;
    uint64_t kilobytes = 0;
    if (absl::ConsumePrefix(&rest, name) && absl::ConsumeSuffix(&rest, "kB") &&
        absl::SimpleAtoi(absl::StripAsciiWhitespace(rest), &kilobytes)) {
      return kilobytes << 10;
    }
  }
  return 0;
}

}  // namespace

std::string ProcessorModel() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (!absl::StartsWith(line, "model name")) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "unknown";
}

unsigned Processors() {
  return std::max(1u, std::thread::hardware_concurrency());
}

uint64_t SharedCacheBytes() {
  // sysconf() asks the processor, which tells a virtual machine of the caches
  // of the whole socket.
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::string size;
  std::getline(file, size);
  absl::string_view rest = size;
  uint64_t kilobytes = 0;
  return absl::ConsumeSuffix(&rest, "K") && absl::SimpleAtoi(rest, &kilobytes)
             ? kilobytes << 10
             : 0;
}

double LoadAverage() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : -1;
}

absl::StatusOr<uint64_t> AnonymousBytes() {
  ::malloc_trim(0);
  const uint64_t bytes = BytesInStatus("RssAnon:");
  if (bytes != 0) return bytes;
  return absl::UnavailableError("no RssAnon in /proc/self/status");
}

uint64_t ResidentBytes() { return BytesInStatus("VmRSS:"); }

}  // namespace engram::bench

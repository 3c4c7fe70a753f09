// What the killed child and the test that looks at its database agree on.

#ifndef ENGRAM_TESTS_SUPPORT_LEDGER_H_
#define ENGRAM_TESTS_SUPPORT_LEDGER_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/options.h"

namespace engram::testing {

inline constexpr uint32_t kLedgerThreads = 64;
inline constexpr uint32_t kLedgerSpaces = 100;
inline constexpr uint32_t kLedgerDimension = 12;

// One line of the ledger: that a write was begun, or was acknowledged.
struct LedgerEntry {
  uint32_t thread;
  uint32_t space;
  uint32_t number;  // of the id
  uint8_t remove;
  uint8_t acknowledged;
  uint16_t reserved;
  uint64_t version;  // rises with every write of a thread
};
static_assert(sizeof(LedgerEntry) == 24);

// How many ids a thread has in a space. A few spaces have a graph; the others
// stay below flat_records_max, so that a recovery takes milliseconds and a kill
// every half second is possible.
inline uint32_t LedgerIdsOf(uint32_t space) { return space < 8 ? 4 : 1; }

inline std::string LedgerSpaceName(uint32_t space) {
  return absl::StrCat("space", space);
}

inline std::string LedgerId(const LedgerEntry& entry) {
  return absl::StrCat("t", entry.thread, "-", entry.number);
}

inline std::string LedgerPayload(const LedgerEntry& entry) {
  return absl::StrCat("version ", entry.version);
}

// Small segments and frequent checkpoints, so that a kill finds the database
// in the middle of something.
inline Options LedgerOptions(bool pwrite) {
  Options options;
  options.workers = 2;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 8 << 20;
  options.checkpoint_wal_bytes = 512 << 10;
  options.flat_records_max = 100;
  options.wal_backend = pwrite ? WalBackend::kPwrite : WalBackend::kUring;
  return options;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_LEDGER_H_

// What the fuzzers call: each takes any bytes, hands them to a decoder, aborts
// if the decoder accepts what it must not, and returns whether it accepted
// anything.

#ifndef ENGRAM_TESTS_FUZZ_ENTRIES_H_
#define ENGRAM_TESTS_FUZZ_ENTRIES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace engram::fuzz {

// In all of them the lowest bit of the first byte asks for checksums to be made
// right, so that what stands behind them is reached.

// A log of one or two segments, through Recover(), in each of its ways.
bool WalSegment(absl::string_view input);

bool VectorPart(absl::string_view input);
bool LinkPart(absl::string_view input);
bool Head(absl::string_view input);

// A catalog, a catalog entry, or a bare description.
bool Catalog(absl::string_view input);

bool Record(absl::string_view input);

// A whole export of a space, behind the first byte.
bool Export(absl::string_view input);

struct Entry {
  const char* name;
  bool (*run)(absl::string_view input);
  std::vector<std::string> (*seeds)();
};

// All of the above, with inputs that the decoders accept.
const std::vector<Entry>& AllEntries();

// --- The layout of inputs ----------------------------------------------------

// First byte.
inline constexpr unsigned kFixChecksums = 1;
inline constexpr unsigned kFixOrder = 2;       // WalSegment
inline constexpr unsigned kSecondSegment = 4;  // WalSegment
inline constexpr unsigned kSalvage = 8;        // WalSegment
inline constexpr unsigned kLive = 16;          // WalSegment
inline constexpr unsigned kTruncated = 32;     // WalSegment

// Of a WalSegment input: flags, low-water mark, known durable LSN, the
// successor's idea of last LSN and of the end in blocks; then the raw segment
// header; then the first bytes of each block.
inline constexpr size_t kWalOptionBytes = 5;
inline constexpr size_t kWalChunkBytes = 256;

// Of the others: flags and three bytes that stand for what the head says.
inline constexpr size_t kValueOptionBytes = 4;

}  // namespace engram::fuzz

#endif  // ENGRAM_TESTS_FUZZ_ENTRIES_H_

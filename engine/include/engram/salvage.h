// What a damaged log has cost.

#ifndef ENGRAM_SALVAGE_H_
#define ENGRAM_SALVAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "engram/options.h"

namespace engram {

// A write that was acknowledged and is gone.
struct LostWrite {
  enum class Kind : uint8_t { kObserve, kRemove, kCreateSpace, kDropSpace };

  Lsn lsn = 0;
  Kind kind = Kind::kObserve;
  uint64_t space_id = 0;
  std::string space;  // its name; empty where the space itself is gone
  std::string id;     // kObserve, kRemove

  // Whether the checksum of the record is right. Where it is not, this is what
  // the damaged bytes say: most likely true, but nothing vouches for it.
  bool certain = false;
};

// A range of LSNs whose writes are gone, as far as no checkpoint had saved
// them. Or, where the creation of a space is gone, the writes to that space
// between two LSNs; the reason says so.
struct LogDamage {
  std::string path;     // the file, or the folder where a file is missing
  uint64_t offset = 0;  // of the damage in it
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;         // below first_lsn if not a single one is known
  bool open_ended = false;  // unknown writes behind last_lsn are gone as well
  std::string reason;

  // Those writes of the range that can still be named, at most 100,000.
  std::vector<LostWrite> writes;
};

// See Options::salvage_damaged_log.
struct SalvageReport {
  std::vector<LogDamage> losses;  // empty: nothing was lost

  // What was decided beyond that, for a person to read.
  std::vector<std::string> notes;

  // The file in which the same stands for good; empty if nothing was lost, or
  // nothing is to be written.
  std::string recorded_in;
};

}  // namespace engram

#endif  // ENGRAM_SALVAGE_H_

// The file LOST of a database: what salvages have cost it, for people.

#ifndef ENGRAM_ENGINE_DB_LOST_FILE_H_
#define ENGRAM_ENGINE_DB_LOST_FILE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "engram/salvage.h"

namespace engram::internal {

inline constexpr absl::string_view kLostFileName = "LOST";

// The report as lines of text, one for each loss, lost write and note. Ids are
// escaped as in C.
std::string LostText(const SalvageReport& report);

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_LOST_FILE_H_

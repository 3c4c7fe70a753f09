// The part of verify that reads one space's checkpoint.

#ifndef ENGRAM_TOOLS_CTL_VERIFY_SPACE_H_
#define ENGRAM_TOOLS_CTL_VERIFY_SPACE_H_

#include <string>

#include "schema/part_codec.h"
#include "storage/kv/store.h"
#include "tools/ctl/verify.h"
#include "tools/ctl/verify_log.h"

namespace engram::ctl {

// Checks everything that column family `family` holds against `head`, and that
// against itself: parts, records, and the graph. `log_complete` says whether
// `space` knows all that the log holds.
void VerifySpace(const kv::Store& store, const std::string& family,
                 const schema::Head& head, const KnownSpace& space,
                 bool log_complete, VerifyReport* report);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERIFY_SPACE_H_

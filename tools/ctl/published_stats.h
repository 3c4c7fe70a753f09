// What the owner of a database, another process, says of it: the file STATS.

#ifndef ENGRAM_TOOLS_CTL_PUBLISHED_STATS_H_
#define ENGRAM_TOOLS_CTL_PUBLISHED_STATS_H_

#include <string>

#include "absl/status/statusor.h"
#include "schema/stats_page.h"
#include "tools/ctl/exit_code.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {

// The page that was published last. NOT_FOUND if the owner publishes none,
// be there one of an owner that was killed; DATA_LOSS if it cannot be read for
// a second.
absl::StatusOr<schema::StatsPage> ReadPublishedStats(const std::string& db);

// Prints a page as `stats` prints what it counted itself, as far as that goes:
// series by name, with the page's age.
VerbResult PrintPublishedStats(const Global& global,
                               const StatsArguments& arguments,
                               const schema::StatsPage& page);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_PUBLISHED_STATS_H_

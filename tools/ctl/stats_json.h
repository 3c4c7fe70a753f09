// Statistics as JSON; the text that is printed is made of the same objects.

#ifndef ENGRAM_TOOLS_CTL_STATS_JSON_H_
#define ENGRAM_TOOLS_CTL_STATS_JSON_H_

#include "engram/stats.h"
#include "tools/ctl/output.h"

namespace engram::ctl {

// Every field, under its own name; the log's and the checkpoints' in objects
// "wal" and "checkpoint".
Json ToJson(const DbStats& stats);
Json ToJson(const SpaceStats& stats);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_STATS_JSON_H_

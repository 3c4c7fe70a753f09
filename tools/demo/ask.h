// The second part: what is near a word?

#ifndef ENGRAM_TOOLS_DEMO_ASK_H_
#define ENGRAM_TOOLS_DEMO_ASK_H_

#include "absl/status/status.h"
#include "engram/db.h"
#include "tools/demo/screen.h"
#include "tools/demo/words.h"

namespace engram::demo {

// Asks all agents for the words nearest to some, merges their answers, and
// prints them beside what a scan of all words finds.
absl::Status AskAgents(Db& db, const Words& words, const Screen& screen);

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_ASK_H_

// The first part: agents observe words.

#ifndef ENGRAM_TOOLS_DEMO_AGENTS_H_
#define ENGRAM_TOOLS_DEMO_AGENTS_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/db.h"
#include "tools/demo/screen.h"
#include "tools/demo/words.h"

namespace engram::demo {

inline constexpr size_t kAgents = 4;

// The most frequent words, which every agent observes; of the others each
// agent observes its own part.
inline constexpr size_t kSharedWords = 1000;

inline bool Observes(size_t agent, size_t word) {
  return word < kSharedWords || word % kAgents == agent;
}

// How many observations all agents make of `words`.
size_t ObservationCount(const Words& words);

std::string AgentName(size_t agent);

// The space of an agent; it is created where there is none.
absl::StatusOr<Space> OpenAgent(Db& db, const Words& words, size_t agent);

// Lets all agents observe their words, each from several threads, and prints
// how fast that went. Checks that every space holds what was observed.
absl::Status ObserveWords(Db& db, const Words& words, const Screen& screen);

// Checks that every space holds as many observations as its agent made.
absl::Status CheckAgents(Db& db, const Words& words);

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_AGENTS_H_

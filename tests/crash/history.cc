#include "tests/crash/history.h"

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::testing {
namespace {

// The part of the contents that one client answers for: its ids, and with the
// first client which spaces there are.
Contents PartOf(int client, const Contents& contents) {
  Contents part;
  const std::string prefix = ClientPrefix(client);
  for (const auto& [space, ids] : contents) {
    if (client == 0 && space != kProducers) part[space];
    for (const auto& [id, payload] : ids) {
      if (absl::StartsWith(id, prefix)) part[space][id] = payload;
    }
  }
  return part;
}

void Apply(const Step& step, bool keeps_spaces, Contents* contents) {
  switch (step.kind) {
    case Step::Kind::kCreateSpace:
      (*contents)[step.space];
      break;
    case Step::Kind::kDropSpace:
      contents->erase(step.space);
      break;
    case Step::Kind::kWrite:
      for (const Write& write : step.writes) {
        if (!write.remove) {
          (*contents)[write.space][write.id] = write.payload;
          continue;
        }
        const auto space = contents->find(write.space);
        if (space == contents->end()) continue;
        space->second.erase(write.id);
        if (space->second.empty() && !keeps_spaces) contents->erase(space);
      }
      break;
  }
}

std::string Difference(const Contents& wanted, const Contents& found) {
  std::string text;
  for (const auto& [space, ids] : wanted) {
    const auto it = found.find(space);
    if (it == found.end()) {
      absl::StrAppend(&text, " ", space, " is missing;");
      continue;
    }
    for (const auto& [id, payload] : ids) {
      const auto entry = it->second.find(id);
      if (entry == it->second.end()) {
        absl::StrAppend(&text, " ", space, "/", id, " is missing;");
      } else if (entry->second != payload) {
        absl::StrAppend(&text, " ", space, "/", id, " is ", entry->second,
                        " and not ", payload, ";");
      }
    }
  }
  for (const auto& [space, ids] : found) {
    const auto it = wanted.find(space);
    if (it == wanted.end()) absl::StrAppend(&text, " ", space, " is there;");
    for (const auto& [id, payload] : ids) {
      if (it == wanted.end() || it->second.count(id) == 0) {
        absl::StrAppend(&text, " ", space, "/", id, " is there;");
      }
    }
  }
  return text;
}

}  // namespace

std::string ClientPrefix(int client) { return absl::StrCat("c", client, "-"); }

std::string ProducerId(int client) {
  return absl::StrCat(ClientPrefix(client), "sequence");
}

History::History(int clients, Contents base)
    : base_(std::move(base)), steps_(static_cast<size_t>(clients)) {}

size_t History::Begin(int client, Step step) {
  MutexLock lock(mutex_);
  std::vector<Step>& steps = steps_[static_cast<size_t>(client)];
  steps.push_back(std::move(step));
  return steps.size() - 1;
}

void History::Acknowledge(int client, size_t place, uint64_t operations,
                          Lsn lsn) {
  MutexLock lock(mutex_);
  Step& step = steps_[static_cast<size_t>(client)][place];
  step.acknowledged_at = operations;
  step.lsn = lsn;
}

void History::Refuse(int client, size_t place) {
  MutexLock lock(mutex_);
  Step& step = steps_[static_cast<size_t>(client)][place];
  step.kind = Step::Kind::kWrite;
  step.writes.clear();
}

uint64_t History::steps() const {
  MutexLock lock(mutex_);
  uint64_t count = 0;
  for (const std::vector<Step>& steps : steps_) count += steps.size();
  return count;
}

std::string History::CheckClient(int client, const Contents& found,
                                 uint64_t operations, Range* range) const {
  const std::vector<Step>& steps = steps_[static_cast<size_t>(client)];
  size_t acknowledged = 0;
  size_t submitted = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].acknowledged_at <= operations) acknowledged = i + 1;
    if (steps[i].submitted_at <= operations) submitted = i + 1;
  }
  const bool keeps_spaces = client == 0;
  const Contents present = PartOf(client, found);
  Contents wanted = PartOf(client, base_);
  std::string difference;
  std::optional<Range> explained;
  for (size_t i = 0; i <= submitted; ++i) {
    if (i > 0) Apply(steps[i - 1], keeps_spaces, &wanted);
    if (i < acknowledged) continue;
    if (wanted == present) {
      if (!explained.has_value()) explained = Range{i, i};
      explained->last = i;
    } else if (i == acknowledged) {
      difference = Difference(wanted, present);
    }
  }
  if (!explained.has_value()) {
    return absl::StrCat("client ", client, ", ", acknowledged,
                        " steps acknowledged and ", submitted,
                        " submitted:", difference, "\n");
  }
  *range = *explained;
  return "";
}

std::string History::Check(const Contents& found, uint64_t operations) const {
  MutexLock lock(mutex_);
  std::string problems;
  std::vector<Range> ranges(steps_.size());
  Lsn reached = 0;  // at least so much of the log is there
  for (size_t client = 0; client < steps_.size(); ++client) {
    problems += CheckClient(static_cast<int>(client), found, operations,
                            &ranges[client]);
    if (!problems.empty()) continue;
    for (size_t i = 0; i < ranges[client].first; ++i) {
      reached = std::max(reached, steps_[client][i].lsn);
    }
  }
  if (!problems.empty()) return problems;
  for (size_t client = 0; client < steps_.size(); ++client) {
    const size_t next = ranges[client].last;
    if (next >= steps_[client].size()) continue;
    const Lsn missing = steps_[client][next].lsn;
    if (missing != 0 && missing < reached) {
      absl::StrAppend(&problems, "LSN ", reached, " is there, LSN ", missing,
                      " of client ", client, " is not\n");
    }
  }
  return problems;
}

absl::StatusOr<Contents> ReadContents(Db* db) {
  Contents contents;
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<ProducerPosition> producers,
                          db->ListProducers());
  for (const ProducerPosition& producer : producers) {
    contents[kProducers][ProducerId(static_cast<int>(producer.producer) - 1)] =
        absl::StrCat(producer.sequence);
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          db->ListSpaces());
  for (const std::string& name : names) {
    ENGRAM_ASSIGN_OR_RETURN(Space space, db->OpenSpace(name, {}));
    std::map<std::string, std::string>& ids = contents[name];
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> listed,
                            space.ListIds());
    for (const std::string& id : listed) {
      ENGRAM_ASSIGN_OR_RETURN(const StoredObservation stored, space.Get(id));
      if (!ids.emplace(id, stored.payload).second) {
        return absl::DataLossError(absl::StrCat(name, "/", id, " is twice"));
      }
      SearchOptions nearest;
      nearest.k = 1;
      ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                              space.Search(stored.vector, nearest));
      if (hits.size() != 1 || hits[0].id != id) {
        return absl::DataLossError(
            absl::StrCat(name, "/", id, " is not found by its own vector"));
      }
    }
  }
  return contents;
}

}  // namespace engram::testing

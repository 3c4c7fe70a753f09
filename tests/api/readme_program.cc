#include <cstdio>

#include "engram/db.h"

int main() {
  auto db = engram::Db::Open("memory.db", {});
  if (!db.ok()) return std::puts(db.status().ToString().c_str());

  engram::SpaceOptions options;
  options.dimension = 3;
  options.metric = engram::Metric::kCosine;
  auto space = (*db)->OpenSpace("agent-7", options);
  if (!space.ok()) return std::puts(space.status().ToString().c_str());

  const float seen[] = {0.1f, 0.9f, 0.2f};
  auto lsn = space->Observe({"note-1", seen, "the door was open"});
  if (!lsn.ok()) return std::puts(lsn.status().ToString().c_str());

  auto hits = space->Search(seen, {});
  for (const engram::Hit& hit : *hits) {
    std::printf("%s %.3f %s\n", hit.id.c_str(), hit.distance,
                space->Get(hit.id)->payload.c_str());
  }
}

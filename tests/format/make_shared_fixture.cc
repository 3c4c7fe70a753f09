// Makes a database with shared families for tests/format/fixtures, as
// make_fixture makes one in which each space has its own.
//
//   make_shared_fixture DATABASE

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "engine/db/db_impl.h"
#include "engram/db.h"
#include "shared_fixture.h"
#include "storage/base/status_macros.h"

namespace engram::testing {
namespace {

// All of it indexed before it returns: else it is up to the workers what the
// next checkpoint saves.
absl::Status Fill(Db& db, const SharedFixtureSpace& space, int begin, int end) {
  ENGRAM_ASSIGN_OR_RETURN(Space handle,
                          db.OpenSpace(space.name, OptionsOf(space)));
  Lsn lsn = 0;
  for (int i = begin; i < end; ++i) {
    const std::vector<float> vector = SharedFixtureVector(space, i);
    ENGRAM_ASSIGN_OR_RETURN(
        lsn, handle.Observe({SharedFixtureId(i), vector,
                             SharedFixturePayload(space, i), i}));
  }
  return handle.Wait(lsn, Stage::kIndexed, absl::Minutes(1));
}

absl::Status FillAll(Db& db, const SharedFixtureSpace& space) {
  return Fill(db, space, 0, space.ids);
}

absl::Status RemoveIds(Db& db, const SharedFixtureSpace& space) {
  ENGRAM_ASSIGN_OR_RETURN(Space handle, db.OpenSpace(space.name, {}));
  for (int i = 0; i < space.ids; ++i) {
    if (!IsRemoved(space, i)) continue;
    ENGRAM_RETURN_IF_ERROR(handle.Remove(SharedFixtureId(i)).status());
  }
  return absl::OkStatus();
}

// On a machine with too little memory.
absl::Status MakeFullSpace(const std::string& path) {
  internal::Environment environment;
  environment.slots_max = kFullSpaceRoom;
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Db> db,
      internal::DbImpl::OpenOn(environment, path, SharedFixtureOptions()));
  // First, so that the family of its own is that one's.
  ENGRAM_RETURN_IF_ERROR(FillAll(*db, kDedicatedSpace));
  ENGRAM_RETURN_IF_ERROR(db->Checkpoint());
  ENGRAM_RETURN_IF_ERROR(FillAll(*db, kFullSpace));
  return db->Close();
}

absl::Status MakeOthers(Db& db) {
  ENGRAM_RETURN_IF_ERROR(Fill(db, kGraphSpace, 0, kGraphSpaceSavedFirst));
  ENGRAM_RETURN_IF_ERROR(FillAll(db, kFlatSpace));
  ENGRAM_RETURN_IF_ERROR(FillAll(db, kDroppedSpace));
  ENGRAM_RETURN_IF_ERROR(FillAll(db, kDropLoggedSpace));
  ENGRAM_RETURN_IF_ERROR(db.Checkpoint());
  ENGRAM_RETURN_IF_ERROR(
      Fill(db, kGraphSpace, kGraphSpaceSavedFirst, kGraphSpace.ids - 1));
  ENGRAM_RETURN_IF_ERROR(RemoveIds(db, kGraphSpace));
  ENGRAM_RETURN_IF_ERROR(db.DropSpace(kDroppedSpace.name));
  ENGRAM_RETURN_IF_ERROR(FillAll(db, kNewSpace));
  ENGRAM_RETURN_IF_ERROR(db.Checkpoint());
  // From here on, only the log knows.
  ENGRAM_RETURN_IF_ERROR(
      Fill(db, kGraphSpace, kGraphSpace.ids - 1, kGraphSpace.ids));
  ENGRAM_RETURN_IF_ERROR(RemoveIds(db, kFlatSpace));
  ENGRAM_RETURN_IF_ERROR(RemoveIds(db, kNewSpace));
  ENGRAM_RETURN_IF_ERROR(FillAll(db, kLoggedSpace));
  ENGRAM_RETURN_IF_ERROR(RemoveIds(db, kLoggedSpace));
  return db.DropSpace(kDropLoggedSpace.name);
}

absl::Status Make(const std::string& path) {
  ENGRAM_RETURN_IF_ERROR(MakeFullSpace(path));
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          Db::Open(path, SharedFixtureOptions()));
  ENGRAM_RETURN_IF_ERROR(MakeOthers(*db));
  // Not closed: the log has to be read as well.
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace engram::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DATABASE\n", argv[0]);
    return 2;
  }
  const absl::Status status = engram::testing::Make(argv[1]);
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

// Makes a database for tests/format/fixtures. Run once for each landing that
// changes a format; what it made stays for ever.
//
//   make_fixture DATABASE

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/db/db_impl.h"
#include "engram/db.h"
#include "second_fixture.h"
#include "storage/base/status_macros.h"
#include "tests/support/fixture.h"
#include "tests/support/test_vectors.h"
#include "third_fixture.h"

namespace engram::testing {
namespace {

// --- What version 1 had as well ----------------------------------------------

absl::Status MakeFirstSpace(Db& db, Metric metric) {
  SpaceOptions options;
  options.dimension = kFixtureDimension;
  options.metric = metric;
  ENGRAM_ASSIGN_OR_RETURN(Space space,
                          db.OpenSpace(FixtureSpaceName(metric), options));
  for (int i = 0; i < kFixtureIds; ++i) {
    const absl::Status status =
        space
            .Observe({absl::StrCat("id", i), TestVector(kFixtureDimension, i),
                      absl::StrCat("payload ", i), i})
            .status();
    ENGRAM_RETURN_IF_ERROR(status);
    if (i == kFixtureIds / 2) ENGRAM_RETURN_IF_ERROR(db.Checkpoint());
  }
  for (int i = 0; i < kFixtureIds; i += kFixtureRemovedEach) {
    ENGRAM_RETURN_IF_ERROR(space.Remove(absl::StrCat("id", i)).status());
  }
  return absl::OkStatus();
}

// --- What version 2 brought --------------------------------------------------

// Writes one space, step by step; each step ends with all of it saved.
class SecondSpace {
 public:
  SecondSpace(Db& db, Space space) : db_(db), space_(std::move(space)) {}

  absl::Status Make() {
    ENGRAM_RETURN_IF_ERROR(ObserveIds(0, kSecondFixtureSavedFirst));
    ENGRAM_RETURN_IF_ERROR(Save());
    ENGRAM_RETURN_IF_ERROR(
        ObserveIds(kSecondFixtureSavedFirst, kSecondFixtureIds));
    ENGRAM_RETURN_IF_ERROR(Save());
    ENGRAM_RETURN_IF_ERROR(ReplaceAndRemove());
    ENGRAM_RETURN_IF_ERROR(Save());
    // So little that its links are saved as a delta, which version 4 brought.
    ENGRAM_RETURN_IF_ERROR(
        Observe(SecondFixtureLateId(0), SecondFixtureLateVector(0)));
    ENGRAM_RETURN_IF_ERROR(Save());
    for (int i = 0; i < kSecondFixtureLateIds; ++i) {
      ENGRAM_RETURN_IF_ERROR(
          Observe(SecondFixtureLateId(i), SecondFixtureLateVector(i)));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Observe(const std::string& id,
                       const std::vector<float>& vector) {
    ENGRAM_ASSIGN_OR_RETURN(
        last_lsn_,
        space_.Observe({id, vector, absl::StrCat("payload of ", id), 7}));
    return absl::OkStatus();
  }

  absl::Status ObserveIds(int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const std::vector<float> vector = SecondFixtureVector(i);
      ENGRAM_RETURN_IF_ERROR(Observe(SecondFixtureId(i), vector));
      if (!HasTwinInSecondFixture(i)) continue;
      ENGRAM_RETURN_IF_ERROR(Observe(SecondFixtureTwinId(i), vector));
    }
    return absl::OkStatus();
  }

  absl::Status ReplaceAndRemove() {
    for (int i = 0; i < kSecondFixtureIds; ++i) {
      if (IsReplacedInSecondFixture(i)) {
        ENGRAM_RETURN_IF_ERROR(
            Observe(SecondFixtureId(i), SecondFixtureReplacement(i)));
      } else if (IsRemovedInSecondFixture(i)) {
        ENGRAM_ASSIGN_OR_RETURN(last_lsn_, space_.Remove(SecondFixtureId(i)));
      }
    }
    return absl::OkStatus();
  }

  // All of it indexed first: else it is up to the workers what is saved.
  absl::Status Save() {
    ENGRAM_RETURN_IF_ERROR(
        space_.Wait(last_lsn_, Stage::kIndexed, absl::Minutes(1)));
    return db_.Checkpoint();
  }

  Db& db_;
  Space space_;
  Lsn last_lsn_ = 0;
};

// --- What version 3 brought --------------------------------------------------

absl::Status ObserveThird(Space& space, int i, const ProducerStamp& stamp) {
  const std::vector<float> vector = ThirdFixtureVector(i);
  WriteOptions options;
  options.stamp = stamp;
  return space.Observe({ThirdFixtureId(i), vector, "payload", i}, options)
      .status();
}

// On a machine with too little memory.
absl::Status MakeThirdSpace(const std::string& path) {
  internal::Environment environment;
  environment.slots_max = kThirdFixtureRoom;
  ENGRAM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Db> db,
      internal::DbImpl::OpenOn(environment, path, FixtureOptions()));
  ENGRAM_ASSIGN_OR_RETURN(
      Space space, db->OpenSpace(kThirdFixtureSpace, ThirdFixtureOptions()));
  for (int i = 0; i < kThirdFixtureIds; ++i) {
    const auto sequence = static_cast<uint64_t>(i) + 1;
    ENGRAM_RETURN_IF_ERROR(ObserveThird(space, i, {kSavedProducer, sequence}));
  }
  return db->Close();
}

// The first id once more.
absl::Status WriteThirdAgain(Db& db) {
  ENGRAM_ASSIGN_OR_RETURN(Space space, db.OpenSpace(kThirdFixtureSpace, {}));
  return ObserveThird(space, 0, {kLoggedProducer, kLoggedSequence});
}

absl::Status Make(const std::string& path) {
  ENGRAM_RETURN_IF_ERROR(MakeThirdSpace(path));
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          Db::Open(path, FixtureOptions()));
  for (const Metric metric :
       {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    ENGRAM_RETURN_IF_ERROR(MakeFirstSpace(*db, metric));
  }
  for (const SecondFixtureSpace& each : kSecondFixtureSpaces) {
    ENGRAM_ASSIGN_OR_RETURN(Space space,
                            db->OpenSpace(each.name, OptionsOf(each)));
    ENGRAM_RETURN_IF_ERROR(SecondSpace(*db, std::move(space)).Make());
  }
  ENGRAM_RETURN_IF_ERROR(WriteThirdAgain(*db));
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

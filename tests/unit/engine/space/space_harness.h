// A space that is driven directly, without a database around it, and a model
// that says what it has to hold.

#ifndef ENGRAM_TESTS_UNIT_ENGINE_SPACE_SPACE_HARNESS_H_
#define ENGRAM_TESTS_UNIT_ENGINE_SPACE_SPACE_HARNESS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/space/space_state.h"
#include "gtest/gtest.h"
#include "schema/wal_codec.h"
#include "storage/kv/store.h"
#include "storage/wal/group.h"
#include "tests/support/temporary_directory.h"

namespace engram::space {

inline constexpr uint32_t kTestDimension = 6;

schema::SpaceDescription TestSpace(schema::Metric metric = schema::Metric::kL2);

// A sealed group that holds one record.
std::shared_ptr<const wal::Group> MakeGroup(const schema::RecordDraft& draft,
                                            Lsn lsn);

// The only record of such a group; points into it.
schema::RecordView RecordOf(const std::shared_ptr<const wal::Group>& group);

class SpaceHarness : public ::testing::Test {
 protected:
  static constexpr uint32_t kAdmitted = 100;

  struct Expected {
    Lsn lsn = 0;
    std::vector<float> vector;
    std::string payload;
  };

  // A new, empty space; it has a graph beyond `flat_records_max` versions.
  void Make(uint32_t flat_records_max = 1000);

  // Publishes one record. The vector is TestVector(dimension, seed).
  Lsn Observe(const std::string& id, uint64_t seed,
              const std::string& payload = "");
  Lsn ObserveVector(const std::string& id, const std::vector<float>& vector,
                    const std::string& payload = "");
  Lsn Remove(const std::string& id);

  std::vector<Hit> Search(const std::vector<float>& query, uint32_t k,
                          uint32_t ef_search = 100) const;

  // Indexes everything that waits.
  void ServeAll();

  // Opens the store, with a family for the space.
  void OpenStore();

  // Saves the space; expects that there was something to save.
  void Checkpoint();

  // The space as the store has it. What is not saved is forgotten.
  absl::Status Reload(uint32_t flat_records_max = 1000);

  // The head in the store.
  schema::Head ReadHead();

  // That the space holds exactly what the model does, found by each way.
  void ExpectMatchesModel();

  std::string path() const { return directory_.PathOf("kv"); }

  static inline const std::string kFamily = "p000001";

  schema::SpaceDescription description_ = TestSpace();
  uint32_t slots_max_ = SpaceLimits().slots_max;  // of the next Make()
  testing::TemporaryDirectory directory_;
  index::EpochDomain epochs_;
  std::unique_ptr<kv::Store> store_;
  std::shared_ptr<SpaceState> space_;
  std::map<std::string, Expected> model_;
  Lsn last_lsn_ = 10;

 private:
  std::shared_ptr<SpaceState> NewState(uint32_t flat_records_max);
  void Publish(const schema::RecordDraft& draft);
};

}  // namespace engram::space

#endif  // ENGRAM_TESTS_UNIT_ENGINE_SPACE_SPACE_HARNESS_H_

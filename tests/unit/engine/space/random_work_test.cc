// Random work on a space against a model: writes, searches, checkpoints that
// fail or succeed, long readers, reloading.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/space/checkpoint_writer.h"
#include "gmock/gmock.h"
#include "space_harness.h"
#include "tests/support/test_vectors.h"

namespace engram::space {
namespace {

using testing::TestVector;

constexpr uint32_t kIds = 150;

struct Setting {
  schema::Metric metric;
  schema::Quantization quantization;
  uint32_t flat_records_max;
  uint32_t slots_max = SpaceLimits().slots_max;
};

class RandomWorkTest : public SpaceHarness,
                       public ::testing::WithParamInterface<Setting> {
 protected:
  static constexpr uint32_t kDimension = 33;

  void SetUp() override {
    description_ = TestSpace(GetParam().metric);
    description_.dimension = kDimension;
    description_.quantization = GetParam().quantization;
    slots_max_ = GetParam().slots_max;
    OpenStore();
    Make(GetParam().flat_records_max);
  }

  double ExactDistance(const std::vector<float>& a,
                       const std::vector<float>& b) const {
    double l2 = 0, dot = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < kDimension; ++i) {
      l2 += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
      dot += double{a[i]} * b[i];
      aa += double{a[i]} * a[i];
      bb += double{b[i]} * b[i];
    }
    switch (description_.metric) {
      case schema::Metric::kL2:
        return l2;
      case schema::Metric::kCosine:
        return 1 - dot / std::sqrt(aa * bb);
      case schema::Metric::kInnerProduct:
        return -dot;
    }
    return 0;
  }

  // Never an id that is gone, never another vector's distance, never less than
  // k where k exist.
  void CheckSearch(uint64_t seed, uint32_t k, bool exact) {
    const std::vector<float> query = TestVector(kDimension, seed);
    SearchOptions options;
    options.k = k;
    options.ef_search = 60;
    options.exact = exact;
    SearchStats stats;
    const std::vector<Hit> hits = *space_->Search(query, options, &stats);
    ASSERT_EQ(hits.size(), std::min<size_t>(k, model_.size()));
    std::map<std::string, int> times;
    double before = -1e30;
    for (const Hit& hit : hits) {
      ASSERT_EQ(++times[hit.id], 1) << hit.id;
      const auto expected = model_.find(hit.id);
      ASSERT_NE(expected, model_.end()) << hit.id << " is gone";
      ASSERT_EQ(hit.lsn, expected->second.lsn);
      ASSERT_NEAR(hit.distance, ExactDistance(query, expected->second.vector),
                  1e-3);
      ASSERT_GE(hit.distance, before);
      before = hit.distance;
    }
    if (!exact) return;
    std::vector<double> all;
    for (const auto& [id, expected] : model_) {
      all.push_back(ExactDistance(query, expected.vector));
    }
    std::sort(all.begin(), all.end());
    for (size_t i = 0; i < hits.size(); ++i) {
      ASSERT_NEAR(hits[i].distance, all[i], 1e-3);
    }
  }

  void CheckGet(const std::string& id) {
    const auto stored = space_->Get(id, store_.get());
    const auto expected = model_.find(id);
    if (expected == model_.end()) {
      ASSERT_TRUE(absl::IsNotFound(stored.status())) << stored.status();
      return;
    }
    ASSERT_TRUE(stored.ok()) << stored.status();
    ASSERT_EQ(stored->vector, expected->second.vector);
    ASSERT_EQ(stored->payload, expected->second.payload);
    ASSERT_EQ(stored->lsn, expected->second.lsn);
  }
};

TEST_P(RandomWorkTest, AgreesWithTheModel) {
  std::mt19937 random(11);
  index::EpochDomain::Guard reader;
  // Few vectors, so that many are the same.
  const auto seed = [&random] { return uint64_t{random() % 400}; };
  uint64_t dead_letters = 0;
  for (int step = 0; step < 4000 && !HasFatalFailure(); ++step) {
    const std::string id = absl::StrCat("id", random() % kIds);
    switch (random() % 24) {
      case 0:
      case 1:
        Remove(id);
        break;
      case 2:
      case 3:
      case 4:
        space_->Serve(random() % 30 + 1);
        break;
      case 5:
      case 6:
        CheckSearch(seed(), random() % 20 + 1, random() % 4 == 0);
        break;
      case 7:
        CheckGet(id);
        break;
      case 8:
        if (random() % 4 == 0) reader = epochs_.Enter();
        if (random() % 4 == 0) reader.Leave();
        break;
      case 9: {
        if (random() % 4 != 0) break;
        const bool fail = random() % 3 == 0;
        if (fail) std::filesystem::remove_all(path() + "/scratch");
        const auto bytes = CheckpointSpace(space_.get(), store_.get());
        ASSERT_TRUE(fail || bytes.ok()) << bytes.status();
        if (fail) std::filesystem::create_directory(path() + "/scratch");
        break;
      }
      case 10: {
        if (random() % 10 != 0) break;
        ServeAll();
        if (space_->HasUnsaved()) Checkpoint();
        const auto before =
            Search(TestVector(kDimension, static_cast<uint64_t>(step)), 10, 60);
        const absl::Status status = Reload(GetParam().flat_records_max);
        ASSERT_TRUE(status.ok()) << status;
        const auto after =
            Search(TestVector(kDimension, static_cast<uint64_t>(step)), 10, 60);
        // Equal distances may have been cut at another one of them.
        ASSERT_EQ(before.size(), after.size());
        for (size_t i = 0; i < after.size(); ++i) {
          EXPECT_EQ(before[i].distance, after[i].distance);
        }
        break;
      }
      case 11:
        dead_letters += space_->GetStats(0).dead_letters;
        break;
      default:
        Observe(id, seed(), absl::StrCat("payload ", step));
    }
  }
  ServeAll();
  reader.Leave();
  if (space_->HasUnsaved()) Checkpoint();
  ASSERT_TRUE(Reload(GetParam().flat_records_max).ok());
  for (uint32_t i = 0; i < kIds; ++i) CheckGet(absl::StrCat("id", i));
  for (uint64_t i = 0; i < 100; ++i) CheckSearch(i, 10, i % 2 == 0);
  const SpaceStats stats = space_->GetStats(0);
  EXPECT_EQ(stats.nodes + stats.dead_letters, model_.size());
  EXPECT_EQ(dead_letters > 0, GetParam().slots_max < kIds);
  EXPECT_EQ(space_->GetStats(0).unreachable_nodes, 0u);
}

using schema::Metric;
using schema::Quantization;

INSTANTIATE_TEST_SUITE_P(
    , RandomWorkTest,
    ::testing::Values(Setting{Metric::kL2, Quantization::kNone, 100'000},
                      Setting{Metric::kL2, Quantization::kNone, 30},
                      Setting{Metric::kL2, Quantization::kInt2, 30},
                      Setting{Metric::kCosine, Quantization::kInt4, 60},
                      Setting{Metric::kCosine, Quantization::kInt8, 30},
                      Setting{Metric::kInnerProduct, Quantization::kInt4, 30},
                      Setting{Metric::kL2, Quantization::kInt4, 30, 120},
                      Setting{Metric::kL2, Quantization::kNone, 100'000, 90}),
    [](const auto& param_info) {
      const Setting& setting = param_info.param;
      return absl::StrCat(
          "metric", static_cast<int>(setting.metric),
          std::string(schema::QuantizationName(setting.quantization)), "from",
          setting.flat_records_max,
          setting.slots_max < kIds ? absl::StrCat("of", setting.slots_max)
                                   : "");
    });

}  // namespace
}  // namespace engram::space

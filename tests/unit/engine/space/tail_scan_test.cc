#include "engine/space/tail_scan.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "engine/simd/kernels.h"
#include "gtest/gtest.h"
#include "schema/metric.h"

namespace engram::space {
namespace {

using schema::Metric;
using Vector = std::vector<float>;

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine,
                               Metric::kInnerProduct};

// A tail without a log, and its exact nearest by comparing everything.
class Scanned {
 public:
  Scanned(Metric metric, uint32_t dimension)
      : distance_(metric, dimension, simd::BestKernels()),
        codec_(distance_, simd::BestKernels()) {}

  // Adds `count` records; every `removed_every`-th was replaced, and as many
  // are removals.
  void Append(size_t count, size_t removed_every, bool coded,
              const std::function<Vector()>& make) {
    for (size_t i = 0; i < count; ++i) {
      const TailPlace place = places_.Next(coded ? &codec_.layout() : nullptr);
      Fill(make(), &place.entry());
      TailEntry& entry = place.entry();
      if (removed_every != 0 && i % removed_every == 1) {
        // Of these some are replaced by what the search does not see.
        entry.remove_lsn = i % 3 == 0 ? kSnapshot + 1 : entry.record.lsn + 5;
      }
      if (removed_every != 0 && i % removed_every == 2) {
        entry.record.type = schema::RecordType::kRemove;
        entry.record.vector = {};
      }
      if (place.chunk->codes != nullptr) Encode(place);
      tail_.Append(place);
    }
  }

  void AddLetter(const Vector& vector) {
    letters_.push_back(std::make_unique<TailEntry>());
    Fill(vector, letters_.back().get());
  }

  void PopFront(size_t count) { tail_.PopFront(count); }

  void ExpectExact(const Vector& query, size_t k) const {
    TailScan scan(distance_, codec_, query, k, kSnapshot);
    for (const auto& letter : letters_) scan.Add(*letter);
    const TailPin pin = tail_.Pin(tail_.count());
    scan.Add(pin);
    const std::vector<TailScan::Found> found = scan.Finish();
    const std::vector<std::pair<float, Lsn>> expected =
        Nearest(query, k, pin.Entries());
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i].distance, expected[i].first) << i;
      ASSERT_EQ(found[i].entry->record.lsn, expected[i].second) << i;
    }
  }

 private:
  static constexpr Lsn kSnapshot = 1'000'000;

  void Fill(const Vector& vector, TailEntry* entry) {
    vectors_.push_back(std::make_unique<Vector>(vector));
    entry->record.lsn = ++last_;
    entry->record.vector = *vectors_.back();
    entry->inverse_norm = distance_.InverseNorm(vector);
  }

  void Encode(const TailPlace& place) {
    const TailEntry& entry = place.entry();
    if (entry.record.type == schema::RecordType::kObserve) {
      codec_.Encode(entry.record.vector, entry.inverse_norm, place.row,
                    place.chunk->codes.get());
    } else {
      codec_.EncodeNothing(place.row, place.chunk->codes.get());
    }
  }

  std::vector<std::pair<float, Lsn>> Nearest(
      const Vector& query, size_t k,
      const std::vector<TailEntry*>& entries) const {
    std::vector<std::pair<float, Lsn>> all;
    const index::PreparedQuery prepared = distance_.Prepare(query);
    const auto add = [&](const TailEntry& entry) {
      if (entry.record.type != schema::RecordType::kObserve ||
          entry.remove_lsn <= kSnapshot) {
        return;
      }
      const float* const row = entry.record.vector.data();
      float distance = 0;
      distance_.DistancesToRows(prepared, &row, &entry.inverse_norm, 1,
                                &distance);
      all.push_back({distance, entry.record.lsn});
    };
    for (const auto& letter : letters_) add(*letter);
    for (const TailEntry* const entry : entries) add(*entry);
    std::sort(all.begin(), all.end());
    all.resize(std::min(k, all.size()));
    return all;
  }

  const index::VectorDistance distance_;
  const index::ScanCodec codec_;
  std::vector<std::unique_ptr<Vector>> vectors_;
  std::vector<std::unique_ptr<TailEntry>> letters_;
  Tail tail_;
  TailPlaces places_;
  Lsn last_ = 0;
};

Vector Normal(uint32_t dimension, std::mt19937* random) {
  std::normal_distribution<float> normal;
  Vector vector(dimension);
  for (float& x : vector) x = normal(*random);
  return vector;
}

Vector Times(Vector vector, double factor) {
  for (float& x : vector) x = static_cast<float>(x * factor);
  return vector;
}

// Calls `visit` with a source of vectors of each kind.
void ForEachKind(
    uint32_t dimension,
    const std::function<void(const std::function<Vector()>&)>& visit) {
  std::mt19937 random(dimension);
  std::vector<Vector> centres;
  for (int i = 0; i < 5; ++i) centres.push_back(Normal(dimension, &random));
  const auto clustered = [&](float width) {
    Vector vector = centres[random() % centres.size()];
    const Vector noise = Normal(dimension, &random);
    for (size_t i = 0; i < dimension; ++i) vector[i] += width * noise[i];
    return vector;
  };
  const double root = std::sqrt(dimension);
  const std::pair<const char*, std::function<Vector()>> kinds[] = {
      {"normal", [&] { return Normal(dimension, &random); }},
      {"wide clusters", [&] { return clustered(0.3f); }},
      {"narrow clusters", [&] { return clustered(1e-4f); }},
      {"equal vectors", [&] { return clustered(0); }},
      {"huge", [&] { return Times(Normal(dimension, &random), 2e14 / root); }},
      {"tiny", [&] { return Times(Normal(dimension, &random), 1e-14 / root); }},
      {"all lengths",
       [&] {
         const int power = static_cast<int>(random() % 28) - 14;
         return Times(Normal(dimension, &random), std::pow(10, power) / root);
       }},
      {"zeros among them",
       [&] {
         return Times(Normal(dimension, &random), random() % 4 == 0 ? 0 : 1);
       }},
  };
  for (const auto& [name, make] : kinds) {
    SCOPED_TRACE(name);
    visit(make);
  }
}

TEST(TailScanTest, FindsWhatComparingEverythingFinds) {
  for (const Metric metric : kMetrics) {
    for (const uint32_t dimension : {1u, 3u, 64u, 130u, 768u}) {
      SCOPED_TRACE(::testing::Message() << "metric " << static_cast<int>(metric)
                                        << ", " << dimension << " dimensions");
      ForEachKind(dimension, [&](const std::function<Vector()>& make) {
        Scanned tail(metric, dimension);
        for (int i = 0; i < 3; ++i) tail.AddLetter(make());
        tail.Append(100, 7, /*coded=*/false, make);
        tail.Append(700, 7, /*coded=*/true, make);
        tail.Append(64, 7, /*coded=*/false, make);
        tail.PopFront(30);
        for (const size_t k : {1, 10, 100, 2000}) {
          SCOPED_TRACE(::testing::Message() << "k " << k);
          for (int i = 0; i < 3; ++i) tail.ExpectExact(make(), k);
        }
      });
    }
  }
}

TEST(TailScanTest, TheWidestVectorsToo) {
  for (const Metric metric : kMetrics) {
    std::mt19937 random(1);
    Scanned tail(metric, 65535);
    const auto make = [&] { return Normal(65535, &random); };
    tail.Append(100, 7, /*coded=*/true, make);
    tail.ExpectExact(make(), 5);
  }
}

// Rows that differ from each other by less than what their codes leave out, and
// queries along that: the order by codes is wrong, and only the bounds save it.
TEST(TailScanTest, VectorsThatCodesCannotTellApart) {
  constexpr uint32_t kDimension = 128;
  for (const Metric metric : kMetrics) {
    SCOPED_TRACE(static_cast<int>(metric));
    std::mt19937 random(2);
    Scanned tail(metric, kDimension);
    // Components are whole steps and a half, or hardly less: each is coded up
    // or down by half a step.
    const auto make = [&] {
      Vector vector(kDimension);
      vector[0] = 127;
      for (size_t i = 1; i < kDimension; ++i) {
        const float below = random() % 2 == 0 ? 0.499f : 0.501f;
        vector[i] = static_cast<float>(random() % 2) + below;
      }
      return vector;
    };
    tail.Append(1000, 0, /*coded=*/true, make);
    for (int i = 0; i < 20; ++i) {
      tail.ExpectExact(make(), 10);
      Vector along = Normal(kDimension, &random);
      along[0] = 0;
      tail.ExpectExact(along, 10);
    }
  }
}

TEST(TailScanTest, AnEmptyTailHasNothing) {
  Scanned tail(Metric::kL2, 100);
  tail.ExpectExact(Vector(100, 1.0f), 10);
  std::mt19937 random(3);
  tail.Append(200, 0, /*coded=*/true, [&] { return Normal(100, &random); });
  tail.PopFront(200);
  tail.ExpectExact(Vector(100, 1.0f), 10);
}

}  // namespace
}  // namespace engram::space

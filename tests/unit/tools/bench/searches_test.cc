#include "tools/bench/searches.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/bench/duplicate_set.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/reachability.h"
#include "tools/bench/row_order.h"

namespace engram::bench {
namespace {

// Compares everything, in squared distance.
class ExactSubject final : public Subject {
 public:
  std::string name() const override { return "exact"; }
  std::string building() const override { return "in a list"; }

  absl::Status Insert(const Matrix& base,
                      absl::Span<const Item> items) override {
    base_ = &base;
    items_.insert(items_.end(), items.begin(), items.end());
    return absl::OkStatus();
  }

  absl::Status Replace(const Matrix&, absl::Span<const uint32_t>,
                       absl::Span<const Item>) override {
    return absl::UnimplementedError("a list");
  }

  // Of equal distances the ids that are last.
  absl::Status Search(absl::Span<const float> query, uint32_t,
                      std::vector<Found>* found) override {
    found->clear();
    for (const Item& item : items_) {
      const double distance =
          TrueDistance(Metric::kL2, query, base_->row(item.row));
      found->push_back({item.id, static_cast<float>(distance)});
    }
    std::sort(found->begin(), found->end(), [](const Found& a, const Found& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.id > b.id;
    });
    found->resize(std::min<size_t>(found->size(), kNeighbors));
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> CountUnreachable() override { return 0; }

 private:
  const Matrix* base_ = nullptr;
  std::vector<Item> items_;
};

// A line of points, 0, 1, 2, ...
Dataset Line(size_t count) {
  Dataset dataset;
  for (size_t i = 0; i < count; ++i) {
    dataset.base.Append({static_cast<float>(i), 1.0f});
  }
  dataset.queries.Append({0.2f, 1.0f});
  dataset.queries.Append({20.2f, 1.0f});
  return dataset;
}

TEST(Recall, IsThePartThatWasFound) {
  const Answers answers = {{{1, 0}, {2, 0}}, {{7, 0}, {9, 0}}};
  EXPECT_DOUBLE_EQ(Recall(answers, {{1, 2}, {7, 8}}), 0.75);
}

// Any ten of the copies are right, whichever ids the truth may name.
TEST(RecallByDistance, CountsEveryCopy) {
  const Dataset dataset = Line(60);
  const DuplicateSet set = MakeDuplicateSet(
      dataset, RowsInFileOrder(dataset.base), /*copied=*/5, /*copies=*/40);
  ASSERT_EQ(set.all.size(), 30u + 5 * 40);
  ASSERT_EQ(set.queries.count(), 2u + 5);
  ExactSubject subject;
  ASSERT_TRUE(subject.Insert(dataset.base, set.all).ok());
  const auto answers = SearchAll(subject, set.queries, 10);
  ASSERT_TRUE(answers.ok());
  const auto vector_of = [&](uint32_t id) {
    return dataset.base.row(set.row_of_id[id]);
  };
  EXPECT_DOUBLE_EQ(RecallByDistance(*answers, set.queries, Metric::kL2,
                                    set.farthest_all, vector_of),
                   1);
  // The queries are the copied vectors: everything they find is at distance 0.
  EXPECT_EQ(set.farthest_all.back(), 0);
  EXPECT_GT(set.farthest_unique.back(), 0);
}

TEST(RecallByDistance, CountsNeitherFarHitsNorRepeatedOnes) {
  const Dataset dataset = Line(60);
  Matrix queries;
  queries.Append(dataset.base.row(0));
  const auto vector_of = [&](uint32_t id) { return dataset.base.row(id); };
  Answers answers(1);
  for (uint32_t i = 0; i < 5; ++i) answers[0].push_back({i, 0});
  answers[0].push_back({4, 0});
  for (uint32_t i = 30; i < 34; ++i) answers[0].push_back({i, 0});
  EXPECT_DOUBLE_EQ(
      RecallByDistance(answers, queries, Metric::kL2, {81.0}, vector_of), 0.5);
}

TEST(SelfProbe, AcceptsACopyForTheVector) {
  Dataset dataset = Line(30);
  // Twelve copies of row 3: the first ids are not among the ten found.
  std::vector<Item> items = RowsInFileOrder(dataset.base);
  std::vector<uint32_t> rows;
  for (const Item& item : items) rows.push_back(item.row);
  for (uint32_t id = 30; id < 42; ++id) {
    items.push_back({id, 3});
    rows.push_back(3);
  }
  ExactSubject subject;
  ASSERT_TRUE(subject.Insert(dataset.base, items).ok());
  const auto row_of = [&rows](uint32_t id) { return rows[id]; };
  const auto part = SelfProbe(subject, dataset.base, items, 10, row_of);
  ASSERT_TRUE(part.ok());
  EXPECT_DOUBLE_EQ(*part, 1);
}

TEST(SelfProbe, MissesWhatIsNotThere) {
  const Dataset dataset = Line(30);
  const std::vector<Item> items = RowsInFileOrder(dataset.base);
  ExactSubject subject;
  ASSERT_TRUE(
      subject.Insert(dataset.base, absl::MakeConstSpan(items).first(15)).ok());
  const auto part = SelfProbe(subject, dataset.base, items, 10,
                              [](uint32_t id) { return id; });
  ASSERT_TRUE(part.ok());
  EXPECT_DOUBLE_EQ(*part, 0.5);
}

TEST(CountUnreachable, FollowsLinksFromTheEntry) {
  const std::vector<std::vector<uint32_t>> links = {{1}, {2}, {0}, {0}, {3}};
  const auto links_of = [&links](uint32_t node) { return links[node]; };
  EXPECT_EQ(CountUnreachable(5, 0, links_of), 2u);
  EXPECT_EQ(CountUnreachable(5, 4, links_of), 0u);
}

}  // namespace
}  // namespace engram::bench

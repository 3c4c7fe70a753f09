#include "space_harness.h"

#include "engine/space/checkpoint_writer.h"
#include "schema/key_layout.h"
#include "storage/base/clock.h"
#include "tests/support/test_vectors.h"

namespace engram::space {

schema::SpaceDescription TestSpace(schema::Metric metric) {
  schema::SpaceDescription space;
  space.id = 7;
  space.name = "notes";
  space.dimension = kTestDimension;
  space.metric = metric;
  space.M = 8;
  space.ef_construction = 40;
  space.seed = 99;
  return space;
}

std::shared_ptr<const wal::Group> MakeGroup(const schema::RecordDraft& draft,
                                            Lsn lsn) {
  auto group = std::make_shared<wal::Group>(schema::RecordBytes(draft));
  group->Add(draft, lsn);
  group->Seal(1, lsn, lsn - 1);
  return group;
}

schema::RecordView RecordOf(const std::shared_ptr<const wal::Group>& group) {
  schema::RecordView view;
  group->ForEachRecord(
      [&view](const schema::RecordView& record) { view = record; });
  return view;
}

std::shared_ptr<SpaceState> SpaceHarness::NewState(uint32_t flat_records_max) {
  SpaceLimits limits;
  limits.admission.records_max = 100'000;
  limits.admission.bytes_max = 100'000'000;
  limits.flat_records_max = flat_records_max;
  limits.slots_max = slots_max_;
  return std::make_shared<SpaceState>(description_, 5, limits, &epochs_);
}

void SpaceHarness::Make(uint32_t flat_records_max) {
  space_ = NewState(flat_records_max);
  if (store_ != nullptr) space_->set_family(kFamily);
}

void SpaceHarness::Publish(const schema::RecordDraft& draft) {
  const auto group = MakeGroup(draft, ++last_lsn_);
  ASSERT_TRUE(space_->gate().Admit({1, kAdmitted}, 0).ok());
  space_->gate().Publish(1);
  space_->Publish(RecordOf(group), group, kAdmitted);
}

Lsn SpaceHarness::Observe(const std::string& id, uint64_t seed,
                          const std::string& payload) {
  return ObserveVector(id, testing::TestVector(description_.dimension, seed),
                       payload);
}

Lsn SpaceHarness::ObserveVector(const std::string& id,
                                const std::vector<float>& vector,
                                const std::string& payload) {
  schema::RecordDraft draft;
  draft.space_id = TestSpace().id;
  draft.id = id;
  draft.vector = vector;
  draft.payload = payload;
  draft.timestamp_us = static_cast<int64_t>(last_lsn_);
  draft.handed_in_micros = Clock::System().MonotonicMicros();
  Publish(draft);
  model_[id] = {last_lsn_, vector, payload};
  return last_lsn_;
}

Lsn SpaceHarness::Remove(const std::string& id) {
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kRemove;
  draft.space_id = TestSpace().id;
  draft.id = id;
  Publish(draft);
  model_.erase(id);
  return last_lsn_;
}

void SpaceHarness::ServeAll() {
  // What cannot be loaded is never served.
  const absl::Status status = space_->EnsureResident();
  ASSERT_TRUE(status.ok()) << status;
  while (space_->gate().records() > 0) space_->Serve(1000);
}

std::vector<Hit> SpaceHarness::Search(const std::vector<float>& query,
                                      uint32_t k, uint32_t ef_search) const {
  SearchOptions options;
  options.k = k;
  options.ef_search = ef_search;
  const auto hits = space_->Search(query, options, nullptr);
  EXPECT_TRUE(hits.ok()) << hits.status();
  return hits.value_or(std::vector<Hit>());
}

void SpaceHarness::OpenStore() {
  store_.reset();
  auto store = kv::Store::Open(path(), {});
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  if (store_->Families().empty()) {
    ASSERT_TRUE(store_->CreateFamily(kFamily).ok());
  }
  if (space_ != nullptr) space_->set_family(kFamily);
}

void SpaceHarness::Checkpoint() {
  const auto bytes = CheckpointSpace(space_.get(), store_.get());
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_GT(*bytes, 0u);
}

schema::Head SpaceHarness::ReadHead() {
  const auto value = store_->Get(kFamily, schema::kHeadKey);
  EXPECT_TRUE(value.ok()) << value.status();
  const auto head = schema::DecodeHead(TestSpace().id, value.value_or(""));
  EXPECT_TRUE(head.ok()) << head.status();
  return head.value_or(schema::Head());
}

absl::Status SpaceHarness::Reload(uint32_t flat_records_max) {
  const schema::Head head = ReadHead();
  space_ = NewState(flat_records_max);
  space_->set_family(kFamily);
  return space_->Load(*store_, head);
}

void SpaceHarness::ExpectMatchesModel() {
  std::vector<std::string> ids;
  for (const auto& [id, expected] : model_) ids.push_back(id);
  EXPECT_EQ(*space_->ListIds(), ids);
  EXPECT_EQ(space_->GetStats(0).live_records, model_.size());
  for (const auto& [id, expected] : model_) {
    const auto stored = space_->Get(id, store_.get());
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->id, id);
    EXPECT_EQ(stored->lsn, expected.lsn) << id;
    EXPECT_EQ(stored->vector, expected.vector) << id;
    EXPECT_EQ(stored->payload, expected.payload) << id;
    const std::vector<Hit> hits = Search(expected.vector, 1, 100);
    ASSERT_EQ(hits.size(), 1u) << id;
    EXPECT_EQ(hits[0].lsn, expected.lsn) << id << ", found " << hits[0].id;
    EXPECT_LE(hits[0].distance, 1e-5) << id;
  }
  const auto count = static_cast<uint32_t>(model_.size());
  const std::vector<Hit> all = Search(
      std::vector<float>(description_.dimension, 0.5f), count + 5, count + 5);
  EXPECT_EQ(all.size(), model_.size());
  std::map<std::string, Lsn> found;
  for (const Hit& hit : all) {
    EXPECT_TRUE(found.emplace(hit.id, hit.lsn).second)
        << hit.id << " is found twice";
    ASSERT_EQ(model_.count(hit.id), 1u) << hit.id << " is gone";
    EXPECT_EQ(hit.lsn, model_[hit.id].lsn) << hit.id;
  }
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_LE(all[i - 1].distance, all[i].distance);
  }
}

}  // namespace engram::space

#include "engram/write_batch.h"

#include <utility>

#include "schema/wal_codec.h"

namespace engram {
namespace {

size_t BytesInLog(absl::string_view id, absl::Span<const float> vector,
                  absl::string_view payload) {
  schema::RecordDraft draft;
  draft.id = id;
  draft.vector = vector;
  draft.payload = payload;
  return schema::RecordBytes(draft);
}

}  // namespace

void WriteBatch::Observe(const Space& space, const Observation& observation) {
  Entry entry;
  entry.space = space;
  entry.id = std::string(observation.id);
  entry.vector.assign(observation.vector.begin(), observation.vector.end());
  entry.payload = std::string(observation.payload);
  entry.timestamp_us = observation.timestamp_us;
  bytes_ += BytesInLog(entry.id, entry.vector, entry.payload);
  entries_.push_back(std::move(entry));
}

void WriteBatch::Remove(const Space& space, absl::string_view id) {
  Entry entry;
  entry.space = space;
  entry.remove = true;
  entry.id = std::string(id);
  bytes_ += BytesInLog(entry.id, {}, {});
  entries_.push_back(std::move(entry));
}

void WriteBatch::Clear() {
  entries_.clear();
  bytes_ = 0;
}

}  // namespace engram

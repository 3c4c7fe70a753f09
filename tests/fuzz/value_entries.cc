#include <cmath>
#include <cstdint>
#include <string>

#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "schema/producer_codec.h"
#include "schema/space_codec.h"
#include "storage/base/check.h"
#include "tests/fuzz/entries.h"

namespace engram::fuzz {
namespace {

constexpr uint64_t kSpace = 5;
constexpr uint64_t kGeneration = 3;
constexpr uint32_t kLetterDimension = 4;

// The options at the start of an input, and the value behind them: wrapped with
// a right checksum, or as it is.
struct Input {
  unsigned flags = 0;
  uint8_t options[kValueOptionBytes - 1] = {};
  std::string value;
  uint32_t crc = 0;
};

bool Parse(absl::string_view bytes, const schema::ValuePlace& place,
           Input* input) {
  if (bytes.size() <= kValueOptionBytes) return false;
  input->flags = static_cast<uint8_t>(bytes[0]);
  for (size_t i = 1; i < kValueOptionBytes; ++i) {
    input->options[i - 1] = static_cast<uint8_t>(bytes[i]);
  }
  bytes.remove_prefix(kValueOptionBytes);
  input->value =
      (input->flags & kFixChecksums) != 0
          ? schema::WrapValue(place,
                              reinterpret_cast<const uint8_t*>(bytes.data()),
                              bytes.size())
          : std::string(bytes);
  if (input->value.size() >= schema::kEnvelopeBytes) {
    input->crc = schema::EnvelopeCrc(input->value);
  }
  return true;
}

schema::PartReference ReferenceOf(const Input& input) {
  return {kGeneration, 0, input.options[0], input.options[1], input.crc};
}

}  // namespace

bool VectorPart(absl::string_view bytes) {
  Input input;
  if (!Parse(bytes, {schema::ValueKind::kVectorPart, kSpace, kGeneration},
             &input)) {
    return false;
  }
  const uint32_t dimension = input.options[2];
  const auto part = schema::DecodeVectorPart(kSpace, dimension,
                                             ReferenceOf(input), input.value);
  if (!part.ok()) return false;
  const size_t count = input.options[1];
  ENGRAM_CHECK(part->lsns.size() == count && part->ids.size() == count);
  ENGRAM_CHECK(part->rows.size() == count * dimension);
  for (const absl::string_view id : part->ids) {
    ENGRAM_CHECK(!id.empty() && id.size() <= schema::kIdBytesMax);
  }
  for (const float component : part->rows) {
    ENGRAM_CHECK(std::isfinite(component));
  }
  return true;
}

bool LinkPart(absl::string_view bytes) {
  Input input;
  if (!Parse(bytes, {schema::ValueKind::kLinkPart, kSpace, kGeneration},
             &input)) {
    return false;
  }
  constexpr uint32_t kSlots = 300;
  const uint32_t m = input.options[2];
  const auto nodes = schema::DecodeLinkPart(kSpace, kSlots, m,
                                            ReferenceOf(input), input.value);
  if (!nodes.ok()) return false;
  ENGRAM_CHECK(nodes->size() == input.options[1]);
  for (const schema::NodeLinks& node : *nodes) {
    ENGRAM_CHECK(node.slot < kSlots);
    ENGRAM_CHECK(node.layers.size() <= schema::kLayerMax + 1);
    if (node.twin_of != schema::kNoTwin) {
      ENGRAM_CHECK(node.twin_of < kSlots && node.twin_of != node.slot);
      ENGRAM_CHECK(!node.removed && node.layers.empty());
    }
    for (size_t layer = 0; layer < node.layers.size(); ++layer) {
      ENGRAM_CHECK(node.layers[layer].size() <= (layer == 0 ? 2 * m : m));
      for (const uint32_t neighbor : node.layers[layer]) {
        ENGRAM_CHECK(neighbor < kSlots && neighbor != node.slot);
      }
    }
  }
  return true;
}

bool Head(absl::string_view bytes) {
  Input input;
  if (!Parse(bytes, {schema::ValueKind::kHead, kSpace, kGeneration}, &input)) {
    return false;
  }
  const auto head = schema::DecodeHead(kSpace, input.value);
  if (!head.ok()) return false;
  ENGRAM_CHECK(schema::CheckSpaceDescription(head->space).ok());
  ENGRAM_CHECK(head->space.id == kSpace);
  ENGRAM_CHECK(head->live_count <= head->slot_count);
  if (!head->centre.empty()) {
    ENGRAM_CHECK(head->has_graph);
    ENGRAM_CHECK(head->centre.size() == head->space.dimension);
  }
  for (const float component : head->centre) {
    ENGRAM_CHECK(std::isfinite(component));
  }
  ENGRAM_CHECK(schema::DecodeHead(kSpace, schema::EncodeHead(*head)).ok());
  return true;
}

bool Catalog(absl::string_view bytes) {
  Input input;
  if (!Parse(bytes, {schema::ValueKind::kCatalog, 0, 0}, &input)) return false;
  const auto catalog = schema::DecodeCatalog(input.value);
  if (catalog.ok()) ENGRAM_CHECK(catalog->next_space_id > 0);

  Parse(bytes, {schema::ValueKind::kCatalogEntry, kSpace, 0}, &input);
  const auto entry = schema::DecodeCatalogEntry(kSpace, input.value);
  if (entry.ok()) {
    ENGRAM_CHECK(schema::CheckSpaceDescription(entry->space).ok());
    ENGRAM_CHECK(entry->space.id == kSpace);
  }

  Parse(bytes, {schema::ValueKind::kProducer, kSpace, 0}, &input);
  const auto producer = schema::DecodeProducer(kSpace, input.value);
  if (producer.ok()) ENGRAM_CHECK(producer->sequence > 0);

  bytes.remove_prefix(kValueOptionBytes);
  const auto space = schema::DecodeSpaceDescription(bytes);
  if (space.ok()) ENGRAM_CHECK(schema::CheckSpaceDescription(*space).ok());
  return catalog.ok() || entry.ok() || producer.ok() || space.ok();
}

bool Record(absl::string_view bytes) {
  Input input;
  if (!Parse(bytes, {schema::ValueKind::kRecord, kSpace, kGeneration},
             &input)) {
    return false;
  }
  const auto record = schema::DecodeRecordValue(kSpace, input.value);
  if (record.ok()) {
    ENGRAM_CHECK(record->payload.size() <= schema::kPayloadBytesMax);
  }
  Parse(bytes, {schema::ValueKind::kDeadLetter, kSpace, kGeneration}, &input);
  const auto letter = schema::DecodeDeadLetter(kSpace, kGeneration,
                                               kLetterDimension, input.value);
  if (letter.ok()) {
    ENGRAM_CHECK(!letter->status.ok() && !letter->id.empty());
    ENGRAM_CHECK(letter->vector.size() == kLetterDimension);
  }
  return record.ok() || letter.ok();
}

}  // namespace engram::fuzz

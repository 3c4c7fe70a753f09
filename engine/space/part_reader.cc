#include "engine/space/part_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "storage/base/status_macros.h"

namespace engram::space {

absl::Status InFamily(absl::string_view family, absl::string_view key,
                      const absl::Status& status) {
  return absl::Status(
      absl::IsNotFound(status) ? absl::StatusCode::kDataLoss : status.code(),
      absl::StrCat("column family ", family, ", key ", key, ": ",
                   status.message()));
}

std::string VectorPartName(const schema::PartReference& reference) {
  return absl::StrCat("v/", reference.index, "/", reference.generation);
}

std::string LinkPartName(const schema::PartReference& reference) {
  return absl::StrCat("l/", reference.generation, "/", reference.index);
}

absl::StatusOr<schema::VectorPart> ReadVectorPart(
    const kv::Store& store, absl::string_view family,
    const schema::SpaceDescription& space,
    const schema::PartReference& reference) {
  schema::VectorPart part;
  const absl::Status status = store.Visit(
      family, schema::VectorPartKey(reference.index, reference.generation),
      [&](absl::string_view value) {
        absl::StatusOr<schema::VectorPart> decoded = schema::DecodeVectorPart(
            space.id, space.dimension, reference, value);
        if (decoded.ok()) part = *std::move(decoded);
        return decoded.status();
      });
  if (!status.ok()) return InFamily(family, VectorPartName(reference), status);
  return part;
}

absl::StatusOr<std::vector<schema::NodeLinks>> ReadLinkPart(
    const kv::Store& store, absl::string_view family, const schema::Head& head,
    const schema::PartReference& reference) {
  const std::string name = LinkPartName(reference);
  const absl::StatusOr<std::string> value = store.Get(
      family, schema::LinkPartKey(reference.generation, reference.index));
  if (!value.ok()) return InFamily(family, name, value.status());
  absl::StatusOr<std::vector<schema::NodeLinks>> nodes = schema::DecodeLinkPart(
      head.space.id, head.slot_count, head.space.M, reference, *value);
  if (!nodes.ok()) return InFamily(family, name, nodes.status());
  return nodes;
}

absl::StatusOr<std::vector<schema::NodeLinks>> ReadAllLinks(
    const kv::Store& store, absl::string_view family,
    const schema::Head& head) {
  std::vector<schema::NodeLinks> all;
  std::vector<schema::NodeLinks> changed;
  uint64_t generation = 0;
  for (const auto* parts : {&head.link_parts, &head.link_deltas}) {
    const bool base = parts == &head.link_parts;
    for (const schema::PartReference& reference : *parts) {
      ENGRAM_ASSIGN_OR_RETURN(std::vector<schema::NodeLinks> nodes,
                              ReadLinkPart(store, family, head, reference));
      std::vector<schema::NodeLinks>& known = base ? all : changed;
      const bool goes_on = !base && reference.generation == generation;
      generation = reference.generation;
      if (goes_on && nodes.front().slot <= known.back().slot) {
        return InFamily(
            family, LinkPartName(reference),
            absl::DataLossError(absl::StrCat(
                "begins with row ", nodes.front().slot,
                ", the part before it ends with row ", known.back().slot)));
      }
      for (schema::NodeLinks& node : nodes) {
        // The base leaves none out.
        if (base && node.slot != known.size()) {
          return InFamily(family, LinkPartName(reference),
                          absl::DataLossError(absl::StrCat(
                              "row ", node.slot, " stands where row ",
                              known.size(), " should")));
        }
        known.push_back(std::move(node));
      }
    }
  }
  std::vector<bool> known(all.size(), true);
  if (all.size() + changed.size() >= head.slot_count) {
    known.resize(head.slot_count);
    all.resize(head.slot_count);
    for (schema::NodeLinks& node : changed) {
      known[node.slot] = true;
      all[node.slot] = std::move(node);
    }
  }
  const auto unknown = std::find(known.begin(), known.end(), false);
  const auto row = static_cast<size_t>(unknown - known.begin());
  if (row == head.slot_count) return all;
  return InFamily(
      family, "m/head",
      absl::DataLossError(absl::StrCat("none of its link parts holds row ", row,
                                       " of ", head.slot_count)));
}

absl::StatusOr<std::vector<schema::DeadLetter>> ReadDeadLetters(
    const kv::Store& store, absl::string_view family,
    const schema::SpaceDescription& space) {
  std::vector<schema::DeadLetter> letters;
  ENGRAM_RETURN_IF_ERROR(store.Scan(
      std::string(family), schema::kDeadLetterPrefix,
      [&](absl::string_view key, absl::string_view value) {
        const Lsn lsn = schema::NumberInKey(schema::kDeadLetterPrefix, key);
        absl::StatusOr<schema::DeadLetter> letter =
            schema::DecodeDeadLetter(space.id, lsn, space.dimension, value);
        if (!letter.ok()) {
          return InFamily(family, absl::StrCat("d/", lsn), letter.status());
        }
        letters.push_back(*std::move(letter));
        return absl::OkStatus();
      }));
  return letters;
}

const schema::PartReference* FindPart(
    absl::Span<const schema::PartReference> parts, uint32_t row) {
  const auto after =
      std::upper_bound(parts.begin(), parts.end(), row,
                       [](uint32_t wanted, const schema::PartReference& part) {
                         return wanted < part.first_slot;
                       });
  if (after == parts.begin()) return nullptr;
  const schema::PartReference& part = *(after - 1);
  return row - part.first_slot < part.count ? &part : nullptr;
}

}  // namespace engram::space

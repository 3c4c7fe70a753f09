#include "engine/space/part_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "storage/base/parallel_ranges.h"
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

namespace {

using Nodes = std::vector<schema::NodeLinks>;

// Each thread reads so many parts before the next ones are begun: a head may
// list what makes no sense, and memory is taken for what was read.
constexpr size_t kPartsOfThread = 2;

// The rows of link parts one after the other, as the head lists them.
class LinkCollector {
 public:
  LinkCollector(absl::string_view family, const schema::Head& head)
      : family_(family), head_(head) {}

  // Of the base, where each part goes on where the one before it ended.
  absl::Status AddBase(const schema::PartReference& reference, Nodes nodes) {
    for (schema::NodeLinks& node : nodes) {
      if (node.slot != all_.size()) {
        return InFamily(family_, LinkPartName(reference),
                        absl::DataLossError(absl::StrCat(
                            "row ", node.slot, " stands where row ",
                            all_.size(), " should")));
      }
      all_.push_back(std::move(node));
    }
    return absl::OkStatus();
  }

  // Of the deltas, whose parts ascend in each generation.
  absl::Status AddDelta(const schema::PartReference& reference, Nodes nodes) {
    const bool goes_on =
        !changed_.empty() && reference.generation == generation_;
    generation_ = reference.generation;
    if (goes_on && nodes.front().slot <= changed_.back().slot) {
      return InFamily(
          family_, LinkPartName(reference),
          absl::DataLossError(absl::StrCat(
              "begins with row ", nodes.front().slot,
              ", the part before it ends with row ", changed_.back().slot)));
    }
    for (schema::NodeLinks& node : nodes) changed_.push_back(std::move(node));
    return absl::OkStatus();
  }

  absl::StatusOr<Nodes> Finish() {
    std::vector<bool> known(all_.size(), true);
    if (all_.size() + changed_.size() >= head_.slot_count) {
      known.resize(head_.slot_count);
      all_.resize(head_.slot_count);
      for (schema::NodeLinks& node : changed_) {
        known[node.slot] = true;
        all_[node.slot] = std::move(node);
      }
    }
    const auto unknown = std::find(known.begin(), known.end(), false);
    const auto row = static_cast<size_t>(unknown - known.begin());
    if (row == head_.slot_count) return std::move(all_);
    return InFamily(
        family_, "m/head",
        absl::DataLossError(absl::StrCat("none of its link parts holds row ",
                                         row, " of ", head_.slot_count)));
  }

 private:
  const absl::string_view family_;
  const schema::Head& head_;
  Nodes all_;
  Nodes changed_;
  uint64_t generation_ = 0;
};

}  // namespace

absl::StatusOr<std::vector<schema::NodeLinks>> ReadAllLinks(
    const kv::Store& store, absl::string_view family, const schema::Head& head,
    size_t threads) {
  LinkCollector links(family, head);
  const size_t bases = head.link_parts.size();
  const size_t count = bases + head.link_deltas.size();
  const auto reference = [&](size_t i) -> const schema::PartReference& {
    return i < bases ? head.link_parts[i] : head.link_deltas[i - bases];
  };
  for (size_t first = 0; first < count; first += threads * kPartsOfThread) {
    const size_t end = std::min(count, first + threads * kPartsOfThread);
    std::vector<absl::StatusOr<Nodes>> parts(end - first);
    ForParallelRanges(
        std::min(threads, parts.size()), static_cast<uint32_t>(parts.size()),
        [&](size_t, uint32_t begin, uint32_t range_end) {
          for (uint32_t i = begin; i < range_end; ++i) {
            parts[i] = ReadLinkPart(store, family, head, reference(first + i));
          }
        });
    for (size_t i = first; i < end; ++i) {
      absl::StatusOr<Nodes>& part = parts[i - first];
      ENGRAM_RETURN_IF_ERROR(part.status());
      ENGRAM_RETURN_IF_ERROR(
          i < bases ? links.AddBase(reference(i), *std::move(part))
                    : links.AddDelta(reference(i), *std::move(part)));
    }
  }
  return links.Finish();
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

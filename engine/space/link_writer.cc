#include "engine/space/link_writer.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "engine/space/part_reader.h"
#include "schema/key_layout.h"
#include "schema/link_node.h"
#include "schema/link_part_builder.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

using schema::PartReference;

// A row of a delta costs as much as one of the base, and loading reads both.
constexpr double kDeltaShare = 0.6;

// The rows of some parts, in ascending order.
class LinkStream {
 public:
  LinkStream(const kv::Store& store, const std::string& family,
             const schema::Head& head, std::vector<PartReference> parts)
      : store_(store), family_(family), head_(head), parts_(std::move(parts)) {}

  // Goes to the next row; at the end there is none.
  absl::Status Next() {
    while (true) {
      if (cursor_.has_value()) {
        const absl::StatusOr<bool> found = cursor_->Next();
        if (!found.ok()) return InPart(found.status());
        if (*found && next_row_ > cursor_->row()) {
          return InPart(absl::DataLossError(absl::StrCat(
              "row ", cursor_->row(), " stands behind row ", next_row_ - 1)));
        }
        if (*found) {
          next_row_ = uint64_t{cursor_->row()} + 1;
          return absl::OkStatus();
        }
        cursor_.reset();
        ++next_part_;
      }
      if (next_part_ == parts_.size()) return absl::OkStatus();
      const PartReference& reference = parts_[next_part_];
      absl::StatusOr<std::string> value = store_.Get(
          family_, schema::LinkPartKey(reference.generation, reference.index));
      if (!value.ok()) return InPart(value.status());
      absl::StatusOr<schema::LinkPartCursor> cursor =
          schema::LinkPartCursor::Open(head_.space.id, head_.slot_count,
                                       head_.space.M, reference, *value);
      if (!cursor.ok()) return InPart(cursor.status());
      cursor_.emplace(*std::move(cursor));
    }
  }

  bool AtEnd() const { return !cursor_.has_value(); }
  uint32_t row() const { return cursor_->row(); }
  absl::string_view node() const { return cursor_->node(); }

 private:
  absl::Status InPart(const absl::Status& status) const {
    return InFamily(family_, LinkPartName(parts_[next_part_]), status);
  }

  const kv::Store& store_;
  const std::string& family_;
  const schema::Head& head_;
  const std::vector<PartReference> parts_;
  size_t next_part_ = 0;
  uint64_t next_row_ = 0;  // at least
  std::optional<schema::LinkPartCursor> cursor_;
};

// Writes rows, in ascending order, as parts of one generation.
class PartWriter {
 public:
  PartWriter(const schema::Head& head, kv::Ingest* ingest,
             std::vector<PartReference>* references)
      : space_id_(head.space.id),
        generation_(head.generation),
        ingest_(*ingest),
        references_(*references) {}

  schema::LinkPartBuilder* part() { return &part_; }

  absl::Status FlushIfFull() {
    return part_.IsFull() ? Flush() : absl::OkStatus();
  }

  absl::Status Flush() {
    if (part_.count() == 0) return absl::OkStatus();
    PartReference reference;
    const std::string value =
        part_.Finish(space_id_, generation_, index_++, &reference);
    references_.push_back(reference);
    return ingest_.Put(schema::LinkPartKey(generation_, reference.index),
                       value);
  }

 private:
  const uint64_t space_id_;
  const uint64_t generation_;
  kv::Ingest& ingest_;
  std::vector<PartReference>& references_;
  schema::LinkPartBuilder part_;
  uint32_t index_ = 0;
};

// The rows that changed, one at a time, as LinkStream has those of files.
class ChangedRows {
 public:
  explicit ChangedRows(LinkSnapshot* links) : links_(*links) {}

  void Next() { at_end_ = !links_.Take(&row_, &node_); }

  bool AtEnd() const { return at_end_; }
  uint32_t row() const { return row_; }
  absl::string_view node() const { return node_.bytes(); }

 private:
  LinkSnapshot& links_;
  bool at_end_ = false;
  uint32_t row_ = 0;
  schema::LinkNode node_;
};

// Writes what `older`, oldest first, and `changed` say last of each row.
absl::Status Merge(std::vector<LinkStream>* older, ChangedRows* changed,
                   PartWriter* writer) {
  for (LinkStream& stream : *older) ENGRAM_RETURN_IF_ERROR(stream.Next());
  changed->Next();
  while (true) {
    uint64_t row = UINT64_MAX;
    if (!changed->AtEnd()) row = changed->row();
    for (const LinkStream& stream : *older) {
      if (!stream.AtEnd()) row = std::min<uint64_t>(row, stream.row());
    }
    if (row == UINT64_MAX) return writer->Flush();
    absl::string_view node;
    for (const LinkStream& stream : *older) {
      if (!stream.AtEnd() && stream.row() == row) node = stream.node();
    }
    if (!changed->AtEnd() && changed->row() == row) node = changed->node();
    writer->part()->Add(static_cast<uint32_t>(row), node);
    ENGRAM_RETURN_IF_ERROR(writer->FlushIfFull());
    for (LinkStream& stream : *older) {
      if (!stream.AtEnd() && stream.row() == row) {
        ENGRAM_RETURN_IF_ERROR(stream.Next());
      }
    }
    if (!changed->AtEnd() && changed->row() == row) changed->Next();
  }
}

absl::Status DeleteParts(std::vector<PartReference> parts, kv::Ingest* ingest) {
  std::sort(parts.begin(), parts.end(),
            [](const PartReference& a, const PartReference& b) {
              return std::pair(a.generation, a.index) <
                     std::pair(b.generation, b.index);
            });
  for (const PartReference& part : parts) {
    ENGRAM_RETURN_IF_ERROR(
        ingest->Delete(schema::LinkPartKey(part.generation, part.index)));
  }
  return absl::OkStatus();
}

uint64_t CountRows(absl::Span<const PartReference> parts) {
  uint64_t rows = 0;
  for (const PartReference& part : parts) rows += part.count;
  return rows;
}

// Splits parts into those of each generation, in their order.
std::vector<std::vector<PartReference>> ByGeneration(
    absl::Span<const PartReference> parts) {
  std::vector<std::vector<PartReference>> generations;
  for (const PartReference& part : parts) {
    if (generations.empty() ||
        generations.back().back().generation != part.generation) {
      generations.emplace_back();
    }
    generations.back().push_back(part);
  }
  return generations;
}

}  // namespace

absl::Status PutLinks(const kv::Store& store, const std::string& family,
                      const schema::Head& previous, LinkSnapshot* links,
                      schema::Head* head, kv::Ingest* ingest) {
  const uint64_t changed_rows = links->count();
  const bool new_base =
      static_cast<double>(changed_rows + CountRows(previous.link_deltas)) >
      kDeltaShare * static_cast<double>(CountRows(previous.link_parts));
  std::vector<std::vector<PartReference>> deltas =
      ByGeneration(previous.link_deltas);
  std::vector<std::vector<PartReference>> taken;  // newest first
  uint64_t rows = changed_rows;
  while (!deltas.empty() && (new_base || CountRows(deltas.back()) < 2 * rows)) {
    rows += CountRows(deltas.back());
    taken.push_back(std::move(deltas.back()));
    deltas.pop_back();
  }
  if (new_base && !previous.link_parts.empty()) {
    taken.push_back(previous.link_parts);
  } else if (!new_base) {
    head->link_parts = previous.link_parts;
  }
  for (const std::vector<PartReference>& parts : deltas) {
    head->link_deltas.insert(head->link_deltas.end(), parts.begin(),
                             parts.end());
  }
  std::vector<PartReference> replaced;
  std::vector<LinkStream> older;
  for (auto parts = taken.rbegin(); parts != taken.rend(); ++parts) {
    replaced.insert(replaced.end(), parts->begin(), parts->end());
    older.emplace_back(store, family, previous, *parts);
  }
  ENGRAM_RETURN_IF_ERROR(DeleteParts(std::move(replaced), ingest));
  ChangedRows changed(links);
  PartWriter writer(*head, ingest,
                    new_base ? &head->link_parts : &head->link_deltas);
  return Merge(&older, &changed, &writer);
}

}  // namespace engram::space
